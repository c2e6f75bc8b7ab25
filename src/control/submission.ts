import type { z } from "zod";
import type { requests } from "../contracts/control.js";
import type { IntentSubmission } from "../contracts/signed-intent.js";
import { ExoArmurError } from "../errors.js";
import { systemCorrelation } from "../pipeline/orders.js";
import { intentUnderKey } from "../pipeline/submit.js";
import type { ExecutionResult } from "../pipeline/types.js";
import { matchesAction } from "../policy/match.js";
import { AccessDenied } from "./denied.js";
import { type Principal, reachesTenant } from "./principal.js";
import type { Call } from "./route.js";
import { within } from "./waiting.js";

type Wait = z.infer<typeof requests.wait>;

type Submitted = Pick<Call<unknown, Wait, IntentSubmission>, "desk" | "principal" | "body" | "query" | "signal">;

/**
 * Hands an agent's intent to the pipeline and waits for what comes of it, at most `waitMs`; then the present state, while
 * the intent goes on. EXO_FORBIDDEN for what the credential is not for; EXO_OVERLOADED when nothing was recorded in time, in
 * which case the same request can be sent again; what ProxyPipeline.execute throws.
 */
export async function submit(call: Submitted): Promise<ExecutionResult> {
  const { desk, principal, body, query, signal } = call;
  const { agent } = principal;
  if (agent === null) throw new AccessDenied("EXO_FORBIDDEN", "role", "only agents hand intents in");
  if (agent.by === "session") {
    throw new AccessDenied("EXO_FORBIDDEN", "role", "a session of an agent's key reads; what is to be done is signed");
  }
  const { actor } = agent;
  const tenantId = tenantOf(principal, body.tenantId);
  const given = typeof body.actor === "string" ? { id: body.actor, type: "agent" } : body.actor;
  if (given !== undefined && (given.id !== actor.id || given.type !== actor.type)) {
    throw new AccessDenied("EXO_FORBIDDEN", "actor", "not the credential's actor");
  }
  if (!matchesAction(agent.actions)(body.action)) {
    throw new AccessDenied("EXO_FORBIDDEN", "action", "not an action the credential is for");
  }
  if (body.correlationId === systemCorrelation) {
    throw new AccessDenied("EXO_FORBIDDEN", "correlation", `the correlation ${systemCorrelation} is the runtime's own`);
  }
  const requester = { principal: actor.id, method: agent.by } as const;
  const work = desk.pipeline.execute({ ...body, actor, tenantId }, { requester });
  const result = await within(work, query.waitMs ?? desk.limits.waitMs, signal);
  if (result !== undefined) return result;
  // Recorded under its key when it was taken in; the id of a retry is not the id it was taken in under.
  const key = { tenantId, principal: actor.id, key: body.idempotencyKey };
  const intentId = intentUnderKey(desk.store, key);
  if (intentId !== undefined) return desk.pipeline.status(intentId);
  throw new ExoArmurError("EXO_OVERLOADED", "the intent was not taken in in time; send it again with the same key");
}

/** The tenant of an intent: the one it names, which must be the agent's, else the only one the agent has. */
function tenantOf(principal: Principal, named: string | undefined): string {
  if (named !== undefined) {
    if (reachesTenant(principal, named)) return named;
    throw new AccessDenied("EXO_FORBIDDEN", "tenant", "not a tenant of the credential");
  }
  const [only, another] = principal.tenants ?? [];
  if (only !== undefined && another === undefined) return only;
  throw new ExoArmurError("EXO_SCHEMA", "the credential is for several tenants: expected tenantId", {
    pointer: "/tenantId",
  });
}
