import { z } from "zod";
import type { ErrorCode, errorTable } from "../errors.js";
import { nameSchema } from "./common.js";
import type { Reason } from "./event.js";

/** One thing that can be done: its stable name, who can do it, and what to do. `again`: it asks for the action anew. */
type Step = {
  readonly by: "agent" | "approver" | "operator" | "policy-author" | "plugin-author";
  readonly text: string;
  readonly again?: true;
};

/** Every step there is (spec/contracts.md, Result of an action). */
const steps = {
  wait: { by: "agent", text: "wait first; what stands in the way passes by itself" },
  send_again: { by: "agent", text: "send the same request again, under the same idempotencyKey", again: true },
  new_key: {
    by: "agent",
    text: "ask again under a new idempotencyKey; under the same one this answer comes again",
    again: true,
  },
  correct_request: {
    by: "agent",
    text: "correct what the message names, and ask under a new idempotencyKey",
    again: true,
  },
  ask_less: { by: "agent", text: "ask for what the rules of ruleIds allow, or leave it" },
  check_effects: {
    by: "agent",
    text: "part of it was done: find out what is there, and ask for no more than the rest",
  },
  do_not_repeat: { by: "agent", text: "do not ask for it again before it is closed: it may have been done" },
  see_holder: { by: "agent", text: "look at the intent that the message names: it does, or did, the same" },
  new_approval: {
    by: "agent",
    text: "ask again under a new idempotencyKey; approvers are then shown what would run now",
    again: true,
  },
  read_outcome: { by: "agent", text: "go on from the outcome that the message names; it is final" },
  ask_approver: { by: "approver", text: "decide before the request expires; a deny names its reason" },
  allow_in_policy: {
    by: "policy-author",
    text: "sign a policy whose rules allow it, or ask for approval, if it should be possible",
  },
  mend_policy: { by: "policy-author", text: "mend the policy: exoarmur policy test shows what it cannot evaluate" },
  grant: { by: "operator", text: "if it should be possible, grant it in config.json as missing.message says" },
  lift_switch: { by: "operator", text: "take the kill switch off once it is safe: exoarmur killswitch off" },
  raise_budget: { by: "operator", text: "raise the tenant's budget in config.json, or let the window pass" },
  see_safety: { by: "operator", text: "look at what the safety gate goes by: safety in config.json" },
  admit_approvers: { by: "operator", text: "enter enough people with the role into trust.json" },
  see_tenants: { by: "operator", text: "name the tenant in config.json, if it is one of this cell's" },
  see_plugins: { by: "operator", text: "install or name a plugin for the action: exoarmur plugins list" },
  see_trust: { by: "operator", text: "look at who counts for it in trust.json: exoarmur keys trust" },
  resolve: { by: "operator", text: "find out what happened, and close it: exoarmur resolve" },
  see_host: { by: "operator", text: "look at the machine and its log: exoarmur doctor" },
  see_configuration: { by: "operator", text: "look at secrets and vaults in config.json" },
  new_credential: { by: "operator", text: "make a credential that counts: exoarmur tokens new" },
  raise_limits: { by: "operator", text: "raise the limit that the message names, in manifest or policy" },
  mend_plugin: { by: "plugin-author", text: "mend the plugin; exoarmur replay shows the run step by step" },
} as const satisfies Readonly<Record<string, Step>>;

/** Name of a step. */
type StepName = keyof typeof steps;

/** Codes of what was not allowed and of how guests end: each of them must have its steps. */
type Ending = {
  [C in ErrorCode]: (typeof errorTable)[C][0] extends "denied" | "execution" ? C : never;
}[ErrorCode];

const badModule = ["see_plugins", "mend_plugin"] as const;
const notAdmitted = ["see_plugins", "see_trust"] as const;
const tooLittle = ["ask_less", "raise_limits", "mend_plugin"] as const;
const ofTheGuest = ["correct_request", "mend_plugin"] as const;
const outside = ["ask_less", "grant"] as const;
const passing = ["wait", "new_key", "see_host"] as const;
const notTaken = ["wait", "send_again"] as const;

/** What can be done, by code, first what comes first. */
const stepsByCode: Readonly<Record<Ending, readonly StepName[]> & Partial<Record<ErrorCode, readonly StepName[]>>> = {
  EXO_WASM_FEATURE: badModule,
  EXO_WASM_IMPORT: badModule,
  EXO_WASM_EXPORT: badModule,
  EXO_WASM_LIMIT: badModule,
  EXO_PLUGIN_DIGEST: badModule,
  EXO_PLUGIN_REFUSED: badModule,
  EXO_PLUGIN_UNSIGNED: notAdmitted,
  EXO_PLUGIN_SIGNATURE: notAdmitted,
  EXO_GUEST_ERROR: ofTheGuest,
  EXO_OUTPUT_SCHEMA: ["mend_plugin"],
  EXO_TRAPPED: ofTheGuest,
  EXO_OUT_OF_FUEL: tooLittle,
  EXO_OUT_OF_MEMORY: tooLittle,
  EXO_STACK_OVERFLOW: tooLittle,
  EXO_OUTPUT_LIMIT: tooLittle,
  EXO_HOST_CALL_LIMIT: tooLittle,
  EXO_CAPABILITY_DENIED: outside,
  EXO_TIMED_OUT: passing,
  EXO_HOST_FAULT: passing,
  EXO_KERNEL_BOUNDS: ["mend_plugin"],
  EXO_OVERLOADED: notTaken,
  EXO_ISOLATION: ["see_host"],
  EXO_CAPABILITY_UNAVAILABLE: ["see_host"],
  EXO_FS_PATH: ["correct_request"],
  EXO_FS_NOT_FOUND: ["correct_request"],
  EXO_FS_EXISTS: ["correct_request"],
  EXO_FS_KIND: ["correct_request"],
  EXO_FS_SIZE: tooLittle,
  EXO_FS_IO: passing,
  EXO_HTTP_NO_ANSWER: passing,
  EXO_HTTP_TLS: ["see_host"],
  EXO_HTTP_UNREACHABLE: passing,
  EXO_KV_SIZE: tooLittle,
  EXO_KV_FULL: tooLittle,
  EXO_KV_IO: passing,
  EXO_SECRET_DENIED: outside,
  EXO_SECRET_UNKNOWN: ["see_configuration"],
  EXO_SECRET_VALUE: ["see_configuration"],
  EXO_VAULT: ["see_configuration"],
  EXO_EFFECT_UNKNOWN: ["do_not_repeat", "resolve"],
  EXO_POLICY_DENIED: ["ask_less", "allow_in_policy"],
  EXO_POLICY_ERROR: ["mend_policy"],
  EXO_POLICY_DEFERRED: ["ask_less", "allow_in_policy"],
  EXO_SAFETY_DENIED: ["wait", "new_key", "see_safety"],
  EXO_KILL_SWITCH: ["wait", "lift_switch", "new_key"],
  EXO_BUDGET: ["wait", "new_key", "raise_budget"],
  EXO_VERDICT_UNKNOWN: ["mend_policy"],
  EXO_INTENT_EXPIRED: ["correct_request"],
  EXO_EXECUTOR_UNKNOWN: ["correct_request", "see_plugins"],
  EXO_EXECUTOR_AMBIGUOUS: ["correct_request"],
  EXO_TARGET_MISMATCH: ["correct_request"],
  EXO_INPUT_SCHEMA: ["correct_request"],
  EXO_PARAMETERS: ["correct_request"],
  EXO_TENANT_UNKNOWN: ["correct_request", "see_tenants"],
  EXO_ACTOR: ["correct_request"],
  EXO_ATTESTATION: ["correct_request"],
  EXO_ATTESTATION_SIGNATURE: ["correct_request", "see_trust"],
  EXO_EFFECT_KEY_HELD: ["see_holder", "wait", "new_key"],
  EXO_CANCELLED: ["new_key"],
  EXO_CONFLICT: ["wait", "new_key"],
  EXO_IDEMPOTENCY_CONFLICT: ["new_key"],
  EXO_INTENT_REUSED: ["correct_request"],
  EXO_APPROVAL_DENIED: ["ask_less"],
  EXO_APPROVAL_EXPIRED: ["new_approval", "ask_approver"],
  EXO_APPROVAL_HELD: ["correct_request", "allow_in_policy"],
  EXO_APPROVAL_PENDING: ["ask_approver"],
  EXO_APPROVAL_STALE: ["new_approval", "ask_approver"],
  EXO_APPROVAL_ROSTER: ["admit_approvers", "new_key"],
  EXO_IN_DOUBT: ["do_not_repeat", "resolve"],
  EXO_CLOSED: notTaken,
  EXO_AUTHENTICATION: ["new_credential"],
  EXO_FORBIDDEN: ["ask_less", "new_credential"],
  EXO_MEDIA_TYPE: ["correct_request"],
  EXO_ORIGIN: ["correct_request"],
  EXO_RATE: notTaken,
  EXO_SCHEMA: ["correct_request"],
  EXO_JSON_SIZE: ["ask_less"],
  EXO_INTERNAL: ["see_host"],
};

/** Codes of denials that lacked nothing but an approval. */
const approvalCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "EXO_APPROVAL_EXPIRED",
  "EXO_APPROVAL_STALE",
  "EXO_APPROVAL_ROSTER",
]);

/** Who can do what next. */
const nextStepSchema = z.strictObject({
  step: nameSchema,
  by: z.enum(["agent", "approver", "operator", "policy-author", "plugin-author"]),
  text: z.string().max(200),
});

/** Most steps of one reason. */
const maxSteps = 8;

/** One step as it is shown. */
export type NextStep = z.infer<typeof nextStepSchema>;

/** Steps as they are shown. */
export const nextStepsSchema = z.array(nextStepSchema).max(maxSteps);

/**
 * What can be done about a reason (spec/contracts.md, Result of an action). It follows from the reason and the record of
 * the run, is made when a result is shown, and is recorded nowhere.
 */
export const adviceSchema = z.strictObject({
  /** It lacked nothing but an approval, which can be given when it is asked for again. */
  approvalCouldHelp: z.boolean(),
  nextSteps: nextStepsSchema,
  /** The grant that was missing, of a run that ended for it: the message has the line for config.json. */
  missing: z.strictObject({ capability: nameSchema, message: z.string().max(4000) }).optional(),
});

/** What can be done about a reason. */
export type Advice = z.infer<typeof adviceSchema>;

/** How an intent stands that was not executed. */
export type UndoneEnd = "denied" | "failed" | "in_doubt" | "resolved";

/** Steps of a code; none for one that has no row, such as a code of a later build. */
export function nextStepsOf(code: string): NextStep[] {
  return shown(namesOf(code));
}

/** What can be done about an intent that ended, or stands, like this. `denied` is its first call outside the grant. */
export function adviceOn(
  end: UndoneEnd,
  { code, retrySafe }: Pick<Reason, "code" | "retrySafe">,
  denied: { readonly capability: string; readonly message: string } | null = null,
): Advice {
  const missing = denied === null ? {} : { missing: { capability: denied.capability, message: denied.message } };
  const approvalCouldHelp = end === "denied" && approvalCodes.has(code);
  return { approvalCouldHelp, nextSteps: shown(stepsAfter(end, code, retrySafe)), ...missing };
}

function stepsAfter(end: UndoneEnd, code: string, retrySafe: boolean): readonly StepName[] {
  if (end === "resolved") return retrySafe ? ["new_key"] : ["read_outcome"];
  // An intent that has ended stays so: under its own key it is not done again.
  const usual = namesOf(code).map((name) => (name === "send_again" ? "new_key" : name));
  if (end !== "failed" || retrySafe) return usual;
  // Something was written before it failed: asking for the whole again would do that part twice.
  return ["check_effects", ...usual.filter((name) => !("again" in steps[name]))];
}

function namesOf(code: string): readonly StepName[] {
  return Object.hasOwn(stepsByCode, code) ? (stepsByCode[code as ErrorCode] ?? []) : [];
}

function shown(names: readonly StepName[]): NextStep[] {
  return names.map((step) => ({ step, by: steps[step].by, text: steps[step].text }));
}
