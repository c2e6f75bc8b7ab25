import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkBytes, checkModule, isFailure } from "./generate/check.js";
import { encodePlain, encodeReference, walk } from "./generate/encode.js";
import { admittedNames, unknownNames } from "./generate/instructions.js";
import { keptCalls } from "./generate/kept.js";
import { makeModule } from "./generate/module.js";
import { checkMutant } from "./generate/mutants.js";
import { randomOf } from "./generate/random.js";
import { describeRounds, playRounds } from "./generate/rounds.js";
import { isValidModule, trapClass } from "./generate/run.js";
import { shrink } from "./generate/shrink.js";
import type { ModuleTree } from "./generate/tree.js";

describe("generated modules", () => {
  test("the generator knows every admitted instruction", () => {
    expect(unknownNames).toEqual([]);
    expect(admittedNames.length).toBeGreaterThan(400);
  });

  test("150 of one seed do what the original does, for the same fuel", () => {
    const plan = { seed: "generated", from: 0, count: 150, budgetMs: Number.POSITIVE_INFINITY };
    const rounds = playRounds(plan);
    console.log(describeRounds(plan, rounds));
    expect(rounds.ran).toBe(150);
    expect(rounds.exact).toBeGreaterThan(10);
    expect(rounds.trapped).toBeGreaterThan(20);
    expect(rounds.trapped).toBeLessThan(130);
    expect(rounds.executed.size).toBeGreaterThan(0.97 * admittedNames.length);
  });

  test("every admitted instruction can be reached in them", () => {
    const counts = new Map<string, number>();
    for (let index = 0; index < 150; index += 1) {
      for (const { body } of makeModule(`generated:${index}`).functions) {
        walk(body, ({ name, kind, ...node }) => {
          const names =
            kind === "block" ? [name, "end", ...("otherwise" in node && node.otherwise ? ["else"] : [])] : [name];
          if (!node.before.dead) {
            for (const one of names) {
              counts.set(one, (counts.get(one) ?? 0) + 1);
            }
          }
        });
      }
    }
    expect(admittedNames.filter((name) => (counts.get(name) ?? 0) < 2)).toEqual([]);
  });

  test("one seed is one module", () => {
    expect(encodePlain(makeModule("a:1"))).toEqual(encodePlain(makeModule("a:1")));
    expect(encodePlain(makeModule("a:1"))).not.toEqual(encodePlain(makeModule("a:2")));
  });
});

describe("what the checks find", () => {
  const tree = makeModule("generated:4");

  test.each([
    ["another module's reference", (): ModuleTree => makeModule("generated:5")],
    [
      "a reference without its start or its data",
      (): ModuleTree => ({ ...makeModule("generated:1"), calls: tree.calls }),
    ],
  ])("%s", (_, other) => {
    const reference = encodeReference(other()).bytes;
    expect(() => checkBytes(encodePlain(tree), reference, tree.calls, false, randomOf("x"))).toThrow(
      /^(?:result|host calls|memory|generator): /,
    );
  });

  test("a module that is not admitted", () => {
    const reserved = { ...tree, exports: [...tree.exports, { name: "exo:x", kind: "global", index: 0 } as const] };
    const result = checkModule(reserved);
    expect(isFailure(result) && result.kind).toBe("refused");
  });

  test("an engine's words for traps have a class", () => {
    expect(trapClass(new Error("unreachable"))).toBe("other: Error: unreachable");
  });

  test("shrinking keeps what fails and drops the rest", () => {
    const found = { kind: "grows", detail: "" };
    const grows = (candidate: ModuleTree) => {
      const result = checkModule(candidate);
      return !isFailure(result) && (result.executed.get("memory.grow") ?? 0) > 0 ? found : null;
    };
    const big = Array.from({ length: 100 }, (_, index) => makeModule(`grow:${index}`)).find(
      (one) => grows(one) !== null,
    );
    const small = shrink({ tree: big as ModuleTree, failure: found }, 20_000, grows);
    expect(grows(small.tree)).toBe(found);
    expect(encodePlain(small.tree).length).toBeLessThan(encodePlain(big as ModuleTree).length / 4);
    expect(isValidModule(encodePlain(small.tree))).toBe(true);
  });
});

test("modules that once failed", () => {
  const folder = fileURLToPath(new URL("kept/", import.meta.url));
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(`${folder}${name}`));
  const names = readdirSync(folder).filter((name) => name.endsWith(".wasm") && !name.endsWith(".reference.wasm"));
  for (const name of names) {
    const bytes = read(name);
    expect([name, checkMutant(bytes)]).toEqual([name, null]);
    const kept = keptCalls(bytes);
    if (kept !== null) {
      const reference = read(name.replace(/\.wasm$/, ".reference.wasm"));
      checkBytes(bytes, reference, kept.calls, kept.exact, randomOf(name));
    }
  }
});
