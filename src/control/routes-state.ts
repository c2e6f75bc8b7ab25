import { parseCanonical } from "../canonical/read.js";
import { controlRoles } from "../contracts/access.js";
import { parseContract } from "../contracts/common.js";
import { maxPage, replies, requests } from "../contracts/control.js";
import { policyReplies, policyRequests } from "../contracts/control-policies.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { type CanonicalEvent, eventPayloads } from "../contracts/event.js";
import { trustScoreOrderSchema } from "../contracts/order.js";
import { anyPolicySchema } from "../contracts/policy-cedar.js";
import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { type ActivePolicy, readState } from "../pipeline/documents.js";
import { systemCorrelation } from "../pipeline/orders.js";
import { readEvent } from "../pipeline/recorder.js";
import { blobKey, eventKeys, stateKeys, trustScoreKey, trustScoreTimeKey } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";
import { scanPage } from "./pages.js";
import { type Route, route } from "./route.js";
import { shownTenants } from "./tenancy.js";

const none = requests.none;

function policyView(store: StoreReader): object {
  const active = readState<ActivePolicy>(store, stateKeys.policy);
  const bytes = active === undefined ? undefined : store.get(blobKey(active.digest));
  if (active === undefined || bytes === undefined) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", "no policy is in force, or its document is gone");
  }
  const { policyId, version, digest, envelopeDigest } = active;
  const document = parseContract(anyPolicySchema, parseCanonical(bytes), "stored policy");
  return { policyId, version, digest, envelopeDigest, document };
}

/** What an event says of a trust score; `stands` unless a later order set the actor's again. */
function scoreView(store: StoreReader, { payload, actor, recordedAt }: CanonicalEvent) {
  const { tenantId, actorId, score, envelopeDigest } = parseContract(
    eventPayloads.trust_score_changed,
    payload,
    "event",
  );
  const envelope = store.get(blobKey(envelopeDigest));
  if (envelope === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `the order ${envelopeDigest} is not kept`);
  const { payload: order } = parseContract(envelopeSchema, parseCanonical(envelope), "stored order");
  const { signedAt } = parseContract(
    trustScoreOrderSchema,
    parseCanonical(decodeBase64(order) ?? new Uint8Array()),
    "stored order",
  );
  const stands =
    readState(store, trustScoreTimeKey(tenantId, actorId)) === signedAt &&
    readState(store, trustScoreKey(tenantId, actorId)) === score;
  return { tenantId, actorId, score, operator: actor.id, envelopeDigest, recordedAt, stands };
}

/** What is in force in the cell, and its log. */
export const stateRoutes: readonly Route[] = [
  route({
    id: "listPlugins",
    method: "get",
    path: "/v1/plugins",
    about: "the executors, and why one is refused",
    roles: ["viewer"],
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.plugins },
    cost: 1,
    handle: ({ desk }) => {
      const { executors } = desk.pipeline;
      const items = executors.list().map(({ manifest, manifestMaterial, plugin, signature }) => ({
        name: manifest.name,
        version: manifest.version,
        publisher: manifest.publisher ?? null,
        signed: signature !== undefined,
        pluginDigest: plugin.digest,
        manifestDigest: manifestMaterial.digest,
        functions: manifest.functions.map(({ name, action, effects }) => ({ name, action, effects })),
      }));
      const refused = executors.listRefused().map(([name, { code, message }]) => ({ name, code, message }));
      return { body: { items, refused } };
    },
  }),
  route({
    id: "getPolicy",
    method: "get",
    path: "/v1/policy",
    about: "the policy in force: one document for the whole cell, as every bundle holds it",
    roles: ["viewer"],
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.policy },
    cost: 1,
    handle: ({ desk }) => ({ body: policyView(desk.store) }),
  }),
  route({
    id: "listTrustScores",
    method: "get",
    path: "/v1/trust-scores",
    about: "trust scores as signed orders set them, newest first; an actor without one has 1",
    roles: ["viewer"],
    tenancy: "filter",
    params: none,
    query: policyRequests.scores,
    body: null,
    reply: { schema: policyReplies.scores },
    cost: 5,
    handle: ({ desk, principal, query }) => {
      const { store, cursors, limits, defaultTenant } = desk;
      const shown = shownTenants(principal, query.tenantId);
      const page = scanPage(store, cursors, {
        list: "trust-scores",
        range: eventKeys.range(defaultTenant, systemCorrelation),
        reverse: true,
        cursor: query.cursor,
        limit: query.limit ?? maxPage,
        scan: limits.scan,
        read: (_key, value) => {
          const event = readEvent(value);
          if (event.eventType !== "trust_score_changed") return undefined;
          const view = scoreView(store, event);
          if (!shown(view.tenantId)) return undefined;
          return query.actorId === undefined || view.actorId === query.actorId ? view : undefined;
        },
      });
      return { body: page };
    },
  }),
  route({
    id: "getCheckpoint",
    method: "get",
    path: "/v1/log/checkpoint",
    about: "the newest signed checkpoint, a C2SP note",
    roles: controlRoles,
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { media: "text/plain; charset=utf-8" },
    cost: 1,
    handle: ({ desk }) => ({ body: desk.ledger.checkpoint() }),
  }),
  route({
    id: "getInclusionProof",
    method: "get",
    path: "/v1/log/proofs/{index}",
    about: "a leaf and its inclusion proof under `size` leaves, by default all",
    roles: ["viewer"],
    tenancy: "none",
    params: requests.proof,
    query: requests.size,
    body: null,
    reply: { schema: replies.proof },
    cost: 2,
    handle: ({ desk: { ledger }, params: { index }, query }) => {
      const size = query.size ?? ledger.size;
      const hashes = ledger.prove(index, size).map(encodeBase64);
      return { body: { index, size, leaf: encodeBase64(ledger.leaf(index)), hashes } };
    },
  }),
  route({
    id: "getConsistencyProof",
    method: "get",
    path: "/v1/log/consistency",
    about: "the proof that the log of `new` leaves is that of `old` leaves, grown",
    roles: ["viewer"],
    tenancy: "none",
    params: none,
    query: requests.consistency,
    body: null,
    reply: { schema: replies.consistency },
    cost: 2,
    handle: ({ desk: { ledger }, query }) => ({
      body: { ...query, hashes: ledger.consistency(query.old, query.new).map(encodeBase64) },
    }),
  }),
];
