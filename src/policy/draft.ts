import { formatTime } from "../canonical/time.js";
import type { ActionIntent, IntentDraft } from "../contracts/intent.js";
import type { PolicySubject } from "./match.js";

/** What a draft leaves open and a rule can read. `target`: what the executor would act on, where one is known. */
export type DraftDefaults = {
  readonly tenantId: string;
  readonly cellId: string;
  readonly target?: string | undefined;
  readonly executor?: ActionIntent["executor"];
  readonly effects?: PolicySubject["effects"];
};

/**
 * A draft as a policy would judge it, without a runtime: what is left out is filled from `defaults`, or with the
 * placeholders of members that no rule can read (ids, times, salt). The requester is the actor itself.
 */
export function draftSubject(draft: IntentDraft, defaults: DraftDefaults): PolicySubject {
  const { $schema: _hint, actor, executor, ...given } = draft;
  const who = typeof actor === "string" ? { id: actor, type: "agent" } : actor;
  const named = defaults.executor ?? (typeof executor === "string" ? { name: executor } : executor);
  const target = draft.target ?? defaults.target;
  const placeholder = "0".repeat(26);
  const intent: ActionIntent = {
    ...given,
    schema: "exoarmur.intent/v1",
    intentId: given.intentId ?? placeholder,
    correlationId: given.correlationId ?? placeholder,
    tenantId: given.tenantId ?? defaults.tenantId,
    cellId: given.cellId ?? defaults.cellId,
    actor: who,
    ...(target === undefined ? {} : { target }),
    ...(named === undefined ? {} : { executor: named }),
    idempotencyKey: given.idempotencyKey ?? placeholder,
    requestedAt: given.requestedAt ?? formatTime(0),
    salt: "A".repeat(43),
  };
  return { intent, requester: { principal: who.id, method: "library" }, effects: defaults.effects ?? null };
}
