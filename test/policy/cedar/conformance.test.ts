import { describe, expect, it, test } from "vitest";
import { policySchema } from "../../../src/contracts/policy.js";
import { compileProgram } from "../../../src/policy/program.js";
import { subjectOf } from "../helpers.js";
import { groups } from "./cases.js";
import { cedarOf, engine } from "./support.js";

describe.each(groups)("$name", ({ rules, cedar, cases }) => {
  const document = policySchema.parse({ schema: "exoarmur.policy/v1", policyId: "test", version: 1, rules });
  const programs = [
    ["rules", compileProgram(document, null)],
    ["Cedar", compileProgram(cedarOf(cedar.policies, cedar), engine)],
  ] as const;

  describe.each(programs)("%s", (_language, program) => {
    it.each(cases)("$name", ({ of, attestations = [], verdict, ids }) => {
      const outcome = program.evaluate({ ...subjectOf(of), attestations });
      expect(outcome.verdict, outcome.rationale).toBe(verdict);
      if (ids !== undefined) expect(outcome.ruleIds).toEqual(ids);
    });
  });

  it("obliges to the same", () => {
    for (const { of, attestations = [] } of cases) {
      const [first, second] = programs.map(([, program]) => program.evaluate({ ...subjectOf(of), attestations }));
      if (first?.verdict === "require_approval") expect(second?.obligations).toEqual(first.obligations);
    }
  });
});

test("more is denied than let through", () => {
  const all = groups.flatMap(({ cases }) => cases);
  const through = all.filter(({ verdict }) => verdict !== "deny").length;
  expect(all.length - through).toBeGreaterThan(through * 2);
});
