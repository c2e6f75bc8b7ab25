import type { ControlRole, TokenRecord } from "../contracts/access.js";
import type { ActionIntent } from "../contracts/intent.js";
import type { TrustedKey } from "../contracts/trust.js";
import type { IntentRecord } from "../pipeline/documents.js";

/** Whom an agent's intents are by, what they may ask for, and how the agent was authenticated. */
export type AgentGrant = {
  readonly actor: ActionIntent["actor"];
  readonly actions: readonly string[];
  /** `session` reads alone: what a key's holder wants done is signed, each by itself. */
  readonly by: "token" | "signature" | "session";
};

/** Who a request is by, once its credential has been proven (spec/control-plane.md, Roles). */
export type Principal = {
  /** The operator's id of the trust file, or the token's id. */
  readonly name: string;
  /** Id of the key or token that was proven: what rate limits and records of denials go by. */
  readonly credential: string;
  readonly roles: ReadonlySet<ControlRole>;
  /** Tenants it may see and act for; null is the whole cell. */
  readonly tenants: readonly string[] | null;
  /** The session it came with, or null for a token. */
  readonly sessionId: string | null;
  /** What an agent's token or key allows; null for everybody else. */
  readonly agent: AgentGrant | null;
};

/** Whether a principal may see and act for a tenant. */
export function reachesTenant({ tenants }: Principal, tenantId: string): boolean {
  return tenants === null || tenants.includes(tenantId);
}

/** Whether a principal may see an intent: one of its tenants, and for an agent one that it handed in itself. */
export function seesIntent(principal: Principal, { tenantId, requester }: IntentRecord): boolean {
  if (!reachesTenant(principal, tenantId)) return false;
  const { agent } = principal;
  return agent === null || (requester.method !== "library" && requester.principal === agent.actor.id);
}

/** Whether a principal has one of these roles. */
export function hasRole({ roles }: Principal, needed: readonly ControlRole[]): boolean {
  return needed.some((role) => roles.has(role));
}

/** The principal of a proven token. */
export function principalOfToken({ tokenId, tenantId, grant }: TokenRecord): Principal {
  const base = { name: tokenId, credential: tokenId, tenants: [tenantId], sessionId: null };
  if (grant.kind === "monitor") return { ...base, roles: new Set(["monitor"]), tenants: null, agent: null };
  if (grant.kind === "viewer") return { ...base, roles: new Set(["viewer"]), agent: null };
  const { actor, actions } = grant;
  return { ...base, roles: new Set(["agent"]), agent: { actor, actions, by: "token" } };
}

/** The principal of an agent's key: of an intent that it signed, or of a session that it opened. */
export function principalOfAgentKey(
  { id, tenants = [], actions = [] }: TrustedKey,
  keyId: string,
  sessionId: string | null,
): Principal {
  const by = sessionId === null ? "signature" : "session";
  const agent = { actor: { id, type: "agent" }, actions, by } as const;
  return { name: id, credential: keyId, roles: new Set(["agent"]), tenants, sessionId, agent };
}
