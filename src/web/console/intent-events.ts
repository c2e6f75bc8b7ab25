import type { JsonValue } from "../../canonical/jcs.js";
import { type CanonicalEvent, type EventPayload, type EventType, eventPayloads } from "../../contracts/event.js";
import { formatCount, formatPages, shortDigest } from "../../replay/story/format.js";
import { shorten } from "../visible.js";

/** Most characters of a telling. */
const mostTold = 240;

type Telling = { readonly [T in EventType]?: (payload: EventPayload<T>) => string };

/** A few words on each event; the payload has everything. */
const tellings: Telling = {
  intent_received: ({ requester }) => `handed in by ${requester.principal} (${requester.method})`,
  policy_evaluated: ({ decision }) => `${decision.verdict.replaceAll("_", " ")}, by ${decision.ruleIds.join(", ")}`,
  safety_evaluated: ({ verdict }) => `${verdict.verdict.replaceAll("_", " ")}, by ${verdict.ruleIds.join(", ")}`,
  verdict_resolved: ({ final }) => `${final.verdict.replaceAll("_", " ")}, by ${final.ruleIds.join(", ")}`,
  approval_requested: ({ request }) =>
    `${request.threshold} of ${request.roster.map(({ id }) => id).join(", ")}, until ${request.expiresAt}`,
  approval_granted: ({ approver }) => `by ${approver}`,
  approval_denied: ({ approver, reason }) => `by ${approver}: ${reason}`,
  approval_expired: ({ expiresAt }) => `at ${expiresAt}`,
  execution_started: ({ pluginDigest }) => `plugin ${shortDigest(pluginDigest)}`,
  effect_started: ({ seq, capability }) => `host call ${formatCount(seq)}: ${capability}`,
  execution_completed: ({ execution }) => figures(execution),
  execution_failed: ({ execution, reason }) => `${reason.code}: ${reason.message} (${figures(execution)})`,
  intent_denied: ({ reason }) => `${reason.code}: ${reason.message}`,
  execution_in_doubt: ({ cause, effects }) =>
    `${cause}, ${formatCount(effects.length)} ${effects.length === 1 ? "effect" : "effects"} had begun`,
  execution_resolved: ({ outcome, resolver }) => `${outcome.replaceAll("_", " ")}, by ${resolver}`,
  kill_switch_changed: ({ tenantId, on }) =>
    `${on ? "on" : "off"} for ${tenantId === null ? "every tenant" : tenantId}`,
  trust_score_changed: ({ actorId, score }) => `${actorId}: ${score}`,
  policy_changed: ({ policyId, version, change }) =>
    `${policyId} version ${version}${change === undefined ? "" : `, ${change.result}`}`,
  policy_proposed: ({ policyId, version }) => `${policyId} version ${version}`,
  policy_withdrawn: ({ policyId, version }) => `${policyId} version ${version}`,
  plugin_admitted: ({ name, version }) => `${name} ${version}`,
  key_rotated: ({ role, id }) => `${role} ${id}`,
  key_revoked: ({ role, id, reason = "" }) => `${role} ${id}${reason === "" ? "" : `: ${reason}`}`,
  access_denied: ({ denials }) =>
    denials.map(({ count, cause, route }) => `${count} ${cause} at ${route ?? "no route"}`).join(", "),
};

function figures({ fuel, memoryPeakPages, transcript }: EventPayload<"execution_completed">["execution"]): string {
  const calls = `${formatCount(transcript.size)} host ${transcript.size === 1 ? "call" : "calls"}`;
  return `${formatCount(fuel.used)} of ${formatCount(fuel.limit)} fuel, ${calls}, at most ${formatPages(memoryPeakPages)} of memory`;
}

/** An event in a few words, visible as they are; empty for a type, or a payload, that this build does not know. */
export function tellEvent({ eventType, payload }: Pick<CanonicalEvent, "eventType" | "payload">): string {
  if (!Object.hasOwn(tellings, eventType)) return "";
  const type = eventType as EventType;
  const parsed = eventPayloads[type].safeParse(payload satisfies JsonValue);
  const tell = tellings[type] as ((payload: unknown) => string) | undefined;
  return parsed.success && tell !== undefined ? shorten(tell(parsed.data), mostTold) : "";
}
