import { describe, expect, test } from "vitest";
import {
  configuredSecretsSchema,
  secretBindingSchema,
  secretFault,
  secretNameSchema,
} from "../../src/contracts/secret.js";

const origin = { scheme: "https", host: "api.example.com", port: 443 } as const;
const bound = { from: "vault", origin, header: "authorization" } as const;

const messagesOf = (secrets: unknown): string =>
  (configuredSecretsSchema.safeParse(secrets).error?.issues ?? [])
    .map(({ path, message }) => `/${path.join("/")}: ${message}`)
    .join("; ");

describe("secrets of config.json", () => {
  test("name where the value is kept, one origin and one place", () => {
    expect(
      messagesOf({ TOKEN: bound, "A-b_1": { from: "vault", origin, body: "/a/0/b~1c" }, P: { ...bound, from: "env" } }),
    ).toBe("");
  });

  test.each([
    ["two places", { A: { ...bound, body: "/a" } }, '/A: expected one of "header" and "body"'],
    ["no place", { A: { from: "vault", origin } }, '/A: expected one of "header" and "body"'],
    ["no origin", { A: { from: "vault", header: "a" } }, "/A/origin"],
    ["an origin with a path", { A: { ...bound, origin: { ...origin, path: "/" } } }, "/A/origin"],
    ["a wildcard", { A: { ...bound, origin: { ...origin, host: "*.example.com" } } }, "/A/origin/host"],
    ["another scheme", { A: { ...bound, origin: { ...origin, scheme: "ftp" } } }, "/A/origin/scheme"],
    ["a header in upper case", { A: { ...bound, header: "Authorization" } }, "/A/header"],
    ["the whole body", { A: { from: "vault", origin, body: "" } }, "/A/body"],
    ["nowhere to read it", { A: { origin, header: "a" } }, "/A/from"],
    ["a value", { A: { ...bound, value: "x" } }, "/A"],
    ["a name with a blank", { "A B": bound }, "/A B"],
    ["a name no environment has", { "A-B": { ...bound, from: "env" } }, "expected names without -"],
  ])("with %s are refused", (_, secrets, message) => {
    expect(messagesOf(secrets)).toContain(message);
  });

  test.each(["", "1A", "_A", "-A", "A ", "A}}", "Ä", "A.B", "x".repeat(101)])("no secret is called %j", (name) => {
    expect(secretNameSchema.safeParse(name).success).toBe(false);
  });

  test("a binding without a home has no from", () => {
    expect(secretBindingSchema.safeParse({ origin, header: "a" }).success).toBe(true);
    expect(secretBindingSchema.safeParse(bound).success).toBe(false);
  });
});

describe("a value", () => {
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  const header = { origin, header: "a" };
  test.each([
    ["8 bytes", bytes("12345678"), header, undefined],
    ["blanks inside", bytes("Basic 12 34"), header, undefined],
    ["two lines in a body", bytes("12345678\n12345678"), { origin, body: "/a" }, undefined],
    ["7 bytes", bytes("1234567"), header, "has 7 bytes"],
    ["4,097 bytes", bytes("x".repeat(4097)), header, "has 4097 bytes"],
    ["a line break at its end", bytes("12345678\n"), header, "expected printable ASCII on one line"],
    ["a carriage return", bytes("1234\r5678"), header, "expected printable ASCII on one line"],
    ["a NUL", bytes("1234\u00005678"), header, "expected printable ASCII on one line"],
    ["an outer blank", bytes(" 12345678"), header, "expected printable ASCII on one line"],
    ["more than ASCII", bytes("1234567ä"), header, "expected printable ASCII on one line"],
    [
      "bytes that are not UTF-8",
      Uint8Array.from([255, 49, 50, 51, 52, 53, 54, 55]),
      { origin, body: "/a" },
      "is not UTF-8",
    ],
  ])("of %s", (_, value, binding, fault) => {
    if (fault === undefined) expect(secretFault(value, binding)).toBeUndefined();
    else expect(secretFault(value, binding)).toContain(fault);
  });
});
