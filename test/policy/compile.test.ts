import { describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { policySchema } from "../../src/contracts/policy.js";
import { compilePolicy } from "../../src/policy/compile.js";
import { compilePattern } from "../../src/policy/pattern.js";
import { errorOf, policyOf, ruleOf } from "./helpers.js";

function refusal(rule: PolicyRule): [string, string | undefined] {
  const error = errorOf(() => compilePolicy(policyOf(ruleOf({}, "allow", "first"), rule)));
  return [error.code, error.place.pointer];
}

describe("what has the shape but no meaning", () => {
  test.each<[PolicyRule["match"], string]>([
    [{ action: "fs" }, "/rules/1/match/action"],
    [{ action: ["fs.*", "fs"] }, "/rules/1/match/action"],
    [{ target: { under: "/data" } }, "/rules/1/match/target/under"],
    [{ target: { under: "data/" } }, "/rules/1/match/target/under"],
    [{ target: { under: ["data", ".."] } }, "/rules/1/match/target/under"],
    [{ target: ["x", { under: "C:/x" }] }, "/rules/1/match/target/1/under"],
    [{ target: { url: { scheme: "HTTPS" } } }, "/rules/1/match/target/url/scheme"],
    [{ target: { url: { scheme: "https:" } } }, "/rules/1/match/target/url/scheme"],
    [{ target: { url: { host: "API.example.com" } } }, "/rules/1/match/target/url/host"],
    [{ target: { url: { host: "*.example.com" } } }, "/rules/1/match/target/url/host"],
    [{ target: { url: { host: "x:443" } } }, "/rules/1/match/target/url/host"],
    [{ target: { url: { path: "v1" } } }, "/rules/1/match/target/url/path"],
    [{ target: { url: { path: ["/v1", "/a/../b"] } } }, "/rules/1/match/target/url/path"],
    [{ target: { url: { path: "/a?b" } } }, "/rules/1/match/target/url/path"],
    [{ parameters: { "/a": {} } }, "/rules/1/match/parameters/~1a"],
    [{ parameters: { "/a": { min: 2, max: 1 } } }, "/rules/1/match/parameters/~1a"],
    [{ parameters: { "/a/b": { matches: "(" } } }, "/rules/1/match/parameters/~1a~1b/matches"],
  ])("%j", (match, pointer) => {
    expect(refusal(ruleOf(match))).toEqual(["EXO_SCHEMA", pointer]);
  });

  test.each<[NonNullable<PolicyRule["obligations"]>["narrow"], string]>([
    [{ fs_delete: { paths: ["data"] } }, "/rules/1/obligations/narrow/fs_delete"],
    [{ toString: {} }, "/rules/1/obligations/narrow/toString"],
    [{ fs_remove: { paths: ["{target}", "/data"] } }, "/rules/1/obligations/narrow/fs_remove/paths"],
    [{ fs_remove: { paths: ["{target}.bak"] } }, "/rules/1/obligations/narrow/fs_remove/paths"],
    [{ fs_read: { methods: ["GET"] } }, "/rules/1/obligations/narrow/fs_read/methods"],
    [{ fs_read: { pathPrefix: "/v1" } }, "/rules/1/obligations/narrow/fs_read/pathPrefix"],
    [{ kv_get: { urls: ["{target}"] } }, "/rules/1/obligations/narrow/kv_get/urls"],
    [{ http_request: { urls: ["https://a.example"] } }, "/rules/1/obligations/narrow/http_request/urls"],
    [{ http_request: { urls: ["wss://a.example/"] } }, "/rules/1/obligations/narrow/http_request/urls"],
    [{ http_request: { urls: ["{target}/x"] } }, "/rules/1/obligations/narrow/http_request/urls"],
  ])("narrow %j", (narrow, pointer) => {
    expect(refusal({ ...ruleOf({}), obligations: { narrow } })).toEqual(["EXO_SCHEMA", pointer]);
  });

  test("the message says what was expected and what came", () => {
    const error = errorOf(() => compilePolicy(policyOf(ruleOf({ target: { under: "/data" } }))));
    expect(error.message).toBe(
      'policy: /rules/0/match/target/under: expected a root-alias path such as data/reports, got "/data"',
    );
  });
});

test("a rule id fits into a final verdict with its prefix", () => {
  const policy = (id: string) => ({ ...policyOf(), rules: [ruleOf({}, "allow", id)] });
  expect(policySchema.safeParse(policy("x".repeat(190))).success).toBe(true);
  expect(policySchema.safeParse(policy("x".repeat(191))).success).toBe(false);
  expect(policySchema.safeParse(policy("default")).success).toBe(false);
});

describe("patterns", () => {
  test.each<[string, string, boolean]>([
    ["a", "bab", true],
    ["^a", "ba", false],
    ["a$", "ab", false],
    ["a$", "a\n", false],
    ["^(?:a|b)+$", "abba", true],
    ["^\\d{3}-\\d{3}$", "123-456", true],
    ["^\\d$", "٣", false],
    ["^\\w$", "é", false],
    ["^\\s$", "\u00a0", false],
    ["^[[:alpha:]]$", "A", true],
    ["^.$", "😀", true],
    ["^[^a]$", "😀", true],
    ["^[^a]$", "\n", true],
    ["^.$", "\n", false],
    ["^\\x41\\x{1F600}$", "A😀", true],
    ["\\.\\*\\(", "x.*(", true],
    ["k", "K", false],
    ["^é$", "e\u0301", false],
    ["^a{2,3}?$", "aaa", true],
  ])("%j on %j: %j", (source, text, expected) => {
    const pattern = compilePattern(source);
    expect(pattern.ok && pattern.test(text)).toBe(expected);
    expect(pattern.ok).toBe(true);
  });

  test.each([
    "\\pL",
    "\\p{Greek}",
    "\\P{L}",
    "[\\p{L}]",
    "[^\\pN]",
    "\\bword",
    "\\B",
    "(?i)a",
    "(?i:a)",
    "(?s).",
    "(?m)^a",
    "(?U)a+",
    "(?-s).",
    "(?P<name>a)",
    "(?<name>a)",
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "(a)\\1",
    "\\0",
    "\\07",
    "\\k<a>",
    "\\A",
    "\\z",
    "\\Z",
    "\\G",
    "\\R",
    "\\X",
    "\\C",
    "\\Qa.b\\E",
    "\\cA",
    "\\u0041",
    "\\a",
    "\\x4",
    "\\x{}",
    "\\x{110000}",
    "\\x{1234567}",
    "\\x{12",
    "\\",
    "a\\",
    "(",
    ")",
    "[",
    "[b-a]",
    "*a",
    "a**",
    "a{1001}",
    "(a{100}){100}",
  ])("%j is refused", (source) => {
    expect(compilePattern(source).ok).toBe(false);
  });

  test("time is linear where backtracking would explode", () => {
    const pattern = compilePattern("^(a+)+$");
    const start = performance.now();
    expect(pattern.ok && pattern.test(`${"a".repeat(50_000)}b`)).toBe(false);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
