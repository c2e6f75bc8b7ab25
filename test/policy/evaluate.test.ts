import { describe, expect, test } from "vitest";
import { compilePolicy } from "../../src/policy/compile.js";
import { evaluatePolicy, evaluatorName, type PolicySubject, policyRevision } from "../../src/policy/evaluate.js";
import { explainPolicy } from "../../src/policy/explain.js";
import { answer, at, judge, policyOf, ruleOf, subjectOf } from "./helpers.js";

test("names itself", () => {
  expect(evaluatorName).toBe("exoarmur.rules");
  expect(policyRevision).toBe(1);
});

describe("order and default", () => {
  test("nothing matched is the rule default, deny", () => {
    expect(evaluatePolicy(compilePolicy(policyOf()), subjectOf())).toEqual({
      verdict: "deny",
      ruleIds: ["default"],
      rationale: "no rule matched",
      obligations: {},
    });
  });

  test("the first match decides, with its rationale and obligations", () => {
    const policy = policyOf(
      ruleOf({ action: "fs.read" }, "allow", "a"),
      {
        id: "b",
        match: { action: "fs.remove" },
        verdict: "require_approval",
        rationale: "cannot be undone",
        obligations: { approvals: 2 },
      },
      ruleOf({}, "allow", "c"),
    );
    expect(evaluatePolicy(compilePolicy(policy), subjectOf())).toEqual({
      verdict: "require_approval",
      ruleIds: ["b"],
      rationale: "cannot be undone",
      obligations: { approvals: 2 },
    });
    expect(evaluatePolicy(compilePolicy(policy), subjectOf({ action: "x.y" })).ruleIds).toEqual(["c"]);
  });

  test("an empty match matches everything, with or without target, executor and parameters", () => {
    expect(judge({}, { target: undefined, executor: undefined, parameters: {} }).verdict).toBe("allow");
  });

  test.each(["allow", "deny", "require_approval", "defer"] as const)("the verdict %s is passed on", (verdict) => {
    expect(judge({}, {}, verdict)).toMatchObject({ verdict, ruleIds: ["r1"], rationale: "rule r1 matched" });
  });
});

describe("tenant, actor, action, executor", () => {
  test.each([
    [{ tenant: "default" }],
    [{ tenant: ["other", "default"] }],
    [{ actor: { id: "report-agent" } }],
    [{ actor: { type: ["person", "agent"] } }],
    [{ actor: {} }],
    [{ actor: { id: "report-agent", type: "agent" } }],
    [{ executor: "fs" }],
    [{ executor: ["http", "fs"] }],
    [{ action: "fs.remove" }],
    [{ action: "fs.*" }],
    [{ action: "*" }],
    [{ action: ["http.get", "fs.*"] }],
    [{ action: ["http.*", "fs.remove"] }],
  ])("%j matches", (match) => {
    expect(answer(match)).toBe("yes");
  });

  test.each([
    [{ tenant: "Default" }],
    [{ tenant: ["a", "b", "c"] }],
    [{ actor: { id: "report" } }],
    [{ actor: { id: "report-agent", type: "person" } }],
    [{ executor: "f" }],
    [{ action: "fs.removed" }],
    [{ action: "fs.remov" }],
    [{ action: "f.*" }],
    [{ action: "fs.remove.*" }],
    [{ action: ["http.*", "fs.read"] }],
    [{ action: "fs.remove", tenant: "other" }],
    [{ action: "other.verb", tenant: "default" }],
  ])("%j does not", (match) => {
    expect(answer(match)).toBe("no");
  });

  test("a pattern covers whole segments at any depth, an exact action only itself", () => {
    expect(answer({ action: "fs.*" }, { action: "fs.deep.remove" })).toBe("yes");
    expect(answer({ action: "fs.*" }, { action: "fsx.remove" })).toBe("no");
    expect(answer({ action: "fs.deep.*" }, { action: "fs.deep" })).toBe("no");
  });

  test("an intent without executor matches no executor", () => {
    expect(answer({ executor: "fs" }, { executor: undefined })).toBe("no");
  });
});

describe("target", () => {
  test.each([
    ["data/orders.csv"],
    [["x", "data/orders.csv"]],
    [{ prefix: "data/ord" }],
    [{ prefix: ["x", "data"] }],
    [{ under: "data" }],
    [{ under: "data/orders.csv" }],
    [{ under: ["x", "data"] }],
    [["x", { under: "data" }]],
  ])("%j matches", (target) => {
    expect(answer({ target })).toBe("yes");
  });

  test.each([
    ["data/orders"],
    [{ prefix: "ata" }],
    [{ under: "dat" }],
    [{ under: "data/orders" }],
    [{ under: "data/orders.csv/x" }],
    [["x", { under: "y" }, { prefix: "z" }]],
  ])("%j does not", (target) => {
    expect(answer({ target })).toBe("no");
  });

  test.each([["x"], [{ prefix: "x" }], [{ under: "data" }], [{ url: {} }], [["x", { url: {} }]]])(
    "%j is unclear without a target",
    (target) => {
      expect(answer({ target }, { target: undefined })).toBe("unclear");
    },
  );

  test("an absolute path and a URL are under nothing", () => {
    expect(answer({ target: { under: "data" } }, { target: "/data/x" })).toBe("no");
    expect(answer({ target: { under: "data" } }, { target: "https://example.com/data/x" })).toBe("no");
  });

  test.each([
    "data/../secrets/x",
    "./data/x",
    "data//x",
    "data\\x",
    "data/x/",
    "data/\u0000x",
    "C:/data",
    "https://x/..",
  ])("what only resembles a path, such as %j, is unclear", (target) => {
    expect(answer({ target: { under: "secrets" } }, { target })).toBe("unclear");
    expect(judge({ target: { under: "secrets" } }, { target }, "deny")).toEqual({
      verdict: "deny",
      ruleIds: ["r1"],
      rationale: "evaluation error: /target could not be judged",
      obligations: {},
    });
  });

  test("one of several that says yes is enough, whatever is unclear", () => {
    expect(answer({ target: [{ url: {} }, { prefix: "data" }] })).toBe("yes");
    expect(answer({ target: [{ url: {} }, { prefix: "x" }] })).toBe("unclear");
  });
});

describe("parameters", () => {
  test.each([
    [{ "/at": 5 }, 5],
    [{ "/at": "x" }, "x"],
    [{ "/at": null }, null],
    [{ "/at": false }, false],
    [{ "/at": { in: [1, "a", null] } }, null],
    [{ "/at": { min: 5 } }, 5],
    [{ "/at": { max: 5 } }, 5],
    [{ "/at": { min: -1, max: 1 } }, 0.5],
    [{ "/at": { matches: "b+" } }, "abbc"],
    [{ "/at": { matches: "^a.c$" } }, "a😀c"],
    [{ "/at/0/x~1y~0z": 1 }, [{ "x/y~z": 1 }]],
    [{ "/at/": 1 }, { "": 1 }],
  ])("%j matches %j", (parameters, value) => {
    expect(answer({ parameters }, at(value))).toBe("yes");
  });

  test.each([
    [{ "/at": 5 }, "5"],
    [{ "/at": "5" }, 5],
    [{ "/at": false }, null],
    [{ "/at": false }, 0],
    [{ "/at": "x" }, ["x"]],
    [{ "/at": { in: ["1"] } }, 1],
    [{ "/at": { in: [1] } }, [1]],
    [{ "/at": { min: 5 } }, 4.999],
    [{ "/at": { max: 5 } }, 5.001],
    [{ "/at": { matches: "^b" } }, "ab"],
    [{ "/at": { matches: "a$" } }, "a\n"],
    [{ "/at": { matches: "a.b" } }, "a\nb"],
    [{ "/at": { matches: "A" } }, "a"],
  ])("%j does not match %j", (parameters, value) => {
    expect(answer({ parameters }, at(value))).toBe("no");
  });

  test.each([
    [{ "/other": 5 }, 5],
    [{ "/at/x": 5 }, 5],
    [{ "/at/x": 5 }, null],
    [{ "/at/1": 5 }, [5]],
    [{ "/at/00": 5 }, [5]],
    [{ "/at/-": 5 }, [5]],
    [{ "/at/-1": 5 }, [5]],
    [{ "/at/0.0": 5 }, [5]],
    [{ "/at/length": 1 }, [5]],
    [{ "/at/length": 1 }, "x"],
    [{ "/at/toString": 1 }, {}],
    [{ "/at/constructor/name": "Object" }, {}],
    [{ "/at": { min: 5 } }, "9"],
    [{ "/at": { max: 5 } }, null],
    [{ "/at": { matches: "x" } }, ["x"]],
  ])("%j is unclear for %j", (parameters, value) => {
    expect(answer({ parameters }, at(value))).toBe("unclear");
  });

  test("all pointers must hold", () => {
    const parameters = { "/a": 1, "/b": { min: 2 } };
    expect(answer({ parameters }, { parameters: { a: 1, b: 2 } })).toBe("yes");
    expect(answer({ parameters }, { parameters: { a: 1, b: 1 } })).toBe("no");
    expect(answer({ parameters }, { parameters: { a: 1 } })).toBe("unclear");
  });
});

describe("unclear members", () => {
  test("are no match outside deny rules, so that a later rule decides", () => {
    const parameters = { "/missing": 1 };
    for (const verdict of ["allow", "require_approval", "defer"] as const) {
      const policy = policyOf(ruleOf({ parameters }, verdict, "a"), ruleOf({}, "allow", "b"));
      expect(evaluatePolicy(compilePolicy(policy), subjectOf()).ruleIds).toEqual(["b"]);
    }
  });

  test("stop at a deny rule whose other members match", () => {
    const deny = ruleOf({ action: "fs.*", parameters: { "/missing": 1 } }, "deny", "a");
    const policy = compilePolicy(policyOf(deny, ruleOf({}, "allow", "b")));
    expect(evaluatePolicy(policy, subjectOf())).toEqual({
      verdict: "deny",
      ruleIds: ["a"],
      rationale: "evaluation error: /parameters/~1missing could not be judged",
      obligations: {},
    });
    expect(evaluatePolicy(policy, subjectOf({ action: "http.get" })).ruleIds).toEqual(["b"]);
  });

  test("do not stop at a deny rule in which another member says no, wherever it stands", () => {
    const deny = ruleOf({ target: { url: {} }, parameters: { "/missing": 1, "/path": "y" } }, "deny", "a");
    const policy = compilePolicy(policyOf(deny, ruleOf({}, "allow", "b")));
    expect(evaluatePolicy(policy, subjectOf()).ruleIds).toEqual(["b"]);
  });
});

describe("never throws", () => {
  test("a failing rule is a deny by that rule", () => {
    const compiled = compilePolicy(policyOf(ruleOf({ tenant: "other" }, "allow", "a"), ruleOf({}, "allow", "b")));
    const boom = () => {
      throw new Error("boom");
    };
    const rules = compiled.rules.map((one) =>
      one.rule.id === "b" ? { ...one, members: [{ name: "/x", test: boom }] } : one,
    );
    const broken = { ...compiled, rules, rulesFor: () => rules };
    expect(evaluatePolicy(broken, subjectOf())).toEqual({
      verdict: "deny",
      ruleIds: ["b"],
      rationale: "evaluation error: boom",
      obligations: {},
    });
  });

  test.each([undefined, null, {}, { intent: null }, { intent: {} }])("for the subject %j", (subject) => {
    const policy = compilePolicy(policyOf(ruleOf({ action: "fs.*", parameters: { "/x": 1 } })));
    expect(evaluatePolicy(policy, subject as unknown as PolicySubject).verdict).toBe("deny");
  });
});

test("more actions than are kept at hand", () => {
  const policy = compilePolicy(policyOf(ruleOf({ action: "a.*" }, "allow", "a"), ruleOf({}, "deny", "b")));
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 600; i++) {
      const action = `${i % 2 === 0 ? "a" : "x"}.n${i}`;
      expect(evaluatePolicy(policy, subjectOf({ action })).ruleIds).toEqual([i % 2 === 0 ? "a" : "b"]);
    }
  }
});

test("explain answers for every rule and member, also past the deciding one", () => {
  const policy = compilePolicy(
    policyOf(
      ruleOf({ action: "fs.*", parameters: { "/missing": 1 } }, "allow", "a"),
      ruleOf({ action: "fs.*", parameters: { "/missing": 1 } }, "deny", "b"),
      ruleOf({ tenant: "other" }, "allow", "c"),
      ruleOf({}, "allow", "d"),
    ),
  );
  const members = [
    { name: "/action", answer: "yes" },
    { name: "/parameters/~1missing", answer: "unclear" },
  ];
  expect(explainPolicy(policy, subjectOf())).toEqual([
    { ruleId: "a", verdict: "allow", answer: "no", members },
    { ruleId: "b", verdict: "deny", answer: "unclear", members },
    { ruleId: "c", verdict: "allow", answer: "no", members: [{ name: "/tenant", answer: "no" }] },
    { ruleId: "d", verdict: "allow", answer: "yes", members: [] },
  ]);
});
