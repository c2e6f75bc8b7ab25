import { describe, expect, it, test } from "vitest";
import { type CedarPolicy, cedarPolicySchema } from "../../../src/contracts/policy-cedar.js";
import { compileProgram } from "../../../src/policy/program.js";
import { errorOf, subjectOf } from "../helpers.js";
import { cedarOf, programOf, schemaOf } from "./support.js";

const allow = '@id("a") permit(principal, action, resource);';

/** What compiling says: pointer and message. */
function refusal(policies: string, more: Partial<CedarPolicy> = {}): string {
  const error = errorOf(() => programOf(policies, more));
  expect(error.code).toBe("EXO_SCHEMA");
  return `${error.place.pointer} ${error.message}`;
}

describe("policies that are refused", () => {
  it.each([
    ["no @id", "permit(principal, action, resource);", "a policy has no @id"],
    ["an @id of two", `${allow} @id("a") forbid(principal, action, resource);`, 'the @id "a" is used twice'],
    ["an @id twice on one", '@id("a") @id("b") permit(principal, action, resource);', "duplicate annotation: @id"],
    ["an empty @id", '@id("") permit(principal, action, resource);', "@id is malformed"],
    ["an @id without a value", "@id permit(principal, action, resource);", "@id is malformed"],
    ["an @id with a line end", '@id("a\\nb") permit(principal, action, resource);', "@id is malformed"],
    ["the @id of nothing", '@id("default") permit(principal, action, resource);', "@id is malformed"],
    ["an @id too long", `@id("${"x".repeat(191)}") permit(principal, action, resource);`, "@id is malformed"],
    ["a misspelt annotation", `@approval("2") ${allow}`, "the annotation @approval is not known"],
    ["an annotation that objects have", `@toString("2") ${allow}`, "the annotation @toString is not known"],
    ["an unknown verdict", `@verdict("maybe") ${allow}`, "@verdict is malformed"],
    ["a permit that denies", `@verdict("deny") ${allow}`, "@verdict is malformed"],
    [
      "a verdict on a forbid",
      '@id("a") @verdict("defer") forbid(principal, action, resource);',
      "@verdict means nothing",
    ],
    ["approvals nobody asks for", `@approvals("2") ${allow}`, "@approvals means nothing"],
    ["roles on a deferral", `@verdict("defer") @roles("x") ${allow}`, "@roles means nothing"],
    ["no approval at all", `@verdict("require_approval") @approvals("0") ${allow}`, "@approvals is malformed"],
    ["too many approvals", `@verdict("require_approval") @approvals("101") ${allow}`, "@approvals is malformed"],
    ["approvals with a sign", `@verdict("require_approval") @approvals("+1") ${allow}`, "@approvals is malformed"],
    ["approvals with a fraction", `@verdict("require_approval") @approvals("1.5") ${allow}`, "@approvals is malformed"],
    ["approvals in hexadecimal", `@verdict("require_approval") @approvals("0x2") ${allow}`, "@approvals is malformed"],
    ["approvals without a value", `@verdict("require_approval") @approvals ${allow}`, "@approvals is malformed"],
    ["an empty role", `@verdict("require_approval") @roles("a,,b") ${allow}`, "@roles is malformed"],
    ["no hold", `@verdict("require_approval") @hold_seconds("0") ${allow}`, "@hold_seconds is malformed"],
    [
      "a hold of a month and a second",
      `@verdict("require_approval") @hold_seconds("2592001") ${allow}`,
      "@hold_seconds is malformed",
    ],
    ["no time", `@verdict("require_approval") @expires_in_seconds("0") ${allow}`, "@expires_in_seconds is malformed"],
    ["a narrowing that is no JSON", `@narrow("fs_remove") ${allow}`, "@narrow is malformed"],
    ["a narrowing of nothing known", `@narrow("{\\"fs_burn\\":{}}") ${allow}`, "@narrow is malformed"],
    ["a narrowing twice", `@narrow("{\\"log\\":{},\\"log\\":{}}") ${allow}`, "@narrow is malformed"],
    ["a template", "permit(principal == ?principal, action, resource);", "got a template"],
    ["no Cedar", "allow everything;", "unexpected token"],
    ["no semicolon", allow.slice(0, -1), "the last statement has no semicolon"],
    ["an open string", '@id("a', "a string is not closed"],
    ["an open bracket", "permit(principal;", "a ) is missing"],
    ["a stray bracket", `${allow} )`, "a ) closes nothing"],
    ["an unknown action", '@id("a") permit(principal, action == Action::"fs.burn", resource);', "unrecognized action"],
    ["an unknown entity type", '@id("a") permit(principal is Root, action, resource);', "unrecognized entity type"],
    ["an unknown attribute", `${allow.slice(0, -1)} when { context.parameters.burn };`, "not found"],
    [
      "an attribute that may be missing",
      `${allow.slice(0, -1)} when { context.parameters.path == "x" };`,
      "unable to guarantee safety of access to optional attribute",
    ],
    [
      "another type",
      `${allow.slice(0, -1)} when { principal.type == 5 };`,
      "the types Long and String are not compatible",
    ],
    ["a policy that can never hold", '@id("a") forbid(principal is Group, action, resource);', "policy is impossible"],
    [
      "letters of two scripts in one word",
      `@id("a") permit(principal == Actor::"\u0430dmin", action, resource);`,
      "mixed scripts",
    ],
    ["text that reads backwards", `@id("a") permit(principal == Actor::"\u202ea", action, resource);`, "BIDI"],
  ])("%s", (_name, policies, words) => {
    const said = refusal(policies);
    expect(said).toContain("/policies policy: /policies:");
    expect(said).toContain(words);
  });
});

describe("schemas that are refused", () => {
  const own = (text: string) => refusal("", { cedarSchema: text });
  const action = (context: string, applies = "principal: Actor, resource: Target") =>
    `action "fs.x" appliesTo { ${applies}, context: ${context} };`;
  const whole = "{ request: Request, parameters: {} }";

  it.each([
    ["an entity type", "entity Root;", "expected actions only, got entity"],
    ["an entity type after an annotation", '@doc("x") entity Root;', "expected actions only, got entity"],
    ["a type", "type T = Long;", "expected actions only, got type"],
    ["a namespace", "namespace N { entity A; };", "expected actions only, got namespace"],
    ["what the prelude declares", 'action "fs.x"; type Request = {};', "expected actions only, got type"],
    ["another principal", action(whole, "principal: Group, resource: Target"), "expected it to apply to an Actor"],
    [
      "another resource",
      action(whole, "principal: Actor, resource: [Target, Group]"),
      "expected it to apply to an Actor",
    ],
    ["no request", action("{ parameters: {} }"), "expected the context"],
    ["no parameters", action("{ request: Request }"), "expected the context"],
    ["more than those", action("{ request: Request, parameters: {}, more: Long }"), "expected the context"],
    ["a request that may be missing", action("{ request?: Request, parameters: {} }"), "expected the context"],
    ["parameters that may be missing", action("{ request: Request, parameters?: {} }"), "expected the context"],
    ["a request of another type", action("{ request: Attested, parameters: {} }"), "expected the context"],
    ["parameters that are no record", action("{ request: Request, parameters: Long }"), "expected the context"],
    [
      "an entity as parameter",
      action("{ request: Request, parameters: { who: Actor } }"),
      "cannot be of the type Actor",
    ],
    [
      "entities in a list",
      action("{ request: Request, parameters: { a: { b?: Set<Actor> } } }"),
      "cannot be of the type Actor",
    ],
    ["an unknown type", action("{ request: Request, parameters: { who: Nobody } }"), "failed to resolve"],
    ["no Cedar", "action;;", "a statement is empty"],
    ["a control character", 'action "x";\u0007', "control character"],
    ["a lone carriage return", 'action "x"; // a\rentity Root;', "control character"],
  ])("%s", (_name, text, words) => {
    const said = own(text);
    expect(said).toContain("/cedarSchema policy: /cedarSchema:");
    expect(said).toContain(words);
  });
});

describe("documents that are refused", () => {
  const document = cedarOf(allow);
  const uid = { type: "Actor", id: "ana" };
  it.each([
    ["another member", { ...document, rules: [] }],
    ["no schema", { ...document, cedarSchema: undefined }],
    ["a schema too long", { ...document, cedarSchema: " ".repeat(262_145) }],
    ["policies too long", { ...document, policies: " ".repeat(524_289) }],
    ["policies as a list", { ...document, policies: [allow] }],
    ["a file that was not read", { ...document, policies: { file: "policy.cedar" } }],
    ["version 0", { ...document, version: 0 }],
    [
      "an entity of another type",
      { ...document, entities: [{ uid: { type: "Target", id: "data" }, attrs: {}, parents: [] }] },
    ],
    ["an entity with attributes", { ...document, entities: [{ uid, attrs: { type: "root" }, parents: [] }] }],
    ["a parent that is no group", { ...document, entities: [{ uid, attrs: {}, parents: [uid] }] }],
    [
      "an entity twice",
      {
        ...document,
        entities: [
          { uid, attrs: {}, parents: [] },
          { uid, attrs: {}, parents: [] },
        ],
      },
    ],
  ])("%s", (_name, value) => {
    expect(cedarPolicySchema.safeParse(value).success).toBe(false);
  });

  it("groups that are in one another", () => {
    const of = (id: string, parent: string) => ({
      uid: { type: "Group" as const, id },
      attrs: {},
      parents: [{ type: "Group" as const, id: parent }],
    });
    expect(refusal(allow, { entities: [of("a", "b"), of("b", "a")] })).toMatch(
      /^\/entities policy: \/entities: .*cycle/,
    );
  });

  it("a policy without an engine", () => {
    expect(errorOf(() => compileProgram(document, null)).code).toBe("EXO_CEDAR_ENGINE");
  });
});

test("what is read: annotations in any order, comments, strings that look like code", () => {
  const program = programOf(`
    // permit(((
    @rationale("if { [ // no comment") @narrow("{\\"fs_remove\\":{\\"paths\\":[\\"{target}\\"]}}") @id("a;b")
    permit(principal, action, resource) unless { principal.type == "\\"; forbid(" };`);
  expect(program.evaluate(subjectOf())).toEqual({
    verdict: "allow",
    ruleIds: ["a;b"],
    rationale: "if { [ // no comment",
    obligations: { narrow: { fs_remove: { paths: ["{target}"] } } },
  });
});

test("the schema may name an action's groups, and one applies to nothing", () => {
  const text = `action fs; action "fs.remove" in [fs] appliesTo { principal: [Actor], resource: [Cell, Target],
    context: { request: Request, parameters: { at: datetime, by?: Set<Set<ipaddr>>, path?: String } } };`;
  const program = programOf('@id("a") permit(principal, action in Action::"fs", resource);', { cedarSchema: text });
  const parameters = { at: "2026-01-31", by: [["10.0.0.1"]] };
  expect(program.evaluate(subjectOf({ parameters })).verdict).toBe("allow");
  expect(program.evaluate(subjectOf({ parameters, action: "fs" })).rationale).toBe(
    "the schema declares no such action",
  );
});

test("the versions are recorded", () => {
  expect(programOf(allow).evaluator).toEqual({
    name: "exoarmur.cedar",
    revision: 1,
    engine: "4.13.0 (language 4.5)",
  });
  expect(schemaOf(["a.b"])).toContain('action "a.b" in ["a"]');
});
