import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalize, canonicalText } from "../../src/canonical/jcs.js";
import { parseCanonical, readJson } from "../../src/canonical/read.js";
import { codeOf } from "./helpers.js";

const folder = new URL("../vectors/jcs/", import.meta.url);
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, folder)));

describe("the documents published with RFC 8785", () => {
  const names = readdirSync(new URL("input/", folder));

  test("are all there", () => {
    expect(names.sort()).toEqual("arrays french structures unicode values weird".split(" ").map((n) => `${n}.json`));
  });

  test.each(names)("%s", (name) => {
    const [input, output] = [bytesOf(`input/${name}`), bytesOf(`output/${name}`)];
    const value = readJson(input);
    expect(canonicalize(value)).toEqual(output);
    expect(parseCanonical(output)).toEqual(value);
    expect(codeOf(() => parseCanonical(input))).toBe("EXO_JSON_NOT_CANONICAL");
  });
});

describe("the number file published with RFC 8785", () => {
  type Numbers = { bits: string[]; sha256: Record<string, string> };
  const { bits, sha256 } = JSON.parse(new TextDecoder().decode(bytesOf("numbers.json"))) as Numbers;
  const view = new DataView(new ArrayBuffer(8));
  const fromBits = (word: bigint): number => {
    view.setBigUint64(0, word);
    return view.getFloat64(0);
  };
  const toBits = (value: number): string => {
    view.setFloat64(0, value);
    return view.getBigUint64(0).toString(16);
  };

  function* sequence(): Generator<number> {
    for (const word of bits) yield fromBits(BigInt(`0x${word}`));
    for (let n = 0n; n < 2000n; n += 1n) yield fromBits(0x0010_0000_0000_0000n + n);
    for (let block = Buffer.alloc(32); ; ) {
      block = createHash("sha256").update(block).digest();
      for (let at = 0; at < 32; at += 8) {
        const value = block.readDoubleLE(at);
        if (value !== 0 && Number.isFinite(value)) yield value;
      }
    }
  }

  /** What canonical bytes have no form for: -0, and integers in digits that not every reader keeps (spec/canonical-bytes.md). */
  const refused = (value: number): boolean =>
    Object.is(value, -0) || (Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21);

  test("has the published hash after 1,000, 10,000 and 100,000 lines, each number written here or refused", () => {
    const hash = createHash("sha256");
    let lines = 0;
    let refusals = 0;
    for (const value of sequence()) {
      let text = String(value);
      if (refused(value)) {
        expect(codeOf(() => canonicalText(value))).toBe("EXO_JSON_NUMBER");
        refusals += 1;
      } else text = canonicalText(value);
      hash.update(`${toBits(value)},${text}\n`);
      lines += 1;
      if (sha256[lines] !== undefined) expect(hash.copy().digest("hex")).toBe(sha256[lines]);
      if (lines === 100_000) break;
    }
    expect(lines).toBe(100_000);
    expect(refusals).toBeGreaterThan(10);
  });
});
