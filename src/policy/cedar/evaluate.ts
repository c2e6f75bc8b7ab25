import { clipText } from "../../canonical/clip-text.js";
import { isExoArmurError } from "../../errors.js";
import type { PolicyOutcome } from "../evaluate.js";
import type { RuleExplanation } from "../explain.js";
import type { Answer, PolicySubject } from "../match.js";
import type { CedarRule } from "./annotations.js";
import { combinePermits } from "./combine.js";
import type { CompiledCedar } from "./compile.js";
import type { CedarRequest, Json } from "./instance.js";
import { engineFailure } from "./names.js";
import { requestOf } from "./request.js";

/** A rationale's greatest length in a decision, in UTF-16 code units. */
const maxRationale = 4000;

/**
 * Judges one subject (spec/policy-cedar.md). A policy that cannot be evaluated is a deny, also where Cedar would pass over
 * it: a forbid that fails would else let through what it forbids, and a permit that fails may be the one that asks for
 * approval. Never throws but for the engine: EXO_CEDAR_ENGINE.
 */
export function evaluateCedar(policy: CompiledCedar, subject: PolicySubject): PolicyOutcome {
  if (!policy.actions.has(subject.intent.action)) return denied(["default"], "the schema declares no such action");
  const request = requestOf(subject, policy.known);
  if (typeof request === "string") return failedIn(["default"], `the request cannot be put to Cedar: ${request}`);
  const answer = policy.prepared.ask(request);
  if ("refused" in answer) return failedIn(["default"], "the request is not valid under the schema");
  const errors = answer.errors.map(({ id }) => id);
  if (errors.length > 0) return failedIn(errors, `${listed(errors)} could not be evaluated`);
  const deciding = answer.reasons.map((id) => policy.rules.get(id)).filter((rule) => rule !== undefined);
  if (answer.decision === "deny") {
    if (deciding.length === 0) return denied(["default"], "no policy permits it");
    return denied(idsOf(deciding), rationaleOf(deciding, "forbidden by"));
  }
  const ids = idsOf(deciding);
  if (ids.length !== answer.reasons.length || ids.length === 0) return failedIn(["default"], "no policy determined it");
  const combined = combinePermits(deciding);
  if ("problem" in combined) return failedIn(ids, `${listed(ids)} hold at once, and ${combined.problem}`);
  return { ...combined, ruleIds: ids, rationale: rationaleOf(deciding, "permitted by") };
}

/** As evaluateCedar, and a deny when the engine fails: for who must decide now. */
export function evaluateCedarNow(policy: CompiledCedar, subject: PolicySubject): PolicyOutcome {
  try {
    return evaluateCedar(policy, subject);
  } catch (error) {
    const known = isExoArmurError(error, "EXO_CEDAR_ENGINE");
    return known ? denied(["default"], engineFailure) : failedIn(["default"], "the evaluator failed");
  }
}

/**
 * How every policy answers for a subject by itself, those that did not decide too: `scope` are its principal, action and
 * resource, `conditions` what follows. `unclear` is an evaluation error. EXO_CEDAR_ENGINE.
 */
export function explainCedar(policy: CompiledCedar, subject: PolicySubject): RuleExplanation[] {
  const request = requestOf(subject, policy.known);
  return [...policy.rules.values()].map(({ id, verdict }) => {
    if (typeof request === "string") return { ruleId: id, verdict, answer: "unclear", members: [] };
    const text = policy.texts[id] ?? "";
    const tree = policy.engine.tree(text);
    const bare = typeof tree === "string" ? text : { ...tree, conditions: [] };
    const ask = (one: string | Json) => answerOf(policy, request, id, one);
    const scope = ask(bare as string | Json);
    const answer = scope === "yes" ? ask(text) : scope;
    const members = [{ name: "/scope", answer: scope }, ...(scope === "yes" ? [{ name: "/conditions", answer }] : [])];
    return { ruleId: id, verdict, answer, members };
  });
}

function answerOf({ engine, schema }: CompiledCedar, request: CedarRequest, id: string, policy: string | Json): Answer {
  const found = engine.askOnce(schema, { [id]: policy }, request);
  if ("refused" in found || found.errors.length > 0) return "unclear";
  return found.reasons.length > 0 ? "yes" : "no";
}

function idsOf(rules: readonly CedarRule[]): string[] {
  return rules.map(({ id }) => id);
}

function rationaleOf(rules: readonly CedarRule[], otherwise: string): string {
  const given = rules.flatMap(({ rationale }) => rationale ?? []);
  return clipText(given.length > 0 ? given.join("; ") : `${otherwise} ${listed(idsOf(rules))}`, maxRationale);
}

function listed(ids: readonly string[]): string {
  return ids.length > 10 ? `${ids.slice(0, 10).join(", ")} and ${ids.length - 10} more` : ids.join(", ");
}

function denied(ruleIds: string[], rationale: string): PolicyOutcome {
  return { verdict: "deny", ruleIds, rationale, obligations: {} };
}

function failedIn(ruleIds: string[], why: string): PolicyOutcome {
  return denied(ruleIds, clipText(`evaluation error: ${why}`, maxRationale));
}
