import { describe, expect, test } from "vitest";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { readPolicy } from "../../src/policy/read.js";
import { errorOf } from "./helpers.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const json = (text: string) => readPolicy(bytes(text), "policy.json") as PolicyDocument;
const yaml = (text: string) => readPolicy(bytes(text), "dir/policy.yaml") as PolicyDocument;

const head = '{ "schema": "exoarmur.policy/v1", "policyId": "files", "version": 1,\n';
const starter = `${head}  "$schema": "./policy.schema.json",
  "rules": [
    { "id": "allow-stats", "match": { "action": "table.stats", "target": { "under": "data" } }, "verdict": "allow" },
    { "id": "delete-needs-a-person", "match": { "action": "fs.remove", "target": { "under": "data" } },
      "verdict": "require_approval", "rationale": "deleting cannot be undone",
      "obligations": { "approvals": 1, "roles": ["approver"], "expiresInSeconds": 900,
                       "narrow": { "fs_remove": { "paths": ["{target}"] } } } } ] }`;

const starterYaml = `# What agents may do.
schema: exoarmur.policy/v1
policyId: files
version: 1
rules:
  - id: allow-stats
    match: { action: table.stats, target: { under: data } }
    verdict: allow
  - id: delete-needs-a-person
    match:
      action: fs.remove
      target:
        under: data
    verdict: require_approval
    rationale: deleting cannot be undone
    obligations:
      approvals: 1
      roles: [approver]
      expiresInSeconds: 900
      narrow:
        fs_remove:
          paths: ["{target}"]
`;

test("JSON and YAML give the same document, without $schema", () => {
  const policy = json(starter);
  expect(Object.keys(policy).sort()).toEqual(["policyId", "rules", "schema", "version"]);
  expect(policy.rules.map((rule) => rule.id)).toEqual(["allow-stats", "delete-needs-a-person"]);
  expect(yaml(starterYaml)).toEqual(policy);
  expect(readPolicy(bytes(starterYaml), "p.yml")).toEqual(policy);
});

describe("messages name file, line, pointer, what was expected and what came", () => {
  const rule = (text: string) => `${head}"rules": [\n${text}\n] }`;

  test.each<[string, number, string, string]>([
    [
      '{"id": "a", "match": {},\n"verdict": "permit"}',
      4,
      "/rules/0/verdict",
      'expected one of "allow", "deny", "require_approval", "defer", got "permit"',
    ],
    [
      '{"id": "a", "match": {}}',
      3,
      "/rules/0/verdict",
      'expected one of "allow", "deny", "require_approval", "defer", got nothing',
    ],
    [
      '{"id": "a", "match": {}, "verdict": "deny",\n\n"extra": 1}',
      5,
      "/rules/0/extra",
      "expected no such member, got 1",
    ],
    [
      '{"id": "a", "verdict": "deny", "match": {\n"target": {"prefx": "x"}}}',
      4,
      "/rules/0/match/target",
      'expected an object with prefix, under or url, got {"prefx":"x"}',
    ],
    [
      '{"id": "a", "verdict": "deny", "match": {"target": {\n"under": 5}}}',
      4,
      "/rules/0/match/target/under",
      "expected string or array, got 5",
    ],
    [
      '{"id": "a", "verdict": "deny", "match": {"target":\n{"under": "/data"}}}',
      4,
      "/rules/0/match/target/under",
      'expected a root-alias path such as data/reports, got "/data"',
    ],
    [
      '{"id": "a", "verdict": "deny", "match": {"parameters": {"x": 1}}}',
      3,
      "/rules/0/match/parameters/x",
      "expected a key that is a JSON pointer such as /path, got 1",
    ],
    [
      '{"id": "a", "verdict": "deny", "match": {"parameters": {\n"/a~1b": {"matches": "(?i)x"}}}}',
      4,
      "/rules/0/match/parameters/~1a~01b/matches",
      "expected an RE2 pattern: (?i is not supported",
    ],
    ['{"id": "", "verdict": "deny", "match": {}}', 3, "/rules/0/id", 'expected string to have >=1 characters, got ""'],
    ["5", 3, "/rules/0", "expected object, got 5"],
  ])("%s", (text, line, pointer, message) => {
    const error = errorOf(() => json(rule(text)));
    expect(error.code).toBe("EXO_SCHEMA");
    expect(error.place).toEqual({ file: "policy.json", line, pointer });
    expect(error.message).toContain(`policy.json, line ${line}: ${pointer}: ${message}`);
  });

  test("YAML too", () => {
    const error = errorOf(() => yaml(starterYaml.replace("verdict: allow", "verdict: permit")));
    expect(error.code).toBe("EXO_SCHEMA");
    expect(error.place).toEqual({ file: "dir/policy.yaml", line: 8, pointer: "/rules/0/verdict" });
  });

  test("a duplicate rule id, the whole document, another schema", () => {
    const one = '{"id": "a", "match": {}, "verdict": "deny"}';
    expect(errorOf(() => json(rule(`${one}, ${one}`))).message).toContain("expected rule ids to be unique");
    expect(errorOf(() => json("[]")).place.pointer).toBe("");
    expect(errorOf(() => json(starter.replace("policy/v1", "policy/v2"))).place.pointer).toBe("/schema");
    expect(errorOf(() => json(starter.replace('"./policy.schema.json"', "5"))).place.pointer).toBe("/$schema");
  });
});

test.each<[string, string]>([
  ["{", "EXO_JSON_SYNTAX"],
  ["", "EXO_JSON_SYNTAX"],
  [`${starter}x`, "EXO_JSON_SYNTAX"],
  [starter.replace('"version": 1,', '"version": 1, "version": 2,'), "EXO_JSON_DUPLICATE_KEY"],
  [starter.replace('"version": 1,', '"version": 1, "__proto__": {},'), "EXO_JSON_FORBIDDEN_KEY"],
  [starter.replace('"version": 1', '"version": -0'), "EXO_JSON_NUMBER"],
])("strict JSON: %#", (text, code) => {
  const error = errorOf(() => json(text));
  expect(error.code).toBe(code);
  expect(error.place.file).toBe("policy.json");
});

test("bytes that are not UTF-8, and too many of them", () => {
  for (const file of ["p.json", "p.yaml"]) {
    expect(errorOf(() => readPolicy(Uint8Array.of(0x7b, 0xff), file)).code).toBe("EXO_JSON_UTF8");
    expect(errorOf(() => readPolicy(new Uint8Array(16_777_217), file)).code).toBe("EXO_JSON_SIZE");
  }
});

describe("YAML with more than one reading is refused with its line", () => {
  const withRule = (lines: string) => `schema: exoarmur.policy/v1\npolicyId: p\nversion: 1\nrules:\n${lines}`;
  const withValue = (value: string) =>
    withRule(`- id: a\n  verdict: deny\n  match: { parameters: { /x: ${value} } }\n`);

  test.each([
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "True",
    "FALSE",
    "Null",
    "~",
    "0o17",
    "017",
    "0x1F",
    "1_000",
    "+1",
    ".5",
    "1.",
    "12:30",
    "12:30:45",
    "2024-01-01",
    "1.0.0",
    ".inf",
    "-.INF",
    ".NaN",
    "=",
    "<<",
    "!!str 1",
    "!foo x",
    "&a x",
    "*a",
  ])("the value %s", (value) => {
    const error = errorOf(() => yaml(withValue(value)));
    expect(error.code).toBe("EXO_YAML");
    expect(error.place.file).toBe("dir/policy.yaml");
    expect(error.place.line).toBe(7);
  });

  test.each<[string, unknown]>([
    ["5", 5],
    ["-1.5e3", -1500],
    ["true", true],
    ["false", false],
    ["null", null],
    ['"yes"', "yes"],
    ["'017'", "017"],
    ["yesterday", "yesterday"],
    ["v1.0", "v1.0"],
    ['"\\u0041"', "A"],
  ])("but %s is %j", (value, expected) => {
    expect(yaml(withValue(value)).rules[0]?.match.parameters).toEqual({ "/x": expected });
  });

  test.each<[string, string, number]>([
    ["a duplicate key", withRule("- id: a\n  id: b\n  verdict: deny\n  match: {}\n"), 6],
    ["a merge key", withRule("- <<: { id: a }\n  verdict: deny\n  match: {}\n"), 5],
    ["a key that is no text", withRule("- 1: a\n"), 5],
    ["a key that is a boolean", withRule("- true: a\n"), 5],
    ["a key that is a list", withRule("- ? [a]\n  : b\n"), 5],
    ["an empty value", withRule("- id:\n  verdict: deny\n"), 5],
    ["a key without value", withRule("- { id }\n"), 5],
    ["an anchored map", withRule("- &a\n  id: a\n"), 6],
    ["two documents", "a: 1\n---\nb: 2\n", 1],
    ["a directive", "%YAML 1.1\n---\na: 1\n", 1],
    ["a tag directive", "%TAG ! tag:example.com,2000:\n---\na: 1\n", 1],
    ["a byte order mark", "\uFEFFa: 1\n", 1],
    ["a next-line character", "a: 1\nb: x\u0085y\n", 2],
    ["a line separator", "a: 1\nb: x\u2028y\n", 2],
    ["an unclosed quote", 'a: 1\nb: "x\n', 3],
    ["an unclosed list", "a: [1\n", 2],
    ["a tab as indentation", "a:\n\tb: 1\n", 2],
    ["nothing", "", 1],
    ["a comment alone", "# nothing\n", 1],
    ["deep nesting", "[".repeat(20_000), 1],
    ["deep closed nesting", `${"[".repeat(200)}1${"]".repeat(200)}`, 1],
  ])("%s", (_name, text, line) => {
    const error = errorOf(() => yaml(text));
    expect(error.code).toBe("EXO_YAML");
    expect(error.place).toEqual({ file: "dir/policy.yaml", line });
  });

  test("a __proto__ key is refused as in JSON", () => {
    expect(errorOf(() => yaml(withRule("- id: a\n  __proto__: { verdict: allow }\n"))).code).toBe(
      "EXO_JSON_FORBIDDEN_KEY",
    );
  });
});
