import { beforeAll, describe, expect, test } from "vitest";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import { replay } from "../replay/support.js";
import { realPool } from "../support/real.js";
import { endOf, openRig, pluginAt, type Rig } from "../support/rig.js";

// json-transform in the real sandbox: what an expression may cost is bounded, and it is the same every time.

const sandbox = realPool({ size: 1 });
let rig: Rig;
beforeAll(async () => {
  const plugin = pluginAt("plugins/json-transform", (draft) => ({
    ...draft,
    limits: { ...draft.limits, fuel: 50_000_000 },
  }));
  const rules = [{ id: "all", match: { action: "json.transform" }, verdict: "allow" as const }];
  rig = await openRig({ sandbox, performers: {}, plugins: [plugin], grants: {}, rules });
});

const transform = async (expression: string, input: unknown): Promise<ExecutionResult> =>
  await rig.pipeline.execute({ actor: "a", action: "json.transform", parameters: { expression, input } } as never);
const nest = (open: string, inner: string, close: string, levels: number): string =>
  open.repeat(levels) + inner + close.repeat(levels);

test("a result is replayed to the same bytes and fuel", async () => {
  const done = await transform("sort_by(@, &n)[?n > `1`].{name: name, double: sum([n, n])}", [
    { n: 3, name: "ü" },
    { n: 1, name: "a" },
    { n: 2.5, name: "😀" },
  ]);
  const result = [
    { name: "😀", double: 5 },
    { name: "ü", double: 6 },
  ];
  expect(done.status === "executed" && done.output).toEqual({ result });
  const bytes = rig.pipeline.bundle(done.intentId)?.bytes() ?? new Uint8Array();
  expect((await replay(bytes, rig.trust, sandbox)).result).toBe("success");
});

describe("bounds", () => {
  test("the deepest expressions have stack enough", async () => {
    let input: unknown = "x";
    for (let level = 0; level < 100; level++) input = level % 2 === 0 ? [input] : { a: input };
    for (const expression of [
      nest("[", "@", "]", 255),
      nest("{a:", "@", "}", 255),
      nest("a[*].", "a", "", 127),
      nest("[?", "@", "]", 254),
      nest("not_null(map(&", "@", ",[@]))", 63),
      nest("sort_by(", "@", ", &@)", 254),
      nest("*.", "a", "", 250),
    ]) {
      const result = await transform(expression, input);
      const end = result.status === "failed" ? result.execution.status : result.status;
      expect([expression.slice(0, 20), end]).toEqual([
        expression.slice(0, 20),
        expect.stringMatching(/^(executed|guest_error)$/),
      ]);
      expect("reason" in result ? result.reason.message : "").not.toContain("syntax");
    }
  });

  test("an expression that doubles its value in every step ends at a limit, twice at the same fuel", async () => {
    const ends = [];
    for (let turn = 0; turn < 2; turn++) {
      const result = await transform(`${"[@, @] | ".repeat(40)}@`, 1);
      if (result.status !== "failed") throw new Error(endOf(result));
      ends.push([result.execution.status, result.execution.fuel, result.execution.memoryPeakPages]);
    }
    expect(ends[0]?.[0]).toBe("out_of_fuel");
    expect(ends[0]).toEqual(ends[1]);
  });
});
