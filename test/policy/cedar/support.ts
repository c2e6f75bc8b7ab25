import { type CedarPolicy, cedarPolicySchema } from "../../../src/contracts/policy-cedar.js";
import type { PolicyOutcome } from "../../../src/policy/evaluate.js";
import { type CedarEngine, compileProgram, type PolicyProgram } from "../../../src/policy/program.js";
import { loadCedar } from "../../../src/runtime/cedar.js";
import { subjectOf } from "../helpers.js";

/** The engine of the tests. None of them may break it: what is hostile is refused before it. */
export const engine: CedarEngine = await loadCedar();

/** A schema of actions that take any of these parameters. */
export function schemaOf(actions: readonly string[], parameters = "path?: String"): string {
  const groups = [...new Set(actions.map((action) => action.split(".")[0] ?? ""))];
  const names = actions.map((action) => {
    const group = JSON.stringify(action.split(".")[0]);
    return `action ${JSON.stringify(action)} in [${group}] appliesTo {
      principal: Actor, resource: [Target, Cell], context: { request: Request, parameters: { ${parameters} } } };`;
  });
  return [...groups.map((group) => `action ${JSON.stringify(group)};`), ...names].join("\n");
}

/** A policy document with the usual actions. */
export function cedarOf(policies: string, more: Partial<CedarPolicy> = {}): CedarPolicy {
  return cedarPolicySchema.parse({
    schema: "exoarmur.policy.cedar/v1",
    policyId: "test",
    version: 1,
    cedarSchema: schemaOf(["fs.remove", "fs.read"], "path?: String, count?: Long"),
    policies,
    ...more,
  });
}

export function programOf(policies: string, more: Partial<CedarPolicy> = {}): PolicyProgram {
  return compileProgram(cedarOf(policies, more), engine);
}

/** What policies say of the base intent with changes. */
export function judge(policies: string, changes: Parameters<typeof subjectOf>[0] = {}): PolicyOutcome {
  return programOf(policies).evaluate(subjectOf(changes));
}
