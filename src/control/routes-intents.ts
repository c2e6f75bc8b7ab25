import { replies, requests } from "../contracts/control.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { ExoArmurError } from "../errors.js";
import { maxIntentBytes } from "../pipeline/resolve-intent.js";
import type { ExecutionResult } from "../pipeline/types.js";
import { AccessDenied } from "./denied.js";
import { type Route, route } from "./route.js";
import { requireNames } from "./signed.js";
import { proveIntent } from "./signed-intents.js";
import { submit } from "./submission.js";
import { findIntent } from "./tenancy.js";
import { intentHead, resultView } from "./views.js";
import { within } from "./waiting.js";

const none = requests.none;

/** 202 while it waits for a person or runs, 200 once it has ended. */
export function resultReply(result: ExecutionResult): { status: number; body: unknown } {
  const open = result.status === "approval_pending" || result.status === "running";
  return { status: open ? 202 : 200, body: resultView(result) };
}

/** Intents and their records. */
export const intentRoutes: readonly Route[] = [
  route({
    id: "submitIntent",
    method: "post",
    path: "/v1/intents",
    about: "hand an intent in; the same idempotencyKey again gives the same intent, and starts nothing",
    roles: ["agent"],
    tenancy: "filter",
    params: none,
    query: requests.wait,
    body: { schema: requests.submission, maxBytes: maxIntentBytes },
    reply: { schema: replies.result },
    cost: 1,
    handle: async (call) => resultReply(await submit(call)),
  }),
  route({
    id: "submitSignedIntent",
    method: "post",
    path: "/v1/signed-intents",
    about: "hand an intent in that an agent's key signed, which is the credential; else as submitIntent",
    roles: "signed",
    tenancy: "filter",
    params: none,
    query: requests.wait,
    body: { schema: envelopeSchema, maxBytes: maxIntentBytes },
    reply: { schema: replies.result },
    cost: 1,
    handle: async ({ desk, body, origin, query, signal, as }) => {
      const { clock, trust, cellId, ledger } = desk;
      const proof = proveIntent(body, origin, { clock, trust, cellId, logSize: () => ledger.size });
      if (!proof.proven)
        throw new AccessDenied("EXO_AUTHENTICATION", proof.cause, proof.error.message, proof.credential);
      const { principal, intent } = proof;
      return await as(principal, async () =>
        resultReply(await submit({ desk, principal, body: intent, query, signal })),
      );
    },
  }),
  route({
    id: "getIntent",
    method: "get",
    path: "/v1/intents/{intentId}",
    about: "an intent and what came of it so far",
    roles: ["agent", "viewer"],
    tenancy: "object",
    params: requests.intent,
    query: none,
    body: null,
    reply: { schema: replies.intent },
    cost: 1,
    handle: (call) => {
      const { store, pipeline } = call.desk;
      const record = findIntent(call, call.params.intentId);
      return { body: { ...intentHead(store, record), result: resultView(pipeline.status(record.intentId)) } };
    },
  }),
  route({
    id: "waitForIntent",
    method: "get",
    path: "/v1/intents/{intentId}/wait",
    about: "long poll: answers when the intent is neither pending nor running, or after waitMs; ask again then",
    roles: ["agent", "viewer"],
    tenancy: "object",
    params: requests.intent,
    query: requests.wait,
    body: null,
    reply: { schema: replies.result },
    cost: 1,
    handle: async (call) => {
      const { pipeline, limits } = call.desk;
      const { intentId } = findIntent(call, call.params.intentId);
      // The wait itself ends with the poll, so that nothing is left behind for every one that gave up.
      const over = new AbortController();
      try {
        const waited = pipeline.wait(intentId, { signal: over.signal });
        const ended = await within(waited, call.query.waitMs ?? limits.waitMs, call.signal);
        return resultReply(ended ?? pipeline.status(intentId));
      } finally {
        over.abort();
      }
    },
  }),
  route({
    id: "getIntentEvents",
    method: "get",
    path: "/v1/intents/{intentId}/events",
    about: "the events of an intent, in order",
    roles: ["agent", "viewer"],
    tenancy: "object",
    params: requests.intent,
    query: none,
    body: null,
    reply: { schema: replies.trace },
    cost: 2,
    handle: (call) => {
      const { intentId } = findIntent(call, call.params.intentId);
      return { body: { items: call.desk.pipeline.trace(intentId) } };
    },
  }),
  route({
    id: "getIntentBundle",
    method: "get",
    path: "/v1/intents/{intentId}/bundle",
    about: "the proof bundle of an intent that has ended",
    roles: ["agent", "viewer"],
    tenancy: "object",
    params: requests.intent,
    query: none,
    body: null,
    reply: { media: "application/vnd.exoarmur.proof+json" },
    cost: 5,
    handle: (call) => {
      const { intentId, state } = findIntent(call, call.params.intentId);
      const bundle = call.desk.pipeline.bundle(intentId);
      if (bundle !== undefined) return { body: bundle.bytes() };
      throw new ExoArmurError("EXO_INTENT_UNKNOWN", `intent ${intentId} has no bundle yet: its state is ${state}`);
    },
  }),
  route({
    id: "resolveIntent",
    method: "post",
    path: "/v1/intents/{intentId}/resolution",
    about: "close an action that is in doubt, by a signed order",
    roles: ["admin"],
    tenancy: "object",
    params: requests.intent,
    query: none,
    body: { schema: envelopeSchema, maxBytes: 65_536 },
    reply: { schema: replies.result },
    cost: 1,
    handle: async (call) => {
      const { intentId } = findIntent(call, call.params.intentId);
      requireNames(call.body, "/intentId", intentId);
      return resultReply(await call.desk.pipeline.resolve(call.body));
    },
  }),
];
