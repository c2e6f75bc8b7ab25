import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadModule, MockHost } from "./mock-host.js";

// The published compliance tests of JMESPath (test/vectors/jmespath), all of them: none is left out, none is expected to
// fail. The benchmarks name no result, so of those it is only asked that they have one.

type Case = { expression: string; result?: unknown; error?: string; bench?: string };
type Suite = { given: unknown; cases: Case[] };

const folder = new URL("../vectors/jmespath/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const module = loadModule("plugins/json-transform.wasm");
const host = new MockHost();

/** The result of an expression, or the kind of error that the guest named. */
function outcomeOf(expression: string, input: unknown): unknown {
  const { code, text, error } = host.run(module, "transform", JSON.stringify({ expression, input }));
  if (code === 0) return JSON.parse(text) as unknown;
  return { error: /^expression: ([a-z-]+) at byte \d+: ./.exec(error ?? "")?.[1] ?? error };
}

test("every file, with so many cases", () => {
  const count = (name: string): number =>
    (JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Suite[]).reduce(
      (sum, { cases }) => sum + cases.length,
      0,
    );
  expect(files.map((name) => [name, count(name)])).toEqual([
    ["basic.json", 18],
    ["benchmarks.json", 16],
    ["boolean.json", 60],
    ["current.json", 3],
    ["escape.json", 8],
    ["filters.json", 88],
    ["functions.json", 175],
    ["identifiers.json", 125],
    ["indices.json", 59],
    ["literal.json", 41],
    ["multiselect.json", 53],
    ["pipe.json", 17],
    ["slice.json", 41],
    ["syntax.json", 135],
    ["unicode.json", 4],
    ["wildcard.json", 65],
  ]);
});

describe.each(files)("%s", (name) => {
  const suites = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Suite[];
  test.each(suites.flatMap(({ given, cases }) => cases.map((row) => [row.expression, row, given] as const)))(
    "%s",
    (expression, row, given) => {
      const outcome = outcomeOf(expression, given);
      if (row.error !== undefined) expect(outcome).toEqual({ error: row.error });
      else if (row.bench === undefined) expect(outcome).toEqual({ result: row.result });
      else expect(outcome).toHaveProperty("result");
    },
  );
});
