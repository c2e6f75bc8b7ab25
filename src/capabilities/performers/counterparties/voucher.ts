import { type Counterparty, counterpartyKeys } from "../../../contracts/counterparty.js";
import { type Exchange, takeSignature } from "../../../contracts/http-signature.js";
import { formatOrigin, isSameOrigin } from "../../../contracts/origin.js";
import { checkSignedAnswer, timeFault } from "../../../contracts/signed-answer.js";
import type { Trust } from "../../../contracts/trust.js";
import { decodeBase64 } from "../../../crypto/encoding.js";
import { ExoArmurError, ok, type Result, refuse } from "../../../errors.js";
import type { Assurance, Clock, SignedAnswer } from "../../../ports.js";
import type { IncomingAnswer, OutgoingRequest, Voucher } from "../http/hooks.js";

/** What a voucher is made of. */
export type VoucherOptions = {
  readonly counterparties: readonly Counterparty[];
  readonly trust: Trust;
  readonly clock: Clock;
};

/**
 * Verifies answers of counterparties as they come (spec/capabilities.md, Assurance): by the same rules, and with the
 * same keys, as a verifier will. Throws EXO_TRUST when the trust file pins no key for a configured counterparty.
 */
export function createVoucher({ counterparties, trust, clock }: VoucherOptions): Voucher {
  const known = counterparties.map((counterparty) => {
    const { origin, keyId } = counterparty;
    const keys = counterpartyKeys(trust, keyId, origin).flatMap(({ publicKey }) => decodeBase64(publicKey) ?? []);
    if (keys.length > 0) return { counterparty, keys };
    throw new ExoArmurError(
      "EXO_TRUST",
      `counterparties: the trust file has no key ${keyId} of the role counterparty for ${formatOrigin(origin)}`,
    );
  });
  const of = (request: OutgoingRequest): (typeof known)[number] | undefined =>
    known.find(({ counterparty }) => isSameOrigin(counterparty.origin, request));
  return {
    expects: (request) => of(request) !== undefined,
    vouch: (request, answer) => {
      const found = of(request);
      return found === undefined ? ok(null) : vouch(found.counterparty, found.keys, exchangeOf(request, answer), clock);
    },
  };
}

function vouch(
  counterparty: Counterparty,
  keys: readonly Uint8Array[],
  exchange: Exchange,
  clock: Clock,
): Result<Assurance> {
  const coding = exchange.headers["content-encoding"] ?? "identity";
  if (coding !== "identity") return wrong("is compressed, so that its body is not the one that was signed");
  const signed = signedAnswer(counterparty, exchange);
  if (!signed.ok) return signed;
  let last: Result<Assurance> = wrong("has no key");
  for (const key of keys) {
    const checked = checkSignedAnswer(signed.value, exchange, key);
    if (!checked.ok) {
      last = checked;
      continue;
    }
    const now = clock.now();
    const fault = checked.value === null ? undefined : timeFault(checked.value, now, now);
    return fault === undefined ? ok({ signed: signed.value }) : wrong(fault);
  }
  return last;
}

function signedAnswer(counterparty: Counterparty, exchange: Exchange): Result<SignedAnswer> {
  const { scheme, keyId } = counterparty;
  if (scheme === "dsse") return ok({ scheme, keyId, payloadType: counterparty.payloadType });
  const taken = takeSignature(exchange, keyId);
  return taken.ok ? ok({ scheme, keyId, ...taken.value }) : taken;
}

function exchangeOf(
  { method, scheme, host, port, path, headers, body }: OutgoingRequest,
  answer: IncomingAnswer,
): Exchange {
  const authority = port === (scheme === "http" ? 80 : 443) ? host : `${host}:${port}`;
  const { status, headers: answered, body: content } = answer;
  return {
    request: { method, url: `${scheme}://${authority}${path}`, headers, body },
    status,
    headers: answered,
    body: content,
  };
}

function wrong(what: string): Result<never> {
  return refuse("EXO_ANSWER_SIGNATURE", `the answer ${what}`);
}
