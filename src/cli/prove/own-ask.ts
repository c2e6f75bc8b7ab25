import type { JsonValue } from "../../canonical/jcs.js";
import type { ActionIntent } from "../../contracts/intent.js";
import type { PolicyDocument, PolicyRule } from "../../contracts/policy.js";
import { compilePolicy } from "../../policy/compile.js";
import { evaluatePolicy } from "../../policy/evaluate.js";
import { scratchNames } from "./guests.js";

/** An action that a rule asks a person for: who asks for what, and of which executor. */
export type Ask = {
  readonly ruleId: string;
  readonly executor: string;
  readonly action: string;
  readonly actor: { readonly id: string; readonly type: string };
  /** Also the parameter `path`. */
  readonly target: string;
  readonly parameters: { readonly [key: string]: JsonValue };
};

/** Who asks where a rule does not say. */
const anybody = { id: "exoarmur-prove-agent", type: "agent" } as const;

/** Names an executor can have: the stand-in's files are called so. */
const executorForm = /^[a-z0-9][a-z0-9_-]{0,99}$/;

const guestNames: ReadonlySet<string> = new Set(Object.values(scratchNames));

/** Policies judge no time of the request. */
const seenTime = "2026-01-01T00:00:00.000Z";

/**
 * An action that the policy as it is asks a person for, made up from the first rule that allows one to be made up;
 * undefined when there is none. The policy itself is asked whether it would.
 */
export function ownAsk(policy: PolicyDocument, place: { tenantId: string; cellId: string }): Ask | undefined {
  const compiled = compilePolicy(policy);
  for (const rule of policy.rules) {
    if (rule.verdict !== "require_approval") continue;
    const ask = askOf(rule);
    if (ask === undefined) continue;
    const { verdict, ruleIds } = evaluatePolicy(compiled, {
      intent: intentOf(ask, place),
      requester: { principal: ask.actor.id, method: "library" },
      effects: "write",
      attestations: [],
    });
    if (verdict === "require_approval" && ruleIds.includes(rule.id)) return ask;
  }
  return undefined;
}

/** What a rule's match says by itself; the rest is left to the policy, which may find that it does not fit. */
function askOf({ id, match }: PolicyRule): Ask | undefined {
  const pattern = first(match.action);
  const target = first(match.target);
  if (pattern === undefined || (typeof target === "object" && "url" in target)) return undefined;
  const path = targetText(target);
  const parameters: Record<string, JsonValue> = { path };
  const executor = first(match.executor) ?? `${scratchNames.inert}-stand-in`;
  if (!executorForm.test(executor) || guestNames.has(executor)) return undefined;
  for (const [pointer, wanted] of Object.entries(match.parameters ?? {})) {
    const name = pointer.slice(1);
    if (name === "" || name === "path" || /[/~]/.test(name)) return undefined;
    if (typeof wanted !== "object" || wanted === null) parameters[name] = wanted;
    else if ("in" in wanted) parameters[name] = wanted.in[0] ?? null;
    else if (!("matches" in wanted)) parameters[name] = wanted.min ?? wanted.max ?? 0;
  }
  return {
    ruleId: id,
    executor,
    action: pattern === "*" ? "exoarmur_prove_own.idle" : pattern.replace(/\*$/, "exoarmur_prove"),
    actor: { id: first(match.actor?.id) ?? anybody.id, type: first(match.actor?.type) ?? anybody.type },
    target: path,
    parameters,
  };
}

function first<T>(value: T | readonly T[] | undefined): T | undefined {
  return Array.isArray(value) ? (value as readonly T[])[0] : (value as T | undefined);
}

type Target = Exclude<NonNullable<PolicyRule["match"]["target"]>, readonly unknown[]>;

function targetText(target: Target | undefined): string {
  if (target === undefined) return "exoarmur-prove";
  if (typeof target === "string") return target;
  if ("prefix" in target) return `${first(target.prefix) ?? ""}exoarmur-prove`;
  return "under" in target ? `${first(target.under) ?? ""}/exoarmur-prove` : "exoarmur-prove";
}

function intentOf(ask: Ask, { tenantId, cellId }: { tenantId: string; cellId: string }): ActionIntent {
  return {
    schema: "exoarmur.intent/v1",
    intentId: "00000000000000000000000000",
    correlationId: "exoarmur-prove",
    tenantId,
    cellId,
    actor: ask.actor,
    action: ask.action,
    target: ask.target,
    executor: { name: ask.executor, function: "idle" },
    parameters: ask.parameters,
    idempotencyKey: "exoarmur-prove",
    requestedAt: seenTime,
    salt: "A".repeat(43),
  };
}
