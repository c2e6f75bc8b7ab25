import { excludedNames, holdersOf } from "../approval/exclusion.js";
import { canonicalText } from "../canonical/jcs.js";
import { parseTime } from "../canonical/time.js";
import { envelopeSchema, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import { type ResolutionOrder, resolutionOrderSchema } from "../contracts/order.js";
import { type Evidence, parseDocument } from "./evidence.js";
import type { CheckKey, KeySource } from "./keys.js";
import { expect, fail, notApplicable } from "./report.js";

/**
 * An action in doubt names its start and its journaled writes, and was closed by one operator's signed order, who is
 * neither the requester nor the actor.
 */
export function checkResolution(evidence: Evidence, keys: KeySource): string {
  const doubt = evidence.eventsOf("execution_in_doubt")[0];
  if (doubt === undefined) return notApplicable("nothing was in doubt");
  expect(
    doubt.payload.startedDigest === evidence.started().event.digest,
    "EXO_CHECK_FAILED",
    "in doubt is another start",
  );
  const effects = evidence.eventsOf("effect_started").map((entry) => entry.payload);
  expect(
    canonicalText(doubt.payload.effects) === canonicalText(effects),
    "EXO_CHECK_FAILED",
    "in doubt are other writes than journaled",
  );
  const resolved =
    evidence.eventsOf("execution_resolved")[0] ?? fail("EXO_CHECK_FAILED", "the doubt was never resolved");
  const { payload } = resolved;
  const envelope = evidence.document(payload.envelopeDigest, "resolution", envelopeSchema);
  const { order, operator } = openResolution(envelope, keys);
  const operatorId = operator?.id ?? null;
  const { intentId, cellId } = evidence.predicate;
  const recorded = { intentId, cellId, outcome: payload.outcome, evidence: payload.evidence };
  for (const [name, value] of Object.entries(recorded)) {
    const signed = order[name as keyof typeof recorded];
    expect(canonicalText(signed) === canonicalText(value), "EXO_CHECK_FAILED", `the operator signed another ${name}`);
  }
  expect(
    order.operator.id === payload.resolver && (operatorId === null || operatorId === payload.resolver),
    "EXO_CHECK_FAILED",
    `recorded is ${payload.resolver}, signed has ${operatorId ?? order.operator.id}`,
  );
  const requester =
    evidence.eventsOf("intent_received")[0]?.payload.requester ?? fail("EXO_CHECK_FAILED", "no requester");
  const { actor } = evidence.intent();
  const own = excludedNames(requester, actor.id);
  const mine = own.has(payload.resolver) || own.has(order.operator.keyId);
  expect(!mine, "EXO_ORDER", `${payload.resolver} is the requester or the actor`);
  if (keys.trust !== null && operator !== undefined && operator.person !== null) {
    const barred = own.has(operator.person) || holdersOf(keys.trust.keys, own).has(operator.person);
    expect(!barred, "EXO_ORDER", `${payload.resolver} is the requester or the actor by another key`);
  }
  return `${payload.outcome}, resolved by ${payload.resolver}`;
}

function openResolution(
  envelope: Parameters<typeof openEnvelope>[0],
  keys: KeySource,
): { order: ResolutionOrder; operator: CheckKey | undefined } {
  const operators = keys.keysFor("operator");
  const opened = openEnvelope(
    envelope,
    payloadTypes.resolution,
    operators.map((key) => key.publicKey),
  );
  if (!opened.ok) return fail(opened.error.code, opened.error.message);
  const { signers, payload } = opened.value;
  const order = parseDocument(resolutionOrderSchema, payload, "resolution");
  const [signer] = signers;
  expect(
    signers.length === 1 && signer?.keyId === order.operator.keyId,
    "EXO_ORDER",
    "a resolution is signed once, by the key it names",
  );
  const operator = operators.find((candidate) => candidate.publicKey === signer?.publicKey);
  parseTime(order.signedAt);
  return { order, operator };
}
