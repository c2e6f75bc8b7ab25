import type { EventType } from "./event.js";

/**
 * Where an intent is in its life. `received` to `judged` exist only inside one transaction; `pending`, `started` and
 * `in_doubt` are the states a crash can leave behind; the last four are ends.
 */
export type IntentState =
  | "received"
  | "policy_judged"
  | "safety_judged"
  | "judged"
  | "pending"
  | "refused"
  | "started"
  | "in_doubt"
  | "denied"
  | "completed"
  | "failed"
  | "resolved";

/**
 * The life of an intent as one table (spec/contracts.md): from each state, which event leads where. Whatever is not in
 * the table cannot be recorded, and a bundle whose events do not walk it does not verify.
 */
export const lifecycle: Readonly<Record<IntentState | "none", Readonly<Partial<Record<EventType, IntentState>>>>> = {
  none: { intent_received: "received" },
  received: { policy_evaluated: "policy_judged", intent_denied: "denied" },
  policy_judged: { safety_evaluated: "safety_judged" },
  safety_judged: { verdict_resolved: "judged" },
  judged: { intent_denied: "denied", approval_requested: "pending", execution_started: "started" },
  pending: {
    approval_granted: "pending",
    approval_denied: "refused",
    approval_expired: "refused",
    // Threshold reached: everything is judged again before the start (or a new request, or a denial).
    policy_evaluated: "policy_judged",
    intent_denied: "denied",
  },
  refused: { intent_denied: "denied" },
  started: {
    effect_started: "started",
    execution_completed: "completed",
    execution_failed: "failed",
    execution_in_doubt: "in_doubt",
  },
  in_doubt: { execution_resolved: "resolved" },
  denied: {},
  completed: {},
  failed: {},
  resolved: {},
};

/** States that end an intent. */
export const endStates: ReadonlySet<IntentState> = new Set(["denied", "completed", "failed", "resolved"]);

/** States that a committed transaction can leave an intent in. */
export const restingStates: ReadonlySet<IntentState> = new Set(["pending", "started", "in_doubt", ...endStates]);

/** The state after `eventType`, or undefined when the table has no such step. */
export function advance(state: IntentState | "none", eventType: string): IntentState | undefined {
  return Object.hasOwn(lifecycle[state], eventType) ? lifecycle[state][eventType as EventType] : undefined;
}
