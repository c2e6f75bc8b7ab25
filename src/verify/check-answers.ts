import { isAbiMap } from "../canonical/msgpack.js";
import { parseTime } from "../canonical/time.js";
import { counterpartyKeys, validCounterpartyKeys } from "../contracts/counterparty.js";
import { type HostCall, hostCallSchema } from "../contracts/execution.js";
import type { Exchange } from "../contracts/http-signature.js";
import { originOf } from "../contracts/origin.js";
import { readRecorded } from "../contracts/recorded-call.js";
import { checkSignedAnswer, timeFault } from "../contracts/signed-answer.js";
import { isOurs, type Trust } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import type { AbiValue, SignedAnswer } from "../ports.js";
import type { Evidence } from "./evidence.js";
import { type KeySource, statedIndex } from "./keys.js";
import { expect, fail, notApplicable, unable } from "./report.js";

const kinds = ["local", "unauthenticated", "tls", "signed"] as const;

/** An answer that a counterparty signed. */
type Signed = { readonly call: HostCall; readonly signed: SignedAnswer };

/** What signed answers are judged against. Times are milliseconds: before the call, and after its answer. */
export type SignedContext = {
  readonly trust: Trust | null;
  /** Public keys of this side, base64, beside those the trust file lists. */
  readonly ours: ReadonlySet<string>;
  /** Place in the log at which a counterparty's key must be valid. */
  readonly index: number | null;
  readonly tenantId: string;
  timesOf(seq: number): { readonly from: number; readonly until: number };
};

/**
 * Who vouches for each answer of the world, and that every signed one is signed by its counterparty, whose key the trust
 * file pins (spec/verification.md, Host answers). All but signed answers are the runtime's statement.
 */
export function checkAnswers(evidence: Evidence, keys: KeySource): string {
  evidence.started();
  const calls = evidence.digestsOf("host_call").map((digest) => evidence.document(digest, "host_call", hostCallSchema));
  if (calls.length === 0) return notApplicable("nothing was asked of the world");
  return checkAssurances(calls, {
    trust: keys.trust,
    ours: new Set(evidence.predicate.keys.map(({ publicKey }) => publicKey)),
    index: statedIndex(evidence),
    tenantId: evidence.predicate.tenantId,
    timesOf: (seq) => timesOf(evidence, seq),
  });
}

/** The same for any calls, of a bundle or disclosed alone. */
export function checkAssurances(calls: readonly HostCall[], context: SignedContext): string {
  for (const { seq, capability, outcome, assurance } of calls) {
    expect(
      assurance === "local" || (capability === "http_request" && outcome === "ok"),
      "EXO_CHECK_FAILED",
      `call ${seq} has an assurance that only an answer to http_request can have`,
    );
  }
  const signed = calls.flatMap((call) =>
    typeof call.assurance === "object" && "signed" in call.assurance ? [{ call, signed: call.assurance.signed }] : [],
  );
  const unpinned = signed.filter((answer) => !checkSigned(answer, context));
  const counts = kinds.map((kind) => `${calls.filter((call) => kindOf(call) === kind).length} ${kind}`).join(", ");
  if (unpinned.length === 0) return counts;
  if (context.trust === null) notApplicable(`${counts}; the signed ones are not verified without a trust file`);
  const names = [...new Set(unpinned.map((answer) => answer.signed.keyId))].join(", ");
  return unable(
    "EXO_ANSWER_KEY",
    `${counts}; the trust file pins no valid key ${names} for where the answers came from`,
  );
}

function kindOf({ assurance }: HostCall): (typeof kinds)[number] {
  if (typeof assurance === "string") return assurance;
  return "tls" in assurance ? "tls" : "signed";
}

/** Ends the check where a signed answer is proven wrong; false when there is no key to verify it with. */
function checkSigned({ call, signed }: Signed, { trust, ours, index, tenantId, timesOf }: SignedContext): boolean {
  const exchange = exchangeOf(call);
  const origin = exchange === undefined ? undefined : originOf(exchange.request.url);
  if (exchange === undefined || origin === undefined)
    return fail("EXO_CHECK_FAILED", `call ${call.seq} is no exchange`);
  const stated = checkSignedAnswer(signed, exchange, null);
  if (!stated.ok) return fail(stated.error.code, `call ${call.seq}: ${stated.error.message}`);
  const { from, until } = timesOf(call.seq);
  const fault = stated.value === null ? undefined : timeFault(stated.value, from, until);
  if (fault !== undefined) fail("EXO_ANSWER_SIGNATURE", `call ${call.seq}: the answer ${fault}`);
  if (trust === null) return false;
  const pinned = counterpartyKeys(trust, signed.keyId, origin);
  for (const { publicKey } of pinned) {
    const own = isOurs(trust, publicKey) || ours.has(publicKey);
    expect(!own, "EXO_TRUST", `call ${call.seq} is signed under a key of this side, not of the counterparty's own`);
  }
  const valid = validCounterpartyKeys(pinned, index, tenantId);
  if (valid.length === 0) return false;
  const results = valid.map(({ publicKey }) =>
    checkSignedAnswer(signed, exchange, decodeBase64(publicKey) ?? new Uint8Array()),
  );
  const [first] = results;
  if (results.some((result) => result.ok) || first === undefined || first.ok) return true;
  return fail(first.error.code, `call ${call.seq}: ${first.error.message}`);
}

/**
 * A time before the call, that of the last effect journaled before it or of the start, and the time of the last event;
 * in milliseconds.
 */
function timesOf(evidence: Evidence, seq: number): { readonly from: number; readonly until: number } {
  const journaled = evidence.eventsOf("effect_started").findLast(({ payload }) => payload.seq <= seq);
  const { header: first } = (journaled ?? evidence.started()).event;
  const { header: last = first } = evidence.events().at(-1) ?? {};
  return { from: parseTime(first.recordedAt), until: parseTime(last.recordedAt) };
}

/** Largest request or answer that is read again: no transcript holds more in all. */
const recorded = { maxBytes: 67_108_864 };

/** A recorded call of http_request and its answer; undefined when they do not have the shape of one. */
function exchangeOf(call: HostCall): Exchange | undefined {
  const request = readRecorded(call.request, recorded);
  const answer = readRecorded(call.response, recorded)?.["ok"];
  if (request === undefined || !isAbiMap(answer)) return undefined;
  const { method, url, headers, body } = request;
  const { status, headers: answered, body: content } = answer;
  const isExchange =
    typeof method === "string" &&
    typeof url === "string" &&
    isTextMap(headers) &&
    body instanceof Uint8Array &&
    typeof status === "number" &&
    isTextMap(answered) &&
    content instanceof Uint8Array;
  return isExchange ? { request: { method, url, headers, body }, status, headers: answered, body: content } : undefined;
}

function isTextMap(value: AbiValue | undefined): value is Readonly<Record<string, string>> {
  return isAbiMap(value) && Object.values(value).every((member) => typeof member === "string");
}
