import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inspectModule } from "../../src/wasm/inspect.js";
import { structuralLimits } from "../../src/wasm/limits.js";
import { assemble, binary, leb, oneFunction, refusal, seal } from "./support.js";

/** Offset of the first entry of a module's only section whose size takes one byte, of its count, and of a body. */
const entry = 11;
const countAt = 10;
const body = 30;

/** A section that says it has this many entries, of a byte each. */
const many = (id: number, count: number): Uint8Array => binary([id, [...leb(count), ...Array<number>(count).fill(0)]]);
/** The offset of such a section's count: behind the header, the id and the size. */
const countOf = (count: number): number => 9 + leb(leb(count).length + count).length;
const over = (count: number): number => count + 1;

type Case = readonly [limit: string, bytes: () => Uint8Array, message: string, offset: number | undefined];

const {
  types,
  arity,
  imports,
  functions,
  tables,
  globals,
  exports,
  elementSegments,
  elementEntries,
  dataSegments,
  locals,
  branchTargets,
  nesting,
  bodyBytes,
  typeBytes,
  moduleLocals,
} = structuralLimits;

const counted = (limit: string, id: number, most: number, what: string): Case => [
  limit,
  () => many(id, over(most)),
  `${over(most)} ${what}, at most ${most} are admitted`,
  countOf(over(most)),
];

/** A body of so many bytes, and where it begins. */
function longBody(instructions: readonly number[]): { readonly bytes: Uint8Array; readonly start: number } {
  const size = leb(instructions.length);
  const bytes = binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, Uint8Array.from([1, ...size, ...instructions])]);
  return { bytes, start: bytes.length - instructions.length };
}

const deep = longBody([
  0,
  ...Array.from({ length: nesting + 1 }, () => [2, 0x40]).flat(),
  ...Array<number>(nesting + 2).fill(0x0b),
]);
const steps = longBody([1, 1, 0x7f, ...Array.from({ length: 400_000 }, () => [0x03, 0x40, 0x0b]).flat(), 0x0b]);
const frame = longBody([1, ...leb(20_000), 0x7e, 0x0b]);

/** So many types, each of 1,000 parameters and in no way the same as another. */
function wideTypes(count: number): Uint8Array {
  const each = (index: number) => [
    0x60,
    ...leb(1000),
    ...Array.from({ length: 1000 }, (_, at) => 0x7f - ((index >> (at % 10)) & 1)),
    0,
  ];
  return binary([
    1,
    Uint8Array.from([...leb(count), ...Array.from({ length: count }, (_, index) => each(index)).flat()]),
  ]);
}

const cases: readonly Case[] = [
  counted("types", 1, types, "type entries"),
  [
    "arity",
    () => binary([1, [1, 0x60, ...leb(over(arity)), ...Array<number>(over(arity)).fill(0x7f), 0]]),
    `${over(arity)} value type entries, at most ${arity} are admitted`,
    13,
  ],
  [
    "typeBytes",
    () => wideTypes(1000),
    `1000 types in ${2 + 1000 * 1004} bytes, the product may be ${typeBytes} at most`,
    12,
  ],
  counted("imports", 2, imports, "import entries"),
  counted("functions", 3, functions, "function entries"),
  [
    "bodies",
    () => many(10, over(functions)),
    `${over(functions)} body entries, at most ${functions} are admitted`,
    countOf(over(functions)),
  ],
  counted("tables", 4, tables, "table entries"),
  counted("globals", 6, globals, "global entries"),
  counted("exports", 7, exports, "export entries"),
  counted("elementSegments", 9, elementSegments, "element segments"),
  [
    "elementEntries",
    () =>
      binary(
        [1, [1, 0x60, 0, 0]],
        [3, [1, 0]],
        [9, [1, 1, 0, ...leb(over(elementEntries)), ...Array<number>(over(elementEntries)).fill(0)]],
      ),
    `more than ${elementEntries} element entries`,
    25,
  ],
  counted("dataSegments", 11, dataSegments, "data segments"),
  [
    "locals",
    () => oneFunction([2, ...leb(locals), 0x7e, 1, 0x7e, 0x0b]),
    `a function declares more than ${locals} locals`,
    body + 4,
  ],
  [
    "moduleLocals",
    () => {
      const one = [1, ...leb(locals), 0x7e, 0x0b];
      const count = moduleLocals / locals + 1;
      const all = Array.from({ length: count }, () => [one.length, ...one]).flat();
      return binary(
        [1, [1, 0x60, 0, 0]],
        [3, [...leb(count), ...Array<number>(count).fill(0)]],
        [10, [...leb(count), ...all]],
      );
    },
    `the functions declare more than ${moduleLocals} locals together`,
    // The header, types, functions, the code section's own, a hundred bodies of 7 bytes, and a size.
    8 + 6 + 104 + 4 + 700 + 1,
  ],
  [
    "branchTargets",
    () =>
      longBody([0, 0x41, 0, 0x0e, ...leb(over(branchTargets)), ...Array<number>(branchTargets + 2).fill(0), 0x0b])
        .bytes,
    `br_table with more than ${branchTargets} labels`,
    30,
  ],
  ["nesting", () => deep.bytes, `blocks nest deeper than ${nesting}`, deep.start + 1 + 2 * over(nesting)],
  [
    "bodyBytes",
    () => longBody([0, ...Array<number>(bodyBytes).fill(1), 0x0b]).bytes,
    `a body is larger than ${bodyBytes} bytes`,
    28,
  ],
];

/** The first reason of this code, as text and offset. */
function limitOf(bytes: Uint8Array): { readonly message: string | undefined; readonly offset: number | undefined } {
  const found = inspectModule(bytes).reasons.find(({ code }) => code === "EXO_WASM_LIMIT");
  return { message: found?.message, offset: found?.offset };
}

describe("structural limits", () => {
  test.each(cases)("%s: one more than the limit, code and exact offset", (_limit, bytes, message, offset) => {
    expect(limitOf(bytes())).toEqual({ message: `${message} (at byte ${offset})`, offset });
  });

  test("a body that metering makes too large is refused, not an internal error", () => {
    const { message, offset } = limitOf(steps.bytes);
    expect(message).toMatch(/^a function takes \d+ bytes when metered, at most 7654321 fit \(at byte \d+\)$/);
    expect(offset).toBe(steps.start);
    expect(refusal(steps.bytes)).toBe(`EXO_WASM_LIMIT ${message}`);
  });

  test("a frame of too many words", () => {
    const { message, offset } = limitOf(frame.bytes);
    expect(message).toMatch(/^a function's frame takes \d+ words, at most 16384 are admitted \(at byte \d+\)$/);
    expect(offset).toBe(frame.start);
  });

  test("every limit that counts something has its case", () => {
    const elsewhere = ["moduleBytes", "frameWords", "memoryPages", "tableElements"];
    const covered = new Set(cases.map(([limit]) => limit));
    expect(Object.keys(structuralLimits).filter((limit) => !covered.has(limit) && !elsewhere.includes(limit))).toEqual(
      [],
    );
  });

  test("exactly the limit is not refused for it", () => {
    const exact = binary([4, [...leb(tables), ...Array.from({ length: tables }, () => [0x70, 0, 0]).flat()]]);
    expect(seal(exact).exports).toEqual([]);
    const parameters = binary([1, [1, 0x60, ...leb(arity), ...Array<number>(arity).fill(0x7f), 0]]);
    expect(seal(parameters).exports).toEqual([]);
    const labels = longBody([
      0,
      0x41,
      0,
      0x0e,
      ...leb(branchTargets),
      ...Array<number>(branchTargets + 1).fill(0),
      0x0b,
    ]);
    expect(limitOf(labels.bytes)).toEqual({ message: undefined, offset: undefined });
  });
});

describe("sizes", () => {
  test("a memory or tables that start beyond the cap", () => {
    expect(refusal(assemble(`(module (memory 65))`))).toBe(
      `EXO_WASM_LIMIT the memory starts with 65 pages, the cap is 64 (at byte ${entry})`,
    );
    expect(refusal(assemble(`(module (table 1001 funcref))`))).toBe(
      `EXO_WASM_LIMIT the tables start with 1001 elements, the cap is 1000 (at byte ${entry + 1})`,
    );
    expect(refusal(assemble(`(module (table 600 funcref) (table 600 externref))`))).toBe(
      "EXO_WASM_LIMIT the tables start with 1200 elements, the cap is 1000 (at byte 16)",
    );
    expect(seal(assemble(`(module (memory 64) (table 1000 funcref))`)).memoryPages).toBe(64);
  });

  test("a size that is no size at all is the engine's to refuse, and stays within the cap's arithmetic", () => {
    expect(refusal(binary([5, [1, 0, ...leb(0xffff_ffff)]]))).toMatch(/^EXO_WASM_INVALID /);
    expect(refusal(binary([4, [1, 0x70, 0, ...leb(0xffff_ffff)]]))).toMatch(/^EXO_WASM_(?:INVALID|LIMIT) /);
  });
});

describe("encodings that have no meaning", () => {
  const utf8 = [0xc3, 0x28];
  const plain = [[1, [1, 0x60, 0, 0]] as const, [3, [1, 0]] as const];
  const bodies = (...code: readonly number[]) => binary(...plain, [10, [1, ...leb(code.length), ...code]]);

  test.each([
    [
      "an endless number",
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0),
      "a number is longer than 32 bits",
      13,
    ],
    [
      "a section that is cut off",
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 0),
      "section 1 is longer than the module",
      8,
    ],
    ["a section with no size", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1), "unexpected end", 9],
    ["a section twice", binary([1, [0]], [1, [0]]), "section 1 is out of order or repeated", 11],
    ["sections out of order", binary([3, [0]], [1, [0]]), "section 1 is out of order or repeated", 11],
    ["the data count behind the code", binary([10, [0]], [12, [0]]), "section 12 is out of order or repeated", 11],
    ["bytes behind a section's end", binary([1, [0, 9]]), "section 1 has bytes left over", entry],
    ["a count beyond what is left", binary([1, [9]]), "type count 9 is larger than what is left", countAt],
    ["a function without a body", binary(...plain), "the function and code sections have different lengths", 18],
    [
      "a body without a function",
      binary([10, [1, 2, 0, 0x0b]]),
      "the function and code sections have different lengths",
      14,
    ],
    ["a name that is not UTF-8", binary([7, [1, 2, ...utf8, 0, 0]]), "a name is not UTF-8", entry + 1],
    ["a custom section's name that is not UTF-8", binary([0, [2, ...utf8]]), "a name is not UTF-8", entry],
    ["an import of an unknown kind", binary([2, [1, 1, 0x6d, 1, 0x6e, 5]]), "an import has an unknown kind", entry + 4],
    ["an export of an unknown kind", binary([7, [1, 1, 0x66, 9, 0]]), "an export has an unknown kind", entry + 2],
    ["an element segment of an unknown kind", binary([9, [1, 8]]), "an element segment has the unknown kind 8", entry],
    [
      "elements of another kind than functions",
      binary([9, [1, 1, 1, 0]]),
      "an element kind other than functions",
      entry + 1,
    ],
    ["a data segment of an unknown kind", binary([11, [1, 3]]), "a data segment has the unknown kind 3", entry],
    ["a type that is not there", binary([1, [1, 0x60, 0, 0]], [3, [1, 1]]), "there is no type 1", 17],
    ["a start function that is not there", binary([8, [0]]), "there is no function 0", countAt],
    ["an element that is not there", binary([9, [1, 1, 0, 1, 7]]), "there is no function 7", entry + 3],
    ["a body that is cut off", binary(...plain, [10, [1, 9, 0, 0x0b]]), "a body is longer than its section", 21],
    ["a body without an end", bodies(0, 1), "unexpected end", 24],
    ["a body behind its end", bodies(0, 0x0b, 0x0b), "a body goes on after its end", 24],
    ["else without if", bodies(0, 0x05, 0x0b), "else without if", 24],
    ["operands that are not there", bodies(0, 0x6a, 0x0b), "an instruction lacks operands", 24],
    ["a callee that is not there", bodies(0, 0x10, 1, 0x0b), "there is no function 1", 24],
    ["an indirect callee's type that is not there", bodies(0, 0x41, 0, 0x11, 3, 0, 0x0b), "there is no type 3", 26],
    ["a block type that is not there", bodies(0, 0x02, 3, 0x0b, 0x0b), "there is no block type 3", 24],
    ["a negative block type", bodies(0, 0x02, 0x80, 0x7f, 0x0b, 0x0b), "there is no block type -128", 24],
    [
      "an i32 of 33 bits",
      bodies(0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a, 0x0b),
      "a number is longer than 32 bits",
      28,
    ],
    [
      "an i64 of 65 bits",
      bodies(0, 0x42, ...Array<number>(9).fill(0xff), 0x01, 0x1a, 0x0b),
      "a number is longer than 64 bits",
      33,
    ],
    [
      "a block type of 34 bits",
      bodies(0, 0x02, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x0b, 0x0b),
      "a number is longer than 33 bits",
      28,
    ],
  ])("%s: code, message and exact offset", (_what, bytes, message, offset) => {
    expect(refusal(bytes)).toBe(`EXO_WASM_INVALID ${message} (at byte ${offset})`);
    expect(inspectModule(bytes).reasons[0]?.offset).toBe(offset);
  });

  test("a label that is not there", () => {
    expect(refusal(bodies(0, 0x0c, 9, 0x0b))).toMatch(/^EXO_WASM_INVALID there is no label 9 \(at byte 2[45]\)$/);
  });
});

describe("spec/refusals.md", () => {
  const page = readFileSync(new URL("../../spec/refusals.md", import.meta.url), "utf8");

  test("names every code of admission", () => {
    for (const code of ["SIZE", "INVALID", "FEATURE", "IMPORT", "EXPORT", "LIMIT"]) {
      expect(page).toMatch(new RegExp(`\\n\\| \`EXO_WASM_${code}\` +\\|`));
    }
  });

  test("has the message of every limit, and no other", () => {
    const lines = page.slice(page.indexOf("## Limits")).matchAll(/^\| `EXO_WASM_LIMIT` +\|[^|]+\|(.+)\|$/gm);
    const templates = [...lines].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text),
    );
    const patterns = templates.map(
      (text) =>
        new RegExp(
          `^${text
            .replaceAll(/\b[NM]\b/g, "\\d+")
            .replace("WHAT", "[a-z ]+?(?: entries)?")
            .replace(/ entries entries/, " entries")}$`,
        ),
    );
    const plain = (message: string): string => message.replace(/^EXO_WASM_LIMIT /, "").replace(/ \(at byte \d+\)$/, "");
    const seen = [
      ...cases.map(([, , message]) => message),
      ...[steps.bytes, frame.bytes].map((bytes) => plain(limitOf(bytes).message ?? "")),
      plain(refusal(assemble("(module (memory 65))"))),
      plain(refusal(assemble("(module (table 1001 funcref))"))),
      plain(refusal(assemble("(module)"), { memoryPages: -1 })),
    ];
    for (const message of seen) {
      expect(
        patterns.some((pattern) => pattern.test(message)),
        message,
      ).toBe(true);
    }
    const unseen = templates.filter((_, at) => !seen.some((message) => patterns[at]?.test(message)));
    // Takes a module of a quarter of a gigabyte to see.
    expect(unseen).toEqual(["the metered module would be larger than M bytes"]);
  });
});
