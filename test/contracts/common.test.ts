import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  actionSchema,
  base64Schema,
  countSchema,
  digestSchema,
  keyIdSchema,
  nameSchema,
  parseContract,
  pointerOf,
  pointerSchema,
  saltSchema,
  timeSchema,
  ulidSchema,
} from "../../src/contracts/common.js";

const good = (schema: z.ZodType, values: readonly unknown[]): void => {
  for (const value of values) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(true);
};
const bad = (schema: z.ZodType, values: readonly unknown[]): void => {
  for (const value of values) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);
};

describe("building blocks", () => {
  test("names", () => {
    good(nameSchema, ["a", "x".repeat(200), "Ünïcode", "a b", "a/b", "日本", "__proto__"]);
    bad(nameSchema, [
      "",
      " a",
      "a ",
      "a\nb",
      "a\u0000",
      "\t",
      "\u007f",
      "x\u0085y",
      "x".repeat(201),
      1,
      null,
      undefined,
      ["a"],
    ]);
  });

  test("digests", () => {
    good(digestSchema, [`sha256:${"0".repeat(64)}`, `sha256:${"a1".repeat(32)}`]);
    bad(digestSchema, [
      `sha256:${"A".repeat(64)}`,
      `sha256:${"0".repeat(63)}`,
      `sha256:${"0".repeat(65)}`,
      `sha512:${"0".repeat(64)}`,
      "0".repeat(64),
      `sha256:${"0".repeat(64)}\n`,
      ` sha256:${"0".repeat(64)}`,
    ]);
  });

  test("ULIDs", () => {
    good(ulidSchema, ["01HZZZZZZZZZZZZZZZZZZZZZZZ", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0".repeat(26)]);
    bad(ulidSchema, [
      "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
      "01hzzzzzzzzzzzzzzzzzzzzzzz",
      "01HZZZZZZZZZZZZZZZZZZZZZZI",
      "",
      "0".repeat(25),
      "0".repeat(27),
      `${"0".repeat(26)}\n`,
    ]);
  });

  test("times", () => {
    good(timeSchema, ["2026-01-31T09:00:00.000Z", "9999-12-31T23:59:59.999Z"]);
    bad(timeSchema, [
      "2026-01-31T09:00:00Z",
      "2026-01-31 09:00:00.000Z",
      "2026-01-31T09:00:00.000+00:00",
      "2026-13-01T00:00:00.000Z",
      "2026-00-01T00:00:00.000Z",
      "2026-01-32T00:00:00.000Z",
      "2026-01-31T24:00:00.000Z",
      "2026-01-31T23:60:00.000Z",
      "2026-01-31T23:59:60.000Z",
      "2026-01-31t09:00:00.000z",
      1_769_850_000_000,
    ]);
  });

  test("salts, key ids, base64, counts", () => {
    good(saltSchema, ["A".repeat(43), `${"-_0a".repeat(10)}xyz`]);
    bad(saltSchema, ["A".repeat(42), "A".repeat(44), `${"A".repeat(42)}=`, `${"A".repeat(42)}+`]);
    good(keyIdSchema, ["0123456789abcdef0123456789abcdef"]);
    bad(keyIdSchema, ["0123456789ABCDEF0123456789ABCDEF", "0".repeat(31), "0".repeat(33)]);
    good(base64Schema, ["", "AA==", "AAA=", "AAAA", "+/+/"]);
    bad(base64Schema, ["A", "AA", "AA=", "A===", "-_==", "AA==\n", "AA==AA=="]);
    good(countSchema, [0, 1, 2 ** 53 - 1]);
    bad(countSchema, [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "1", null]);
  });

  test("actions and pointers", () => {
    good(actionSchema, ["fs.remove", "a.b.c", "table-stats.run_1", "0.1"]);
    bad(actionSchema, ["fs", "fs.", ".fs", "fs..remove", "Fs.remove", "fs.*", "fs remove", "", "ä.b", "fs.remove\n"]);
    good(pointerSchema, ["/path", "/a/b", "/~0~1", "/", "//", "/ä"]);
    bad(pointerSchema, ["", "path", "/~", "/~2", "#/path", "/a~"]);
  });
});

describe("parseContract", () => {
  const schema = z.strictObject({ name: nameSchema, list: z.array(countSchema).optional() });

  test("gives the document", () => {
    expect(parseContract(schema, { name: "a", list: [1] }, "thing")).toEqual({ name: "a", list: [1] });
  });

  test.each([
    [{ name: "" }, "/name"],
    [{ name: "a", list: [1, -1] }, "/list/1"],
    [{ name: "a", more: 1 }, ""],
    [{}, "/name"],
    [[], ""],
    ["x", ""],
    [null, ""],
  ])("%j is refused with its pointer %j", (value, pointer) => {
    try {
      parseContract(schema, value, "thing", { file: "a.json" });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "EXO_SCHEMA", place: { file: "a.json", pointer } });
      expect(String(error)).toContain("thing");
    }
  });

  test("a schema that would change the document is refused", () => {
    const trimming = z.strictObject({ name: z.string().trim() });
    expect(() => parseContract(trimming, { name: " a" }, "thing")).toThrow(
      expect.objectContaining({ code: "EXO_SCHEMA" }),
    );
    const dropping = z.object({ name: z.string() });
    expect(() => parseContract(dropping, { name: "a", extra: 1 }, "thing")).toThrow(
      expect.objectContaining({ code: "EXO_SCHEMA" }),
    );
    const defaulting = z.object({ name: z.string(), on: z.boolean().default(true) });
    expect(() => parseContract(defaulting, { name: "a" }, "thing")).toThrow(
      expect.objectContaining({ code: "EXO_SCHEMA" }),
    );
  });

  test("__proto__ cannot be smuggled past a record", () => {
    const record = z.record(z.string(), z.number());
    expect(() => parseContract(record, JSON.parse('{"__proto__":1}'), "thing")).toThrow(
      expect.objectContaining({ code: "EXO_JSON_FORBIDDEN_KEY" }),
    );
  });

  test("pointers are escaped", () => {
    expect(pointerOf(["a/b", "c~d", 0])).toBe("/a~1b/c~0d/0");
    expect(pointerOf([])).toBe("");
  });
});
