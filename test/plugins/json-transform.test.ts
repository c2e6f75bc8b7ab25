import canonicalize from "canonicalize";
import { describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome } from "./mock-host.js";

const module = loadModule("plugins/json-transform.wasm");
const host = new MockHost();

function run(parameters: unknown): Outcome {
  const outcome = host.run(
    module,
    "transform",
    typeof parameters === "string" ? parameters : JSON.stringify(parameters),
  );
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return outcome;
}

const result = (expression: string, input: unknown): unknown => {
  const outcome = run({ expression, input });
  expect(outcome.error).toBeNull();
  return (JSON.parse(outcome.text) as { result: unknown }).result;
};

describe("beyond the compliance tests", () => {
  test("a reshaping, to the byte", () => {
    const input = {
      orders: [
        { id: "b", total: 5, open: true },
        { id: "a", total: 7.5, open: true },
        { id: "c", open: false },
      ],
    };
    expect(run({ input, expression: "{total: sum(orders[?open].total), ids: sort_by(orders, &id)[].id}" }).text).toBe(
      '{"result":{"ids":["a","b","c"],"total":12.5}}',
    );
  });

  test("keys of a result are sorted by UTF-16 code units, as canonical JSON wants", () => {
    const names = ["\ue000", "😀", "a", "", "aa", "ü", "\uffff", "\ud7ff", "€"];
    const input = Object.fromEntries(names.map((name, i) => [name, i]));
    expect(result('merge(@, `{"zz": 1, "0": 2}`)', input)).toEqual({ ...input, zz: 1, 0: 2 });
  });

  test("many keys, in any order, and one of them twice", () => {
    const keys = Array.from({ length: 3000 }, (_, i) => `k${(i * 7919) % 3000}`);
    const input = Object.fromEntries(keys.map((key, i) => [key, i]));
    expect(result("length(@)", input)).toBe(3000);
    expect(result("@", input)).toEqual(input);
    const twice = `{"expression":"@","input":{${[...keys, "k17"].map((key) => `"${key}":1`).join(",")}}}`;
    expect(run(twice).error).toContain("parameters are not JSON: a key occurs twice at byte");
  });

  test("strings are ordered and turned by code points", () => {
    expect(result("sort(@)", ["😀", "\uffff", "b", "a", "ab", ""])).toEqual(["", "a", "ab", "b", "\uffff", "😀"]);
    expect(result("max(@)", ["\uffff", "😀"])).toBe("😀");
    expect(result("reverse(@)", "aü€😀")).toBe("😀€üa");
    expect(result("length(@)", "aü€😀")).toBe(4);
    expect(result("contains(@, 'ü€')", "aü€😀")).toBe(true);
    expect(result("join('–', @)", ["ä", "", "😀"])).toBe("ä––😀");
  });

  test("sorting keeps the order of equal elements, and the first of equal extremes is taken", () => {
    const input = Array.from({ length: 500 }, (_, i) => ({ i, group: (i * 37) % 7 }));
    expect(result("sort_by(@, &group)", input)).toEqual([...input].sort((a, b) => a.group - b.group || a.i - b.i));
    expect(result("max_by(@, &group).i", input)).toBe(input.find(({ group }) => group === 6)?.i);
    expect(result("min_by(@, &group).i", input)).toBe(0);
  });

  test("numbers", () => {
    expect(result("sum(@)", [0.1, 0.2])).toBe(0.30000000000000004);
    expect(result("@[0] == `1.0` && @[1] < `1e3`", [1, 2])).toBe(true);
    expect(result("ceil(@)", -0.5)).toBe(0);
    expect(result("to_number(@)", "9007199254740993")).toBe("9007199254740993");
    for (const text of [" 1", "1 ", "+1", ".5", "5.", "01", "0x1", "NaN", "Infinity", "1e999", ""])
      expect([text, result("to_number(@)", text)]).toEqual([text, null]);
    expect(result("to_string(@)", { b: [1.5, "x"], a: null })).toBe('{"a":null,"b":[1.5,"x"]}');
  });

  test("a key given twice in a multi-select is there once, the last", () => {
    expect(result("{a: `1`, b: `2`, a: `3`}", 0)).toEqual({ a: 3, b: 2 });
  });

  test("indices and steps far outside", () => {
    expect(result("[@[99999999999999999999], @[-99999999999999999999]]", [1])).toEqual([null, null]);
    expect(result("@[-99999999999999999999:99999999999999999999:99999999999999999999]", [1, 2])).toEqual([1]);
    expect(result("@[::-99999999999999999999]", [1, 2])).toEqual([2]);
    expect(result("@[007]", [0, 1, 2, 3, 4, 5, 6, 7])).toBe(7);
  });
});

describe("errors name their kind and the byte", () => {
  test.each([
    ["", "syntax at byte 0: the expression ends too early"],
    ["foo.", "syntax at byte 4: expected a name, *, [ or { after the dot, found the end"],
    ["foo bar", "syntax at byte 4: unexpected a name"],
    ["größe", "syntax at byte 2: unexpected character"],
    ['"größe".#', "syntax at byte 10: unexpected character"],
    ["a[0", "syntax at byte 3: expected ], found the end"],
    ["a[0 1]", "syntax at byte 5: expected ] or :"],
    ["[::::]", "syntax at byte 4: a slice has three parts at most"],
    ["{a: b,}", "syntax at byte 6: expected a key, found }"],
    ["f(a", "syntax at byte 3: expected ), found the end"],
    ["abs(a,)", "syntax at byte 6: unexpected )"],
    ["(abs)(a)", "syntax at byte 6: only a name can be called"],
    ["&a", "syntax at byte 0: unexpected &"],
    ["[&a]", "syntax at byte 1: unexpected &"],
    ["a = b", "syntax at byte 2: unexpected character"],
    ["a.-1", "syntax at byte 2: expected a name, *, [ or { after the dot, found a number"],
    ["a - b", "syntax at byte 2: expected a digit after -"],
    ["'abc", "syntax at byte 0: a quote without its end"],
    ["`{`", "syntax at byte 0: no JSON: expected a key at byte 1"],
    ['"\\x"', "syntax at byte 0: no JSON: malformed escape at byte 3"],
    ["nope(a)", "unknown-function at byte 0: nope"],
    ["a[?nope(@)]", "unknown-function at byte 3: nope"],
    ["a.abs()", "invalid-arity at byte 2: abs takes 1 argument, got 0"],
    ["merge()", "invalid-arity at byte 0: merge takes at least 1 argument, got 0"],
    ["contains(a)", "invalid-arity at byte 0: contains takes 2 arguments, got 1"],
    ["abs('a')", "invalid-type at byte 4: abs expects a number, found a string"],
    ["join(`1`, @)", "invalid-type at byte 5: join expects a string, found a number"],
    [
      'max(`[1, "a"]`)',
      "invalid-type at byte 4: max expects an array of numbers or an array of strings, found an array",
    ],
    ["length(&a)", "invalid-type at byte 7: length expects a string or an array or an object, found an expression"],
    ["map(a, `[]`)", "invalid-type at byte 4: map expects an expression as in &name, found null"],
    ['sort_by(`[1, "a"]`, &@)', "invalid-type at byte 20: sort_by orders by numbers or by strings, throughout"],
    ["`[1]`[::0]", "invalid-value at byte 5: the step of a slice can't be 0"],
    ["sum(`[1e308, 1e308]`)", "invalid-value at byte 0: sum gives a number out of range"],
  ])("%s", (expression, problem) => {
    expect(run({ expression, input: {} })).toMatchObject({ code: 1, error: `expression: ${problem}` });
  });
});

describe("bounds", () => {
  const nest = (open: string, close: string, levels: number): string =>
    open.repeat(levels) + "@" + close.repeat(levels);

  test("an expression has 256 levels and 16,384 bytes", () => {
    for (const [open, close] of [
      ["!", ""],
      ["(", ")"],
      ["", ".a"],
      ["", " | a"],
    ] as const) {
      expect(run({ expression: nest(open, close, 255), input: 1 }).code).toBe(0);
      expect(run({ expression: nest(open, close, 256), input: 1 }).error).toMatch(
        /^expression: syntax at byte \d+: nested too deep$/,
      );
    }
    expect(run({ expression: "@".padEnd(16_384), input: 1 }).code).toBe(0);
    expect(run({ expression: "@".padEnd(16_385), input: 1 }).error).toBe(
      'parameter "expression" must be at most 16384 bytes',
    );
  });

  test("a result has 127 levels, so that the output has 128", () => {
    expect(run({ expression: nest("[", "]", 127), input: 1 }).code).toBe(0);
    expect(run({ expression: nest("[", "]", 128), input: 1 }).error).toBe(
      "the result is nested deeper than 127 levels",
    );
    expect(run({ expression: nest("{a:", "}", 120), input: [[[[[[[1]]]]]]] }).code).toBe(0);
    expect(run({ expression: nest("{a:", "}", 120), input: [[[[[[[[1]]]]]]]] }).code).toBe(1);
  });
});

test("parameters are read strictly", () => {
  for (const [parameters, error] of [
    [{ input: 1 }, 'parameter "expression" is missing'],
    [{ expression: "@" }, 'parameter "input" is missing'],
    [{ expression: 1, input: 1 }, 'parameter "expression" must be a string, not a number'],
    [{ expression: null, input: 1 }, 'parameter "expression" must be a string, not null'],
    [{ expression: "@", input: 1, more: 1 }, 'parameter "more" is not known'],
    [[], "parameters must be an object, not an array"],
    ["", "parameters are not JSON: expected a value at byte 0"],
  ] as const)
    expect(run(parameters)).toMatchObject({ code: 1, error });
  expect(result("@", null)).toBeNull();
  expect(host.calls).toEqual([]);
});
