import { describe, expect, test } from "vitest";
import { inspectModule } from "../../src/wasm/inspect.js";
import { sealModule } from "../../src/wasm/seal.js";
import { programs } from "../wasm/corpus.js";
import { assemble, binary, defaults, isValid, leb, oneFunction, seal } from "../wasm/support.js";

/** The property every input must satisfy. True when the module was admitted. */
function check(bytes: Uint8Array): boolean {
  const copy = bytes.slice();
  const result = sealModule(bytes, defaults);
  expect(bytes.every((byte, index) => byte === copy[index])).toBe(true);
  const report = inspectModule(bytes, defaults);
  expect(report.admitted).toBe(result.ok);
  const code = result.ok ? "admitted" : result.error.code;
  expect(code).toMatch(/^(?:admitted|EXO_WASM_(?:SIZE|INVALID|FEATURE|IMPORT|EXPORT|LIMIT))$/);
  expect(report.reasons[0]?.message).toBe(result.ok ? undefined : result.error.message);
  expect(!result.ok || (isValid(bytes) && isValid(result.value.bytes))).toBe(true);
  return result.ok;
}

/** Linear congruential generator: the same rounds on every run. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const corpus = programs.map(({ source }) => assemble(source));

describe("damaged modules", () => {
  test("cut off after every byte", () => {
    for (const bytes of corpus.filter(({ length }) => length < 700)) {
      for (let length = 0; length < bytes.length; length += 1) {
        check(bytes.slice(0, length));
      }
      expect(check(bytes)).toBe(true);
    }
  });

  test("2,000 random changes of one to four bytes", () => {
    const next = generator(20_260_131);
    let admitted = 0;
    for (let round = 0; round < 2000; round += 1) {
      const bytes = (corpus[next(corpus.length)] as Uint8Array).slice();
      for (let change = next(4); change >= 0; change -= 1) {
        bytes[next(bytes.length)] = next(256);
      }
      admitted += Number(check(bytes));
    }
    expect(admitted).toBeGreaterThan(50);
  });

  test("2,000 insertions, deletions and repetitions", () => {
    const next = generator(7);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = corpus[next(corpus.length)] as Uint8Array;
      const from = next(bytes.length);
      const to = Math.min(bytes.length, from + next(20));
      const middle = [[], [next(256)], [...bytes.slice(from, to), ...bytes.slice(from, to)]][next(3)] as number[];
      check(Uint8Array.from([...bytes.slice(0, from), ...middle, ...bytes.slice(to)]));
    }
  });

  test("noise behind a right header", () => {
    const next = generator(99);
    for (let round = 0; round < 500; round += 1) {
      check(
        Uint8Array.from([
          0,
          0x61,
          0x73,
          0x6d,
          1,
          0,
          0,
          0,
          ...Array.from({ length: next(60) }, () => next(next(2) ? 16 : 256)),
        ]),
      );
    }
  });

  test("a sealed module is not sealed again", () => {
    for (const bytes of corpus) {
      const again = sealModule(seal(bytes).bytes, defaults);
      expect(again).toMatchObject({ ok: false, error: { code: "EXO_WASM_EXPORT" } });
    }
  });
});

describe("hostile numbers", () => {
  const huge = leb(0xffff_ffff);

  test.each([
    ["types", binary([1, huge])],
    ["parameters", binary([1, [1, 0x60, ...huge]])],
    ["results", binary([1, [1, 0x60, 0, ...huge]])],
    ["imports", binary([2, huge])],
    ["an import's name", binary([2, [1, ...huge, 0x61]])],
    ["functions", binary([1, [1, 0x60, 0, 0]], [3, huge])],
    ["tables", binary([5, huge])],
    ["a table", binary([5, [1, 0x70, 0, ...huge]])],
    ["a memory", binary([5, [1, 0, ...huge]])],
    ["memories", binary([5, huge])],
    ["globals", binary([6, huge])],
    ["exports", binary([7, huge])],
    ["elements", binary([9, huge])],
    ["element entries", binary([5, [1, 0x70, 0, 1]], [9, [1, 0, 0x41, 0, 0x0b, ...huge]])],
    ["data segments", binary([11, huge])],
    ["data bytes", binary([5, [1, 0, 1]], [11, [1, 0, 0x41, 0, 0x0b, ...huge]])],
    ["the data count", binary([12, huge])],
    ["bodies", binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, huge])],
    ["a body", binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, ...huge, 0]])],
    ["local groups", oneFunction([...huge, 0x0b])],
    ["locals of one group", oneFunction([1, ...huge, 0x7e, 0x0b])],
    ["locals of two groups", oneFunction([2, ...huge, 0x7e, ...huge, 0x7f, 0x0b])],
    ["br_table labels", oneFunction([0, 0x41, 0, 0x0e, ...huge, 0, 0x0b])],
    ["a label", oneFunction([0, 0x0c, ...huge, 0x0b])],
    ["a local index", oneFunction([0, 0x20, ...huge, 0x1a, 0x0b])],
    ["a function index", oneFunction([0, 0x10, ...huge, 0x0b])],
    ["a block type", oneFunction([0, 0x02, ...huge, 0x0b, 0x0b])],
    ["a select type", oneFunction([0, 0x1c, ...huge, 0x0b])],
    ["a section", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, ...huge)],
    ["the start function", binary([8, huge])],
    ["an exported index", binary([7, [1, 1, 0x66, 0, ...huge]])],
    ["a number of six bytes", binary([1, [0x80, 0x80, 0x80, 0x80, 0x80, 0]])],
    ["a number of 33 bits", binary([1, [0xff, 0xff, 0xff, 0xff, 0x1f]])],
    ["an endless number", oneFunction([0, 0x42, ...Array.from({ length: 40 }, () => 0x80), 0, 0x1a, 0x0b])],
    ["an i32 of 33 bits", oneFunction([0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a, 0x0b])],
  ])("%s", (_, bytes) => {
    expect(check(bytes)).toBe(false);
  });

  test("numbers written longer than need be are the standard's, and pass", () => {
    const padded = binary(
      [1, [0x81, 0x80, 0x00, 0x60, 0x80, 0x00, 0x80, 0x00]],
      [3, [1, 0x80, 0x80, 0x80, 0x80, 0x00]],
      [7, [1, 1, 0x66, 0, 0x80, 0x00]],
      [10, [0x81, 0x00, 0x88, 0x00, 0, 0x41, 0x80, 0x80, 0x00, 0x1a, 0x01, 0x0b]],
    );
    expect(check(padded)).toBe(true);
    expect(seal(padded).exports).toEqual(["f"]);
  });
});

describe("size and time", () => {
  test("100 MB of junk is refused at once", () => {
    const junk = new Uint8Array(100_000_000).fill(0x5a);
    const started = performance.now();
    expect(sealModule(junk, defaults)).toMatchObject({ ok: false, error: { code: "EXO_WASM_SIZE" } });
    expect(sealModule(junk, { ...defaults, maxBytes: 200_000_000 })).toMatchObject({
      ok: false,
      error: { code: "EXO_WASM_INVALID" },
    });
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test.each([
    [
      "empty custom sections",
      () =>
        Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...Array.from({ length: 200_000 }, () => [0, 1, 0]).flat()]),
    ],
    [
      "50,000 empty functions",
      () =>
        binary(
          [1, [1, 0x60, 0, 0]],
          [3, [...leb(50_000), ...Array<number>(50_000).fill(0)]],
          [10, [...leb(50_000), ...Array.from({ length: 50_000 }, () => [2, 0, 0x0b]).flat()]],
        ),
    ],
    [
      "one long chain of br_if",
      () => oneFunction([0, ...Array.from({ length: 60_000 }, () => [0x41, 0, 0x0d, 0]).flat(), 0x0b]),
    ],
    [
      "9,000 nested blocks with a br_table over all",
      () =>
        oneFunction([
          0,
          ...Array.from({ length: 9000 }, () => [2, 0x40]).flat(),
          0x41,
          0,
          0x0e,
          ...leb(9000),
          ...Array.from({ length: 9001 }, (_, label) => leb(label)).flat(),
          ...Array.from({ length: 9001 }, () => 0x0b),
        ]),
    ],
    [
      "200,000 dead blocks",
      () => oneFunction([0, 0, ...Array.from({ length: 200_000 }, () => [2, 0x40, 0x0b]).flat(), 0x0b]),
    ],
    [
      "65,000 exports of one function",
      () =>
        binary(
          [1, [1, 0x60, 0, 0]],
          [3, [1, 0]],
          [
            7,
            [
              ...leb(65_000),
              ...Array.from({ length: 65_000 }, (_, index) => [
                5,
                ...new TextEncoder().encode(String(10_000 + index)),
                0,
                0,
              ]).flat(),
            ],
          ],
          [10, [1, 2, 0, 0x0b]],
        ),
    ],
  ])("time stays in proportion: %s", (_, make) => {
    const bytes = make();
    const started = performance.now();
    check(bytes);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("bytes in shared memory are read once", () => {
    const bytes = corpus[0] as Uint8Array;
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(seal(shared).digest).toBe(seal(bytes).digest);
  });
});
