import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { auditStore } from "../../src/replay/audit-log.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore } from "../support/crash-store.js";
import { Ends, FakeSandbox, type Script } from "../support/fake-sandbox.js";
import { kvDraft, kvRig, kvScripts, kvState, type Op, type Seen } from "../support/kv.js";
import { checkStore, endOf, type Rig } from "../support/rig.js";
import { origin } from "../support/world.js";

const keys = ["a", "b", "字", "x".repeat(130)];
const key = fc.constantFrom(...keys);
/** A version to expect: none said, none there, one of the small ones, or the one the run was told last. */
const expected = fc.oneof(fc.constant(undefined), fc.nat(6), fc.constant(-1));

const op = fc.oneof(
  fc.tuple(fc.constant("get"), key),
  fc.tuple(fc.constant("put"), key, fc.string({ maxLength: 3 }), expected),
  fc.tuple(fc.constant("delete"), key, expected),
  fc.tuple(fc.constant("list"), fc.constantFrom("", "a", "x", "z")),
);

const run = fc.record({
  executor: fc.constantFrom("kv", "other"),
  tenantId: fc.constantFrom("default", "other"),
  ops: fc.array(op, { maxLength: 5 }),
  end: fc.constantFrom("completed", "completed", "completed", "guest_error", "doubt"),
  pauses: fc.array(fc.nat(2), { maxLength: 5 }),
});

type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

/** What one space must hold: the same operations one after the other on a plain map. */
class Model {
  readonly entries = new Map<string, { value: string; version: number }>();
  version = 0;

  /** Carries a run out and gives what its guest must have seen. */
  play({ ops, end }: Run): Seen[] {
    const entries = new Map(this.entries);
    let told = 0;
    const seen: Seen[] = ops.map((one): Seen => {
      const [name, first = "", ...rest] = one as [string, string, ...unknown[]];
      const there = entries.get(first);
      const version = there?.version ?? 0;
      const wanted = rest.at(-1);
      const expect =
        name === "put" || name === "delete" ? (wanted === -1 ? told : (wanted as number | undefined)) : undefined;
      const lost = expect !== undefined && expect !== version;
      if (name === "get") {
        told = version;
        return { found: there !== undefined, value: there?.value ?? "", version };
      }
      if (name === "list") {
        const listed = [...entries].filter(([k]) => k.startsWith(first)).sort(byKey);
        return {
          entries: listed.map(([k, e]) => ({ key: k, version: e.version, size: Buffer.byteLength(e.value) })),
          more: false,
        };
      }
      if (lost) return { done: false, version };
      if (name === "delete") {
        entries.delete(first);
        return { done: true, version };
      }
      this.version += 1;
      entries.set(first, { value: String(rest[0]), version: this.version });
      return { done: true, version: this.version };
    });
    if (end === "completed") {
      this.entries.clear();
      for (const [k, entry] of entries) this.entries.set(k, entry);
    }
    return seen;
  }

  state(): [string, string, number][] {
    return [...this.entries]
      .map(([k, { value, version }]): [string, string, number] => [k, value, version])
      .sort(byKey);
  }
}

const byKey = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Operations as a guest makes them: an expectation of -1 is the version it was told last. */
function scripted(runs: readonly Run[], began: number[], seen: Map<number, Seen[]>): Script {
  return async (guest) => {
    const at = Number(guest.parameters["run"]);
    const { ops, end, pauses } = runs[at] as Run;
    began.push(at);
    const answers: Seen[] = [];
    seen.set(at, answers);
    let told = 0;
    const step = kvScripts()["write"] as Script;
    for (const [place, one] of ops.entries()) {
      const pause = pauses[place] ?? 0;
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      const [name, ...rest] = one as [string, ...(string | number | undefined)[]];
      const filled = rest.map((part) => (part === -1 ? told : part)).filter((part) => part !== undefined);
      const asked = JSON.stringify([[name, ...filled]]);
      const [answer] = (await step({ ...guest, parameters: { ops: asked } })) as Seen[];
      if (name === "get") told = (answer as { version: number }).version;
      answers.push(answer as Seen);
    }
    if (end === "guest_error") throw new Ends({ status: "guest_error", error: { code: "EXO_GUEST_ERROR" } });
    if (end === "doubt") await guest.call("fs_write", { path: "data/f", bytes: new Uint8Array(0), mode: "replace" });
    return answers;
  };
}

const ends = { completed: "executed", guest_error: "failed EXO_GUEST_ERROR", doubt: "in_doubt EXO_IN_DOUBT" };

function checkKeys(rig: Pick<Rig, "store" | "trust">): void {
  const { checks } = auditStore(rig.store, { origin, vkey: rig.trust.logs[0]?.vkey ?? "", trust: rig.trust });
  expect(checks.find(({ id }) => id === "keys")).toMatchObject({ state: "pass" });
}

describe("runs on keys and values at once", () => {
  test("see and leave what the same runs would one after the other, in the order they began", async () => {
    let writes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 8 }), async (runs) => {
        const began: number[] = [];
        const seen = new Map<number, Seen[]>();
        const rig = await kvRig({ sandbox: new FakeSandbox({ write: scripted(runs, began, seen) }) });
        rig.disk.onWrite = () => Promise.resolve("unknown");
        const results = await Promise.all(
          runs.map(({ executor, tenantId }, at) =>
            rig.pipeline.execute(kvDraft([], `${executor}.write`, { tenantId, parameters: { run: String(at) } })),
          ),
        );
        expect(results.map(endOf)).toEqual(runs.map(({ end }) => ends[end as keyof typeof ends]));
        const models = new Map<string, Model>();
        for (const at of began) {
          const one = runs[at] as Run;
          const space = `${one.tenantId} ${one.executor}`;
          const model = models.get(space) ?? new Model();
          models.set(space, model);
          expect(seen.get(at)).toEqual(model.play(one));
          writes += model.version;
        }
        for (const [space, model] of models) {
          const [tenantId = "", executor = ""] = space.split(" ");
          expect(kvState(rig.store, executor, tenantId)).toEqual(model.state());
        }
        checkKeys(rig);
      }),
      { numRuns: 20, seed: 20_260_103 },
    );
    expect(writes).toBeGreaterThan(20);
  });
});

describe("a process that dies at any commit", () => {
  const steps: readonly (readonly Op[])[] = [
    [
      ["put", "a", "1"],
      ["put", "x".repeat(300), "2"],
    ],
    [
      ["put", "a", "2", 1],
      ["delete", "x".repeat(300)],
      ["put", "b", "3"],
    ],
    [["put", "a", "lost"], ["fail"]],
    [
      ["put", "c", "4"],
      ["write", "data/f"],
    ],
    [
      ["delete", "b"],
      ["put", "a", "5"],
    ],
  ];

  test("leaves exactly what the completed runs wrote, whichever commit it was, and goes on from there", async () => {
    let commits = 0;
    for (let at = 1; ; at++) {
      let died = false;
      for (const mode of ["before", "after"] as const) {
        const durable = createMemoryStore();
        const store = new CrashStore(durable);
        const first = await kvRig({ store });
        store.arm(at, mode);
        for (const ops of steps) await first.pipeline.execute(kvDraft(ops)).catch(() => (died = true));
        const rig = await kvRig({ store: durable, seed: "second" });
        const completed = checkStore(rig).map(({ state }) => state === "completed");
        const expected = new Map<string, string>();
        for (const [run, ops] of steps.entries()) {
          if (completed[run] !== true) continue;
          for (const [name, k = "", value, expects] of ops) {
            // The one expectation there is holds exactly if the first run completed.
            if (expects !== undefined && completed[0] !== true) continue;
            if (name === "put") expected.set(String(k), String(value));
            else if (name === "delete") expected.delete(String(k));
          }
        }
        const state = kvState(durable).map(([k, value]) => [k, value]);
        expect(state, `${mode} commit ${at}`).toEqual([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
        checkKeys(rig);
        expect(endOf(await rig.pipeline.execute(kvDraft([["put", "next", "1", 0]])))).toBe("executed");
        checkKeys(rig);
      }
      if (!died) break;
      commits = at;
    }
    // A start and an outcome for each run, and the journal's record of the one write.
    expect(commits).toBe(11);
  });
});
