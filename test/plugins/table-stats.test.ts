import canonicalize from "canonicalize";
import { describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome } from "./mock-host.js";
import { figures, generateTable, toCsv } from "./tables.js";

const module = loadModule("plugins/table-stats.wasm");

function stats(content: string | Uint8Array, parameters: Record<string, unknown> = {}): Outcome & { host: MockHost } {
  const host = new MockHost();
  host.files.set("data/t.csv", typeof content === "string" ? new TextEncoder().encode(content) : content);
  const outcome = host.run(module, "stats", JSON.stringify({ path: "data/t.csv", ...parameters }));
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return { ...outcome, host };
}

function columns(content: string | Uint8Array, parameters: Record<string, unknown> = {}): unknown {
  const outcome = stats(content, parameters);
  expect(outcome.error).toBeNull();
  return (JSON.parse(outcome.text) as { columns: unknown }).columns;
}

describe("figures", () => {
  test("a small table, to the byte", () => {
    expect(stats("name,amount,note\r\nann,1.5,\r\nbob,-2,\r\nann,1e1,\r\n").text).toBe(
      '{"columns":[{"count":3,"distinct":2,"empty":0,"kind":"text","name":"name"},' +
        '{"count":3,"distinct":3,"empty":0,"kind":"number","max":10,"mean":3.1666666666666665,"min":-2,"name":"amount","sum":9.5},' +
        '{"count":0,"distinct":0,"empty":3,"kind":"empty","name":"note"}],"path":"data/t.csv","rows":3}',
    );
  });

  test("10,000 generated rows against an independent computation", () => {
    for (const seed of [1, 2]) {
      const table = generateTable(10_000, seed);
      const outcome = stats(toCsv(table, seed === 1 ? "\r\n" : "\n"));
      expect(outcome.error).toBeNull();
      expect(JSON.parse(outcome.text)).toEqual({ path: "data/t.csv", rows: 10_000, columns: figures(table) });
      expect(outcome.pages).toBeLessThanOrEqual(64);
    }
  });

  test("50,000 rows stay within 256 pages", () => {
    const table = generateTable(50_000, 3);
    const outcome = stats(toCsv(table, "\n"));
    expect(JSON.parse(outcome.text)).toEqual({ path: "data/t.csv", rows: 50_000, columns: figures(table) });
    expect(outcome.pages).toBeLessThanOrEqual(256);
  });

  test("a sum keeps what plain addition loses", () => {
    expect(columns("x\n1e16\n1\n-1e16\n")).toMatchObject([{ sum: 1 }]);
    expect(columns(`x\n${"0.1\n".repeat(10)}`)).toMatchObject([{ sum: 1, mean: 0.1 }]);
  });

  test("large sums travel as canonical JSON wants them", () => {
    expect(columns("x\n9007199254740991\n9007199254740991\n")).toMatchObject([
      { sum: "18014398509481982", max: 9007199254740991 },
    ]);
    expect(columns("x\n1e20\n-1e20\n1e22\n")).toMatchObject([{ min: "-100000000000000000000", max: 1e22, sum: 1e22 }]);
    expect(columns("x\n1.7e308\n1.7e308\n")).toMatchObject([{ sum: null, mean: null, max: 1.7e308 }]);
    expect(columns("x\n-0\n")).toMatchObject([{ sum: 0, min: 0, max: 0 }]);
  });

  test("what makes a column a number", () => {
    for (const cell of ["1", "-1.5", "+2", ".5", "5.", "1E-3", "007", "1e308"])
      expect(columns(`x,y\n${cell},\n`)).toMatchObject([{ kind: "number" }, { kind: "empty" }]);
    for (const cell of ["a", " 1", "1 ", "0x1", "1_0", "NaN", "Infinity", "1e999", "-", "1.2.3", '"1,5"'])
      expect(columns(`x,y\n${cell},\n`)).toMatchObject([{ kind: "text" }, { kind: "empty" }]);
    expect(columns('x\n"1"\n1\n')).toMatchObject([{ kind: "number", distinct: 1, sum: 2 }]);
    expect(columns("x,y\n1,\n,\ntext,\n")).toMatchObject([
      { kind: "text", count: 2, empty: 1 },
      { count: 0, empty: 3 },
    ]);
  });

  test("distinct compares texts, byte for byte", () => {
    const names = [
      "a",
      "A",
      "a\u0301",
      "á",
      "1",
      "1.0",
      "12345678",
      "123456789",
      "1234567",
      "12345678\u0000",
      "a\u0000",
      '""""',
      "€".repeat(50),
      `${"€".repeat(49)}$`,
    ];
    expect(columns(`x,y\n${[...names, ...names].map((name) => `${name},`).join("\n")}`)).toMatchObject([
      { distinct: names.length },
      {},
    ]);
  });
});

describe("RFC 4180", () => {
  test("quoting, line ends, byte order mark", () => {
    const expected = [
      { name: 'a "quoted", name', count: 2, distinct: 2 },
      { name: "b", kind: "number", sum: 3 },
    ];
    expect(columns('\ufeff"a ""quoted"", name",b\r\n"x\r\ny",1\r\n"x\ny",2')).toMatchObject(expected);
    expect(columns('"a ""quoted"", name",b\n"""",1\n" ",2\n')).toMatchObject(expected);
  });

  test("another delimiter", () => {
    expect(columns("a;b\n1,5;2\n", { delimiter: ";" })).toMatchObject([{ kind: "text" }, { kind: "number", sum: 2 }]);
    expect(columns("a\tb\n1\t2\n", { delimiter: "\t" })).toMatchObject([{ sum: 1 }, { sum: 2 }]);
    for (const delimiter of ["", ";;", '"', "\n", "\r", "ä"]) {
      expect(stats("a\n", { delimiter })).toMatchObject({
        code: 1,
        error: 'parameter "delimiter" must be one ASCII character other than a quote or a line break',
      });
    }
  });

  test("headers", () => {
    expect(JSON.parse(stats("a,b").text)).toEqual({
      columns: ["a", "b"].map((name) => ({ count: 0, distinct: 0, empty: 0, kind: "empty", name })),
      path: "data/t.csv",
      rows: 0,
    });
    expect(columns("größe,größe,\n1,2,3\n")).toMatchObject([{ name: "größe" }, { name: "größe" }, { name: "" }]);
    expect(columns("x\n1\n\n2\n\n")).toMatchObject([{ count: 2, empty: 2 }]);
  });

  test("malformed files fail and name the place", () => {
    for (const [content, problem] of [
      ["", "the file is empty, a header row is needed"],
      ["\ufeff", "the file is empty, a header row is needed"],
      ["a,b\n1,2\n3\n", "row 2 (line 3) has 1 field, the header has 2"],
      ['a,b\n"x\ny",2\n1,2,3\n', "row 2 (line 4) has 3 fields, the header has 2"],
      ["a,b\n1,2\n\n", "row 2 (line 3) has 1 field, the header has 2"],
      ['a\nx"y\n', "line 2: a quote inside an unquoted field"],
      ['a\n"x"y\n', "line 2: text after a closing quote"],
      ['a\n1\n"x\ny\n', "line 3: a quoted field without a closing quote"],
      ['a\n"', "line 2: a quoted field without a closing quote"],
      ['a\n"x""', "line 2: a quoted field without a closing quote"],
      ["a\rb\n", "line 1: a carriage return without a line feed"],
      ["a\n1\r", "line 2: a carriage return without a line feed"],
    ] as const) {
      expect({ content, ...stats(content) }).toMatchObject({ content, code: 1, error: `data/t.csv: ${problem}` });
    }
    expect(stats(Uint8Array.of(0x61, 0x2c, 0xff, 0x0a))).toMatchObject({
      code: 1,
      error: "data/t.csv: the name of column 2 is not UTF-8",
    });
  });
});

describe("reading", () => {
  test("part by part", () => {
    const rows = 40_000;
    const { host, text } = stats(`x,y\n${"1234567,abcdefgh\n".repeat(rows)}`);
    expect(host.calls.map(({ request }) => [request["offset"], request["length"]])).toEqual([
      [0, 262144],
      [262144, 262144],
      [524288, 262144],
    ]);
    expect(JSON.parse(text)).toMatchObject({ rows, columns: [{ sum: 1234567 * rows }, { distinct: 1 }] });
    expect(host.liveBlocks).toBe(1);
  });

  test("a file that changes on the way, and one that is missing", () => {
    const part = (sizes: number[], lengths: number[]): MockHost => {
      let call = 0;
      return new MockHost({
        fs_read: () => ({ size: sizes[call], bytes: new Uint8Array(lengths[call++] as number).fill(97) }),
      });
    };
    for (const host of [
      part([300_000, 300_001], [262_144, 37_856]),
      part([300_000, 300_000], [262_144, 0]),
      part([300_000, 300_000], [262_144, 40_000]),
      part([0], [5]),
    ]) {
      expect(host.run(module, "stats", '{"path":"data/t.csv"}')).toMatchObject({
        code: 1,
        error: "data/t.csv: the file changed while it was read",
      });
    }
    expect(part([2 ** 31], [10]).run(module, "stats", '{"path":"data/t.csv"}')).toMatchObject({
      code: 1,
      error: "data/t.csv: the file is larger than 1 GiB",
    });
    expect(part([5, 5], [3, 2]).run(module, "stats", '{"path":"data/t.csv"}')).toMatchObject({ code: 0 });
    expect(new MockHost().run(module, "stats", '{"path":"data/ä"}')).toMatchObject({
      code: 1,
      error: "data/ä: EXO_FS_NOT_FOUND: There is no such file.",
    });
  });

  test("parameters", () => {
    expect(stats("a\n", { extra: 1 })).toMatchObject({ code: 1, error: 'parameter "extra" is not known' });
    expect(stats("a\n", { path: 1 })).toMatchObject({
      code: 1,
      error: 'parameter "path" must be a string, not a number',
    });
    expect(stats("a\n", { delimiter: 1 })).toMatchObject({
      code: 1,
      error: 'parameter "delimiter" must be a string, not a number',
    });
  });
});
