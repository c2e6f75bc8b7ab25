import type { z } from "zod";
import type { requests } from "../contracts/control.js";
import { ExoArmurError } from "../errors.js";
import { systemCorrelation } from "../pipeline/orders.js";
import { intentUnderKey } from "../pipeline/submit.js";
import type { ExecutionResult } from "../pipeline/types.js";
import { matchesAction } from "../policy/match.js";
import { AccessDenied } from "./denied.js";
import type { Call } from "./route.js";
import { within } from "./waiting.js";

type Submission = z.infer<typeof requests.submission>;
type Wait = z.infer<typeof requests.wait>;

/**
 * Hands an agent's intent to the pipeline and waits for what comes of it, at most `waitMs`; then the present state, while
 * the intent goes on. EXO_FORBIDDEN for what the token is not for; EXO_OVERLOADED when nothing was recorded in time, in
 * which case the same request can be sent again; what ProxyPipeline.execute throws.
 */
export async function submit(call: Call<unknown, Wait, Submission>): Promise<ExecutionResult> {
  const { desk, principal, body, query, signal } = call;
  const { agent } = principal;
  if (agent === null) throw new AccessDenied("EXO_FORBIDDEN", "role", "only an agent's token hands intents in");
  const { tenantId, actor } = agent;
  if (body.tenantId !== undefined && body.tenantId !== tenantId) {
    throw new AccessDenied("EXO_FORBIDDEN", "tenant", "not the token's tenant");
  }
  const given = typeof body.actor === "string" ? { id: body.actor, type: "agent" } : body.actor;
  if (given !== undefined && (given.id !== actor.id || given.type !== actor.type)) {
    throw new AccessDenied("EXO_FORBIDDEN", "actor", "not the token's actor");
  }
  if (!matchesAction(agent.actions)(body.action)) {
    throw new AccessDenied("EXO_FORBIDDEN", "action", "not an action the token is for");
  }
  if (body.correlationId === systemCorrelation) {
    throw new AccessDenied("EXO_FORBIDDEN", "correlation", `the correlation ${systemCorrelation} is the runtime's own`);
  }
  const requester = { principal: actor.id, method: "token" } as const;
  const work = desk.pipeline.execute({ ...body, actor, tenantId }, { requester });
  const result = await within(work, query.waitMs ?? desk.limits.waitMs, signal);
  if (result !== undefined) return result;
  // Recorded under its key when it was taken in; the id of a retry is not the id it was taken in under.
  const key = { tenantId, principal: actor.id, key: body.idempotencyKey };
  const intentId = intentUnderKey(desk.store, key);
  if (intentId !== undefined) return desk.pipeline.status(intentId);
  throw new ExoArmurError("EXO_OVERLOADED", "the intent was not taken in in time; send it again with the same key");
}
