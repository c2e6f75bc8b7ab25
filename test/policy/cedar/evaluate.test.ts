import { describe, expect, it, test } from "vitest";
import { isExoArmurError } from "../../../src/errors.js";
import type { CedarModule } from "../../../src/policy/cedar/instance.js";
import { createCedar } from "../../../src/policy/cedar/language.js";
import { type CedarEngine, compileProgram } from "../../../src/policy/program.js";
import { subjectOf } from "../helpers.js";
import { cedarOf, judge, programOf, schemaOf } from "./support.js";

const permit = (annotations: string) => `${annotations} permit(principal, action, resource);`;
const asking = (id: string, more = "") => permit(`@id("${id}") @verdict("require_approval") ${more}`);

describe("precedence", () => {
  const allow = permit('@id("allow")');
  it.each([
    ["a forbid overrides every permit", `${allow} @id("no") forbid(principal, action, resource);`, "deny", ["no"], {}],
    [
      "every forbid that holds is named, by its id",
      `@id("z") forbid(principal, action, resource); @id("b") forbid(principal, action, resource);`,
      "deny",
      ["b", "z"],
      {},
    ],
    ["approval before allow", `${allow} ${asking("ask")}`, "require_approval", ["allow", "ask"], {}],
    [
      "deferral before approval",
      `${asking("ask")} ${permit('@id("later") @verdict("defer")')}`,
      "defer",
      ["ask", "later"],
      {},
    ],
    [
      "a deferral obliges to nothing",
      `${permit('@id("later") @verdict("defer")')} ${asking("ask", '@approvals("2")')}`,
      "defer",
      ["ask", "later"],
      {},
    ],
    [
      "the most approvals",
      `${asking("a", '@approvals("3")')} ${asking("b", '@approvals("2")')} ${asking("c")}`,
      "require_approval",
      ["a", "b", "c"],
      { approvals: 3 },
    ],
    [
      "the shortest time",
      `${asking("a", '@expires_in_seconds("600")')} ${asking("b", '@expires_in_seconds("60")')}`,
      "require_approval",
      ["a", "b"],
      { expiresInSeconds: 60 },
    ],
    [
      "the usual time, where one names none, is a bound too",
      `${asking("a", '@expires_in_seconds("6000")')} ${asking("b")}`,
      "require_approval",
      ["a", "b"],
      { expiresInSeconds: 900 },
    ],
    [
      "the longest hold",
      `${asking("a", '@hold_seconds("60")')} ${asking("b", '@hold_seconds("600")')} ${asking("c")}`,
      "require_approval",
      ["a", "b", "c"],
      { holdSeconds: 600 },
    ],
    [
      "the roles that all name",
      `${asking("a", '@roles("x,y,z")')} ${asking("b", '@roles("z, y")')}`,
      "require_approval",
      ["a", "b"],
      { roles: ["y", "z"] },
    ],
    [
      "the usual role, where one names none",
      `${asking("a", '@roles("x,approver")')} ${asking("b")}`,
      "require_approval",
      ["a", "b"],
      { roles: ["approver"] },
    ],
    [
      "every narrowing",
      `${permit('@id("a") @narrow("{\\"fs_remove\\":{}}")')} ${permit('@id("b") @narrow("{\\"fs_read\\":{}}")')}`,
      "allow",
      ["a", "b"],
      { narrow: { fs_remove: {}, fs_read: {} } },
    ],
    [
      "the same narrowing once",
      `${permit('@id("a") @narrow("{\\"log\\":{}}")')} ${permit('@id("b") @narrow("{\\"log\\":{}}")')} ${allow}`,
      "allow",
      ["a", "allow", "b"],
      { narrow: { log: {} } },
    ],
  ] as const)("%s", (_name, policies, verdict, ruleIds, obligations) => {
    expect(judge(policies)).toMatchObject({ verdict, ruleIds, obligations });
  });

  it.each([
    [
      "no common role",
      `${asking("a", '@roles("x")')} ${asking("b", '@roles("y")')}`,
      "they ask for approvers of no common role",
    ],
    [
      "no common role with the usual one",
      `${asking("a", '@roles("x")')} ${asking("b")}`,
      "they ask for approvers of no common role",
    ],
    [
      "two narrowings",
      `${permit('@id("a") @narrow("{\\"log\\":{}}")')} ${permit('@id("b") @narrow("{\\"log\\":{\\"maxBytes\\":1}}")')}`,
      "they narrow log differently",
    ],
  ])("is a deny with %s", (_name, policies, words) => {
    expect(judge(policies)).toEqual({
      verdict: "deny",
      ruleIds: ["a", "b"],
      rationale: `evaluation error: a, b hold at once, and ${words}`,
      obligations: {},
    });
  });

  test("without rationale the policies are named, ten of them", () => {
    expect(judge(permit('@id("a")')).rationale).toBe("permitted by a");
    expect(judge('@id("a") @rationale("never") forbid(principal, action, resource);').rationale).toBe("never");
    const many = Array.from({ length: 12 }, (_, at) => permit(`@id("p${String(at + 10)}")`)).join("");
    expect(judge(many).rationale).toBe("permitted by p10, p11, p12, p13, p14, p15, p16, p17, p18, p19 and 2 more");
  });
});

describe("a policy that cannot be evaluated denies", () => {
  const overflow = "when { context.parameters has count && context.parameters.count + 9223372036854775807 > 0 }";
  const parameters = { count: 1 };
  const allow = permit('@id("allow")');
  it.each([
    [
      "a forbid, which Cedar would pass over",
      `${allow} @id("no") forbid(principal, action, resource) ${overflow};`,
      ["no"],
    ],
    [
      "a permit beside one that holds",
      `${allow} @id("more") permit(principal, action, resource) ${overflow};`,
      ["more"],
    ],
    [
      "both, in the order of their ids",
      `@id("z") permit(principal, action, resource) ${overflow}; @id("m") forbid(principal, action, resource) ${overflow};`,
      ["m", "z"],
    ],
    [
      "also where another forbids",
      `@id("a") forbid(principal, action, resource); @id("no") forbid(principal, action, resource) ${overflow};`,
      ["no"],
    ],
  ])("%s", (_name, policies, ruleIds) => {
    expect(judge(policies, { parameters })).toEqual({
      verdict: "deny",
      ruleIds,
      rationale: `evaluation error: ${ruleIds.join(", ")} could not be evaluated`,
      obligations: {},
    });
    expect(judge(policies, { parameters: {} }).rationale).not.toContain("evaluation error");
  });
});

describe("a request that cannot be put to Cedar is denied", () => {
  const nested = (depth: number): { [key: string]: never } => {
    let value: object = {};
    for (let at = 0; at < depth; at++) value = { a: value };
    return value as { [key: string]: never };
  };
  it.each([
    ["null", { path: null }, "/parameters/path is null, which Cedar does not have"],
    ["a fraction", { count: 1.5 }, "/parameters/count is a number that is not whole; write it as text for a decimal"],
    [
      "a number beyond 2^53",
      { count: 1e21 },
      "/parameters/count is a number that is not whole; write it as text for a decimal",
    ],
    [
      "an entity",
      { path: { __entity: { type: "Group", id: "ops" } } },
      "/parameters/path has the name __entity, which Cedar's JSON reserves",
    ],
    [
      "a call",
      { list: [{ __extn: { fn: "ip", arg: "10.0.0.1" } }] },
      "/parameters/list/0 has the name __extn, which Cedar's JSON reserves",
    ],
    ["an expression", { __expr: "true" }, "/parameters has the name __expr, which Cedar's JSON reserves"],
    ["deep nesting", nested(32), "the parameters are nested more than 32 deep"],
    ["very deep nesting", nested(120), "the parameters are nested more than 32 deep"],
    ["too much", { list: Array.from({ length: 10_000 }, () => 1) }, "the parameters have more than 10000 values"],
  ])("%s", (_name, parameters, words) => {
    expect(judge(permit('@id("a")'), { parameters })).toEqual({
      verdict: "deny",
      ruleIds: ["default"],
      rationale: `evaluation error: the request cannot be put to Cedar: ${words}`,
      obligations: {},
    });
  });

  it.each([
    ["a target of too many places", { target: Array.from({ length: 300 }, () => "d").join("/") }],
    ["a URL of too many places", { target: `https://h/${Array.from({ length: 300 }, () => "d").join("/")}` }],
  ])("%s", (_name, changes) => {
    expect(judge(permit('@id("a")'), changes).rationale).toContain("the target lies under more than 256 places");
  });

  it.each([
    ["a parameter the schema does not have", { path: "x", force: true }],
    ["one of another type", { path: 5 }],
    ["a list for one", { path: ["x"] }],
    ["a record that Cedar could take for an entity", { path: { type: "Group", id: "ops" } }],
  ])("%s is not valid", (_name, parameters) => {
    expect(judge(permit('@id("a")'), { parameters })).toMatchObject({
      verdict: "deny",
      ruleIds: ["default"],
      rationale: "evaluation error: the request is not valid under the schema",
    });
  });

  test("a long name in a message is cut between characters", () => {
    const key = "x".repeat(39) + "\u{1f600}".repeat(20);
    expect(judge(permit('@id("a")'), { parameters: { [key]: null } }).rationale).toMatch(/\/x{39}\.\.\. is null/);
  });
});

describe("what Cedar sees", () => {
  const schema = schemaOf(["fs.remove"], "amount?: decimal, tags?: Set<String>, big?: Long, text?: String");
  const holds = (condition: string, changes: Parameters<typeof subjectOf>[0] = {}) =>
    programOf(`@id("a") permit(principal, action, resource) when { ${condition} };`, { cedarSchema: schema }).evaluate(
      subjectOf({ parameters: {}, ...changes }),
    ).verdict === "allow";

  it.each([
    ["the cell", 'context.request.cell == "local"', {}],
    ["who handed it in", 'context.request.requester == "operator-1" && context.request.method == "library"', {}],
    ["no one behind it", "!(context.request has onBehalfOf)", {}],
    ["the effects", 'context.request has effects && context.request.effects == "write"', {}],
    ["the function", 'context.request has function && context.request.function == "remove"', {}],
    ["an action without a target as one on the cell", 'resource == Cell::"local"', { target: undefined }],
    [
      "the parts of a URL",
      'resource has path && resource.path == "/a" && resource has port && resource.port == 443 && resource has scheme && resource.scheme == "https"',
      { target: "https://h/a?b=1" },
    ],
    [
      "the URLs above",
      'resource in Target::"https://h/" && resource in Target::"https://h/a/" && resource in Target::"https://h/a/b"',
      { target: "https://h/a/b?c" },
    ],
    [
      "text as a decimal",
      'context.parameters has amount && context.parameters.amount.lessThan(decimal("2.5"))',
      { parameters: { amount: "2.4999" } },
    ],
    [
      "a list as a set",
      'context.parameters has tags && context.parameters.tags == ["b", "a"]',
      { parameters: { tags: ["a", "b", "a"] } },
    ],
    [
      "the largest whole number",
      "context.parameters has big && context.parameters.big == 9007199254740991",
      { parameters: { big: 9_007_199_254_740_991 } },
    ],
    [
      "text as it is",
      'context.parameters has text && context.parameters.text == "\\u{1f600}\\0\\""',
      { parameters: { text: '\u{1f600}\0"' } },
    ],
    [
      "a name with quotes as a name",
      'principal == Actor::"x\\" || true || \\""',
      { actor: { id: 'x" || true || "', type: "agent" } },
    ],
  ] as const)("%s", (_name, condition, changes) => {
    expect(holds(condition, changes as never)).toBe(true);
  });

  it("the groups of others than the one who asks", () => {
    const entities = [
      { uid: { type: "Actor", id: "ben" }, attrs: {}, parents: [{ type: "Group", id: "ops" }] },
      { uid: { type: "Actor", id: "report-agent" }, attrs: {}, parents: [{ type: "Group", id: "bots" }] },
    ] as const;
    const program = programOf(
      '@id("a") permit(principal in Group::"bots", action, resource) when { Actor::"ben" in Group::"ops" && Actor::"ben".type == "" && principal.type == "agent" };',
      { entities: structuredClone(entities) as never },
    );
    expect(program.evaluate(subjectOf()).verdict).toBe("allow");
  });

  it.each([
    ["a URL that is not its prefix", 'resource in Target::"https://h/a/"', { target: "https://h/a" }],
    ["a wildcard in a target", 'resource in Target::"data/*"', {}],
    ["a decimal of too many digits", "context.parameters has amount", { parameters: { amount: "1.23456" } }],
    ["an actor's group from the parameters", 'principal in Group::"ops"', { parameters: { text: "ops" } }],
    ["a name that only looks alike", 'principal == Actor::"e\\u{301}"', { actor: { id: "\u00e9", type: "agent" } }],
  ] as const)("not %s", (_name, condition, changes) => {
    expect(holds(condition, changes as never)).toBe(false);
  });
});

test("the order of policies and how often one asks change nothing", () => {
  const parts = Array.from({ length: 20 }, (_, at) => permit(`@id("p${String(at)}")`));
  const [there, back] = [programOf(parts.join("")), programOf([...parts].reverse().join(""))];
  const first = there.evaluate(subjectOf());
  expect(first.ruleIds).toEqual([...first.ruleIds].sort());
  for (let at = 0; at < 20; at++) {
    expect(there.evaluate(subjectOf())).toEqual(first);
    expect(back.evaluate(subjectOf())).toEqual(first);
  }
});

test("many policies in one engine do not answer for one another", () => {
  const programs = Array.from({ length: 10 }, (_, at) => programOf(permit(`@id("p${String(at)}")`)));
  for (const order of [programs, [...programs].reverse()]) {
    for (const program of order) {
      expect(program.evaluate(subjectOf()).ruleIds).toEqual([`p${String(programs.indexOf(program))}`]);
    }
  }
});

test("explain answers for every policy, scope and conditions apart", () => {
  const program = programOf(`
    @id("other") permit(principal == Actor::"nobody", action, resource);
    @id("yes") @verdict("require_approval") permit(principal, action, resource) when { principal.type == "agent" };
    @id("no") forbid(principal, action, resource) when { principal.type == "person" };
    @id("broken") forbid(principal, action, resource) when { context.parameters has count && context.parameters.count + 9223372036854775807 > 0 };`);
  const explained = program.explain(subjectOf({ parameters: { count: 1 } }));
  expect([...explained].sort((a, b) => (a.ruleId < b.ruleId ? -1 : 1))).toEqual([
    {
      ruleId: "broken",
      verdict: "deny",
      answer: "unclear",
      members: [
        { name: "/scope", answer: "yes" },
        { name: "/conditions", answer: "unclear" },
      ],
    },
    {
      ruleId: "no",
      verdict: "deny",
      answer: "no",
      members: [
        { name: "/scope", answer: "yes" },
        { name: "/conditions", answer: "no" },
      ],
    },
    { ruleId: "other", verdict: "allow", answer: "no", members: [{ name: "/scope", answer: "no" }] },
    {
      ruleId: "yes",
      verdict: "require_approval",
      answer: "yes",
      members: [
        { name: "/scope", answer: "yes" },
        { name: "/conditions", answer: "yes" },
      ],
    },
  ]);
});

describe("an engine that fails", () => {
  /** A module that works until it is told to fail. */
  async function faulty(): Promise<{ engine: CedarEngine; fail: () => void; calls: () => number }> {
    const real = (await import("@cedar-policy/cedar-wasm/nodejs")) as unknown as CedarModule;
    let broken = false;
    let calls = 0;
    const module: CedarModule = {
      ...real,
      statefulIsAuthorized: (call) => {
        calls++;
        if (broken) throw new RangeError("memory access out of bounds");
        return real.statefulIsAuthorized(call);
      },
    };
    return { engine: createCedar(module), fail: () => (broken = true), calls: () => calls };
  }

  it("denies where one must decide, and is an error where one may say so", async () => {
    const { engine, fail, calls } = await faulty();
    const program = compileProgram(cedarOf(permit('@id("a")')), engine);
    expect(program.decide(subjectOf()).verdict).toBe("allow");
    fail();
    expect(program.decide(subjectOf())).toEqual({
      verdict: "deny",
      ruleIds: ["default"],
      rationale: "evaluation error: Cedar's engine failed",
      obligations: {},
    });
    // What is left of such an instance is not asked again.
    const before = calls();
    expect(program.decide(subjectOf()).verdict).toBe("deny");
    expect(calls()).toBe(before);
    try {
      program.evaluate(subjectOf());
      expect.unreachable();
    } catch (error) {
      if (!isExoArmurError(error, "EXO_CEDAR_ENGINE")) throw error;
      expect(error.message).toBe("Cedar's engine failed and is not used any more: memory access out of bounds");
    }
  });
});
