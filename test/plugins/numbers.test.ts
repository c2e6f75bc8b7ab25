import { describe, expect, test } from "vitest";
import { probe } from "./probe.js";

/** A small generator with a fixed seed (mulberry32), so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** f64 values of every magnitude: random bits, short decimals, products, powers of two and ten with their neighbours. */
function sample(): number[] {
  const random = generator(7);
  const words = new Uint32Array(2);
  const float = new Float64Array(words.buffer);
  const values: number[] = [];
  while (values.length < 12_000) {
    words[0] = random() * 4294967296;
    words[1] = random() * 4294967296;
    if (Number.isFinite(float[0])) values.push(float[0] as number);
  }
  for (let i = 0; i < 3000; i++)
    values.push(Math.round(random() * 1e9) / 10 ** (i % 12), random() * 10 ** (i % 30), random());
  for (let power = -1074; power <= 1023; power++) values.push(...around(2 ** power));
  for (let power = -323; power <= 308; power++) values.push(...around(Number(`1e${power}`)));
  return values;
}

function around(value: number): number[] {
  const float = new Float64Array([value]);
  const bits = new BigUint64Array(float.buffer);
  bits[0] = (bits[0] as bigint) + 1n;
  const above = float[0] as number;
  bits[0] = (bits[0] as bigint) - 2n;
  return [value, float[0] as number, above].filter(Number.isFinite);
}

function format(values: number[]): string[] {
  const { text } = probe("formatNumbers", new Uint8Array(new Float64Array(values).buffer));
  return text.split("\n").slice(0, -1);
}

function parse(texts: string[]): number[] {
  const { code, output } = probe("parseNumbers", texts.join("\n"));
  expect(code).toBe(0);
  return [...new Float64Array(output.slice().buffer)];
}

describe("formatting", () => {
  test("literal forms", () => {
    const values = [
      0, -0, 1, -1, 0.1, -1.5, 100, 1e21, 1.5e21, 123456789012345680000, 0.000001, 0.0000015, 1e-7, 5e-324,
      1.7976931348623157e308,
    ];
    expect(format(values)).toEqual([
      "0",
      "0",
      "1",
      "-1",
      "0.1",
      "-1.5",
      "100",
      "1e+21",
      "1.5e+21",
      "123456789012345680000",
      "0.000001",
      "0.0000015",
      "1e-7",
      "5e-324",
      "1.7976931348623157e+308",
    ]);
    expect(format([9007199254740991, 9007199254740992, 9007199254740994, 2 ** 70, NaN, Infinity, -Infinity])).toEqual([
      "9007199254740991",
      "9007199254740992",
      "9007199254740994",
      "1.1805916207174113e+21",
      "NaN",
      "Infinity",
      "-Infinity",
    ]);
  });

  test("the same text as ECMAScript for tens of thousands of values", () => {
    const values = sample();
    const texts = format(values);
    expect(values.length).toBeGreaterThan(25_000);
    expect(texts).toEqual(values.map((value) => String(value)));
  });
});

describe("parsing", () => {
  test("every formatted value reads back as itself", () => {
    const values = sample();
    expect(parse(values.map((value) => String(value)))).toEqual(values);
    expect(parse(values.map((value) => value.toExponential(20)))).toEqual(
      values.map((value) => Number(value.toExponential(20))),
    );
  });

  test("decimals that lie on or beside a midpoint round as ECMAScript rounds them", () => {
    const random = generator(11);
    const texts = [
      "9007199254740993",
      "9007199254740993.0000000000000000000000000000001",
      "9007199254740992.9999999999999999999999999",
      "2.4703282292062327208e-324",
      "2.4703282292062328e-324",
      "1.7976931348623158e308",
      "1.7976931348623159e308",
      "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
      `0.${"0".repeat(400)}1e400`,
      `1${"0".repeat(400)}e-400`,
      `${"1".repeat(900)}e-880`,
      `1${"0".repeat(800)}1e-801`,
      `0.5${"0".repeat(900)}1`,
      `4503599627370496.5${"0".repeat(780)}1`,
      "4503599627370496.5",
      "4503599627370497.5",
      // 19 digits and exponents to 27: midpoints of the 128-bit ways
      "9007199254740993e0",
      "9007199254740995000e-3",
      "9007199254740993000e-3",
      "9007199254740993001e-3",
      "1152921504606847104e1",
      "1152921504606846848",
      "9999999999999999999e27",
      "9999999999999999999e-27",
      "1000000000000000001e27",
      // quotients whose first 64 bits lie on a midpoint: only the remainder tells
      "1365979890099266738e-27",
      "962621713946858811e-21",
      "416160371599422876e-5",
      "1861023520313968384e-6",
      "298570097558217510e-19",
    ];
    for (let i = 0; i < 6000; i++) {
      let digits = "";
      // Short ones with small exponents are what tables hold; the others go the long way round.
      const length = 1 + Math.floor(random() * (i % 2 === 0 ? 19 : 40));
      for (let j = 0; j < length; j++) digits += Math.floor(random() * 10);
      const point = Math.floor(random() * (length + 1));
      texts.push(
        `${digits.slice(0, point)}.${digits.slice(point)}e${Math.floor(random() * (i % 2 === 0 ? 50 : 700)) - (i % 2 === 0 ? 25 : 350)}`,
      );
    }
    expect(parse(texts)).toEqual(texts.map((text) => Number(text)));
  });

  test("signs, points and exponents", () => {
    expect(
      parse([
        "+5",
        "-5",
        "5.",
        ".5",
        "-.5e+1",
        "1E3",
        "007",
        "-0",
        "0e99999999999",
        "1e99999999999",
        "-1e400",
        "1e-99999999999",
      ]),
    ).toEqual([5, -5, 5, 0.5, -5, 1000, 7, -0, 0, Infinity, -Infinity, 0]);
  });

  test("what is not a number", () => {
    const texts = [
      "",
      "-",
      "+",
      ".",
      "e5",
      "1e",
      "1e+",
      "1.2.3",
      "1,5",
      " 1",
      "1 ",
      "0x10",
      "1e5.5",
      "--1",
      "NaN",
      "Infinity",
      "1_000",
      "١",
      "1e 5",
      "5f",
    ];
    expect(parse(texts).every(Number.isNaN)).toBe(true);
  });
});
