import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inspectModule } from "../../src/wasm/inspect.js";
import { binary, leb, oneFunction, refusal } from "./support.js";

/** Offset of the first entry of a module's only section, and of the first instruction of `oneFunction`. */
const entry = 11;
const body = 30;

/** What a refusal must say: bytes, what follows the feature's name, offset. */
type Case = readonly [what: string, bytes: Uint8Array, detail: string, offset: number];

/** A function of these instructions; the refused one is the last. */
const code = (...bytes: readonly number[]): Uint8Array => oneFunction([0, ...bytes, 0x0b]);
/** Opcode cases: each alone in a function, followed by bytes enough for its immediates. */
const opcodes = (...bytes: readonly number[]): Case[] =>
  bytes.map((byte) => [`0x${byte.toString(16)}`, code(byte, 0, 0), `, opcode 0x${byte.toString(16)}`, body]);
const prefixed = (prefix: number, ...subs: readonly number[]): Case[] =>
  subs.map((sub) => [
    `0x${prefix.toString(16)} ${sub}`,
    code(prefix, ...leb(sub), 0, 0),
    `, opcode 0x${prefix.toString(16)} ${sub}`,
    body,
  ]);
const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A value type in every place that can hold one. */
function valueType(type: number): Case[] {
  const detail = `, value type 0x${type.toString(16)}`;
  return [
    ["parameter", binary([1, [1, 0x60, 1, type, 0]]), detail, entry + 2],
    ["result", binary([1, [1, 0x60, 0, 1, type]]), detail, entry + 3],
    ["global", binary([6, [1, type, 0, 0x41, 0, 0x0b]]), detail, entry],
    ["imported global", binary([2, [1, 1, 0x6d, 1, 0x6e, 3, type, 0]]), detail, entry + 5],
    ["local", oneFunction([1, 1, type, 0x0b]), detail, body + 1],
    ["select", code(0x1c, 1, type), detail, body + 2],
  ];
}

/** A reference type that is none of the two admitted ones. */
function referenceType(type: number): Case[] {
  const detail = `, reference type 0x${type.toString(16)}`;
  return [
    ["table", binary([4, [1, type, 0, 1]]), detail, entry],
    ["imported table", binary([2, [1, 1, 0x6d, 1, 0x6e, 1, type, 0, 1]]), detail, entry + 5],
    ["ref.null", code(0xd0, type, 0x1a), detail, body + 1],
    ["ref.null in an initialiser", binary([6, [1, 0x70, 0, 0xd0, type, 0x0b]]), detail, entry + 3],
    ["element segment", binary([9, [1, 5, type, 0]]), detail, entry + 1],
  ];
}

/** Limits of a memory, a table, and of both when imported. */
function limits(flags: number): Case[] {
  const shown = `limits 0x${flags.toString(16)}`;
  return [
    ["memory", binary([5, [1, flags, 1, 2]]), `, memory ${shown}`, entry],
    ["table", binary([4, [1, 0x70, flags, 1, 2]]), `, table ${shown}`, entry + 1],
    ["imported memory", binary([2, [1, 1, 0x6d, 1, 0x6e, 2, flags, 1, 2]]), `, memory ${shown}`, entry + 5],
    ["imported table", binary([2, [1, 1, 0x6d, 1, 0x6e, 1, 0x70, flags, 1, 2]]), `, table ${shown}`, entry + 6],
  ];
}

const typeForm = (form: number): Case => [
  `type form 0x${form.toString(16)}`,
  binary([1, [1, form, 0, 0]]),
  `, type form 0x${form.toString(16)}`,
  entry,
];

const initialiser = (what: string, ...bytes: readonly number[]): Case => [
  what,
  binary([6, [1, 0x7f, 0, ...bytes, 0x0b]]),
  ", in an initialiser",
  entry + 2,
];

const secondMemory = ", an instruction names a second memory";

/** Every feature that is refused by its name, in the order of spec/refusals.md. */
const features: Readonly<Record<string, readonly Case[]>> = {
  threads: [
    ...[2, 3].flatMap(limits),
    ["shared global", binary([6, [1, 0x7f, 2, 0x41, 0, 0x0b]]), ", global flags 0x2", entry + 1],
    ["shared mutable global", binary([6, [1, 0x7f, 3, 0x41, 0, 0x0b]]), ", global flags 0x3", entry + 1],
    ...prefixed(0xfe, ...range(0, 0x4e), 0x7f, 0x80, 4_294_967_295),
  ],
  "relaxed SIMD": prefixed(0xfd, ...range(0x100, 0x113), 0x114, 0x1ff, 4_294_967_295),
  exceptions: [
    ["tag section", binary([13, [1, 0, 0]]), ", tag section", 8],
    ["exported tag", binary([7, [1, 1, 0x66, 4, 0]]), `, exported tag "f"`, entry + 2],
    ...opcodes(0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f),
    ...valueType(0x69),
    ...referenceType(0x74),
  ],
  "tail calls": opcodes(0x12, 0x13),
  "garbage collection": [
    ...opcodes(0xd3),
    ...prefixed(0xfb, ...range(0, 30), 31, 4_294_967_295),
    ...[0x77, 0x78, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73].flatMap(valueType),
    ...referenceType(0x6b),
    ...[0x4e, 0x4f, 0x50, 0x5e, 0x5f].map(typeForm),
    initialiser("a structure in an initialiser", 0xfb, 0, 0),
  ],
  "typed function references": [
    ...opcodes(0x14, 0x15, 0xd4, 0xd5, 0xd6),
    ...[0x63, 0x64].flatMap(valueType),
    ...referenceType(0x64),
    [
      "table with an initialiser",
      binary([4, [1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b]]),
      ", table initialiser",
      entry,
    ],
  ],
  memory64: [4, 5, 6, 7].flatMap(limits),
  "multi-memory": [
    ["two memories", binary([5, [2, 0, 1, 0, 1]]), ", more than one memory", entry - 1],
    ["data segment", binary([11, [1, 2, 1, 0x41, 0, 0x0b, 0]]), ", a data segment names a second memory", entry],
    ["load", code(0x41, 0, 0x28, 0x42, 1, 0, 0x1a), secondMemory, body + 3],
    ["store", code(0x41, 0, 0x41, 0, 0x36, 0x40, 1, 0), secondMemory, body + 5],
    ["memory.size", code(0x3f, 1, 0x1a), secondMemory, body + 1],
    ["memory.grow", code(0x41, 0, 0x40, 1, 0x1a), secondMemory, body + 3],
    ["memory.init", code(0xfc, 8, 0, 1), secondMemory, body + 3],
    ["memory.copy from", code(0xfc, 10, 0, 1), secondMemory, body + 3],
    ["memory.copy to", code(0xfc, 10, 1, 0), secondMemory, body + 2],
    ["memory.fill", code(0xfc, 11, 1), secondMemory, body + 2],
  ],
  "custom page sizes": [8, 9, 0x0c].flatMap(limits),
  "stack switching": opcodes(...range(0xe0, 0xe6)),
  "wide arithmetic": prefixed(0xfc, 19, 20, 21, 22),
  "memory control": prefixed(0xfc, 18),
  "table.grow": prefixed(0xfc, 15),
  "extended constant expressions": [
    ["global", binary([6, [1, 0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b]]), "", entry + 4],
    ["data offset", binary([11, [1, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b, 0]]), "", entry + 3],
    ["element offset", binary([9, [1, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b, 0]]), "", entry + 3],
  ],
  "an initialiser that reads a global": [
    ["global", binary([6, [2, 0x7f, 0, 0x41, 1, 0x0b, 0x7f, 0, 0x23, 0, 0x0b]]), "", entry + 7],
    ["data offset", binary([11, [1, 0, 0x23, 0, 0x0b, 0]]), "", entry + 1],
    ["element offset", binary([9, [1, 0, 0x23, 0, 0x0b, 0]]), "", entry + 1],
    ["element", binary([9, [1, 5, 0x70, 1, 0x23, 0, 0x0b]]), "", entry + 3],
  ],
  "an unknown instruction": [
    ...opcodes(0x16, 0x17, 0x1d, 0x1e, 0x27, ...range(0xc5, 0xcf), ...range(0xd7, 0xdf), ...range(0xe7, 0xfa), 0xff),
    ...prefixed(0xfc, 23, 24, 255, 256, 300, 4_000_000_000),
    // Numbers between those of SIMD.
    ...prefixed(0xfd, 0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf),
    ...prefixed(0xfd, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee),
    initialiser("a call in an initialiser", 0x10, 0),
  ],
  "an unknown type": [
    ...[
      ...range(0x00, 0x4d),
      ...range(0x51, 0x5d),
      0x60,
      0x61,
      0x62,
      ...range(0x65, 0x68),
      0x75,
      0x76,
      0x79,
      0x7a,
      ...range(0x80, 0xff),
    ].map((type): Case => valueType(type)[0] as Case),
    ...[0x00, 0x40, 0x5d, 0x61, 0x7f, 0xff].map(typeForm),
  ],
  "an unknown limit": [0x10, 0x11, 0x20, 0x40, 0x80].flatMap(limits),
  "an unknown global form": [4, 8, 0x80].map((flags): Case => {
    const detail = `, global flags 0x${flags.toString(16)}`;
    return [detail, binary([6, [1, 0x7f, flags, 0x41, 0, 0x0b]]), detail, entry + 1];
  }),
  section: range(14, 255).map((id): Case => [`${id}`, binary([id, [0]]), ` ${id}`, 8]),
};

/** `refusal`, and the offset the report gives for it. */
function reasonOf(bytes: Uint8Array): { readonly text: string; readonly offset: number | undefined } {
  return { text: refusal(bytes), offset: inspectModule(bytes).reasons[0]?.offset };
}

describe("features that are refused by name", () => {
  for (const [feature, cases] of Object.entries(features)) {
    test(`${feature}: code, name and exact offset of ${cases.length}`, () => {
      for (const [what, bytes, detail, offset] of cases) {
        const text = `EXO_WASM_FEATURE not admitted: ${feature}${detail} (at byte ${offset})`;
        expect(reasonOf(bytes), what).toEqual({ text, offset });
      }
    });
  }

  test("in code that cannot be reached as well, behind every way of ending a block", () => {
    const endings = [[0x00], [0x0c, 0], [0x0f], [0x41, 0, 0x0e, 0, 0]];
    for (const ending of endings) {
      expect(refusal(code(...ending, 0xfe, 3, 0))).toBe(
        `EXO_WASM_FEATURE not admitted: threads, opcode 0xfe 3 (at byte ${body + ending.length})`,
      );
    }
    expect(refusal(code(0x00, 0x02, 0x40, 0x03, 0x40, 0x12, 0, 0x0b, 0x0b))).toBe(
      `EXO_WASM_FEATURE not admitted: tail calls, opcode 0x12 (at byte ${body + 5})`,
    );
  });

  test("and named rather than the engine's bare no, wherever they stand", () => {
    expect(refusal(binary([5, [1, 3, 1, 2]], [7, [1, 1, 0x66, 0, 9]]))).toBe(
      `EXO_WASM_FEATURE not admitted: threads, memory limits 0x3 (at byte ${entry})`,
    );
  });

  test("with an opcode that is written longer than need be", () => {
    expect(refusal(code(0xfe, 0x83, 0x80, 0x00, 0, 0))).toBe(
      `EXO_WASM_FEATURE not admitted: threads, opcode 0xfe 3 (at byte ${body})`,
    );
    expect(refusal(code(0xfd, 0x80, 0x82, 0x80, 0x00))).toBe(
      `EXO_WASM_FEATURE not admitted: relaxed SIMD, opcode 0xfd 256 (at byte ${body})`,
    );
    expect(refusal(code(0xfd, 0x80, 0x82, 0x80, 0x80, 0x80, 0x00))).toBe(
      `EXO_WASM_INVALID a number is longer than 32 bits (at byte ${body + 5})`,
    );
  });

  /** Reasons of an opcode alone in a function. */
  const refusedHere = (...bytes: readonly number[]): boolean =>
    inspectModule(code(...bytes, ...Array<number>(20).fill(0))).reasons.some(
      ({ code: name, offset }) => name === "EXO_WASM_FEATURE" && offset === body,
    );

  test("no byte is forgotten: every opcode is admitted or in the list above", () => {
    const listed = new Set(Object.values(features).flatMap((cases) => cases.map(([what]) => what)));
    const forgotten: string[] = [];
    for (const byte of range(0, 255).filter((one) => one < 0xfb || one === 0xff)) {
      const name = `0x${byte.toString(16)}`;
      if (refusedHere(byte) !== listed.has(name)) forgotten.push(name);
    }
    for (const [prefix, last] of [
      [0xfb, 31],
      [0xfc, 24],
      [0xfd, 0x114],
      [0xfe, 0x4e],
    ] as const) {
      for (const sub of range(0, last)) {
        const name = `0x${prefix.toString(16)} ${sub}`;
        if (refusedHere(prefix, ...leb(sub)) !== listed.has(name)) forgotten.push(name);
      }
    }
    expect(forgotten).toEqual([]);
  });

  test("no type is forgotten: every byte is admitted or refused where it stands", () => {
    const admitted = range(0, 255).filter((type) => {
      const [first] = inspectModule(binary([1, [1, 0x60, 1, type, 0]])).reasons;
      expect(first === undefined || first.offset === entry + 2, `0x${type.toString(16)}`).toBe(true);
      return first === undefined;
    });
    expect(admitted).toEqual([0x6f, 0x70, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f]);
  });
});

describe("spec/refusals.md", () => {
  const page = readFileSync(new URL("../../spec/refusals.md", import.meta.url), "utf8");
  const cells = (line: string): string[] => line.split("|").map((cell) => cell.trim());
  const rows = page
    .split("\n")
    .map(cells)
    .filter((row) => row.length > 3);

  test("has a row for every feature, and none that is not tested", () => {
    const named = rows
      .filter((row) => row[1] === "`EXO_WASM_FEATURE`" && row[2] !== "a feature below")
      .map((row) => (row[2] ?? "").replaceAll("`", ""));
    expect(named).toEqual(Object.keys(features).map((feature) => (feature === "section" ? "section N" : feature)));
  });
});
