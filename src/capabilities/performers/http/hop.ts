import type { SecureContext } from "node:tls";
import type { Digest } from "../../../canonical/digest.js";
import { contentDigest } from "../../../contracts/content-digest.js";
import { isSafeMethod } from "../../../contracts/http-methods.js";
import type { Constraints } from "../../../contracts/manifest.js";
import { splitUrl } from "../../../contracts/url.js";
import { ok, type Refusal, type Result, refuse } from "../../../errors.js";
import type { AddressResolver } from "../../../ports.js";
import { endOf } from "../../abortable.js";
import { isHeaderValue, placesOf } from "../../http-request.js";
import { classesOf } from "./address.js";
import { acceptedCodings } from "./decode.js";
import { dial, type Line } from "./dial.js";
import { exchange } from "./exchange.js";
import type { IncomingAnswer, OutgoingRequest, SecretDesk, Voucher } from "./hooks.js";
import type { Ask } from "./redirect.js";
import { addressesOf } from "./resolver.js";

/** What every hop of every call needs of the world. */
export type Reach = {
  readonly resolve: AddressResolver;
  /** Who may sign certificates. */
  readonly trust: () => SecureContext;
  readonly desk: SecretDesk | undefined;
  readonly voucher: Voucher | undefined;
};

/** One call: its grant, its bounds, and the name of its effect. */
export type Terms = {
  readonly constraints: Constraints;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly effectId: string | undefined;
  /** Aborts when the call's or the run's time is up. */
  readonly signal: AbortSignal;
};

/** A hop with an answer. `request` is what was sent, placeholders not filled in; `values` are what was filled in. */
export type Answered = {
  readonly request: OutgoingRequest;
  readonly answer: IncomingAnswer;
  readonly spkiDigest: Digest | null;
  readonly values: readonly Uint8Array[];
};

/** How a hop ended. `refused`: certainly nothing was sent. `unknown`: something may have been. */
export type HopEnd =
  | { readonly state: "answered"; readonly value: Answered }
  | { readonly state: "refused"; readonly error: Refusal }
  | { readonly state: "unknown" };

/** Makes one request as if it were the first: addresses, secrets and certificate are checked for this hop alone. */
export async function hop(ask: Ask, terms: Terms, reach: Reach): Promise<HopEnd> {
  const prepared = await prepare(ask, terms, reach);
  if (!prepared.ok) return { state: "refused", error: prepared.error };
  const { line, plain, filled, values } = prepared.value;
  try {
    const answer = await exchange(line.socket, filled, terms.maxBytes, terms.signal);
    return { state: "answered", value: { request: plain, answer, spkiDigest: line.spkiDigest, values } };
  } catch {
    // A connection that was handed over may have carried bytes, whatever its end was.
    return { state: "unknown" };
  }
}

type Prepared = {
  readonly line: Line;
  readonly plain: OutgoingRequest;
  readonly filled: OutgoingRequest;
  readonly values: readonly Uint8Array[];
};

/** All that comes before the first byte of a request is sent. */
async function prepare(ask: Ask, terms: Terms, reach: Reach): Promise<Result<Prepared>> {
  const { signal, timeoutMs } = terms;
  const plain = outgoing(ask, terms, reach.voucher);
  const addresses = await checkedAddresses(ask, plain.host, terms, reach.resolve);
  if (!addresses.ok) return addresses;
  const filled = await fill(plain, terms, reach.desk);
  if (!filled.ok) return filled;
  const { scheme, host, port } = plain;
  const line = await dial({ scheme, host, port, addresses: addresses.value }, reach.trust, signal, timeoutMs);
  return line.ok ? ok({ line: line.value, plain, ...filled.value }) : line;
}

function outgoing(ask: Ask, { effectId }: Terms, voucher: Voucher | undefined): OutgoingRequest {
  const { scheme, host, port } = splitUrl(ask.url) ?? { scheme: "", host: "", port: null };
  if (port === null || (scheme !== "http" && scheme !== "https")) {
    throw new TypeError("a granted URL has a scheme, a host and a port");
  }
  const path = ask.url.slice(ask.url.indexOf("/", scheme.length + 3));
  const named = effectId !== undefined && !isSafeMethod(ask.method) ? { "idempotency-key": effectId } : {};
  const request: OutgoingRequest = {
    method: ask.method,
    scheme,
    host,
    port,
    path,
    headers: { ...ask.headers, ...named },
    body: ask.body,
  };
  if (voucher?.expects(request) !== true) {
    return { ...request, headers: { ...request.headers, "accept-encoding": acceptedCodings } };
  }
  // What was signed is what came, so nothing may be compressed on the way; and a signature must speak of the body that
  // was sent, so its digest goes along (RFC 9421, section 2.4).
  const digest = ask.body.length === 0 ? {} : { "content-digest": contentDigest(ask.body) };
  return { ...request, headers: { ...request.headers, "accept-encoding": "identity", ...digest } };
}

/**
 * The addresses of a host, all of them such as the places of the grant permit: an answer that mixes them with others is
 * refused whole, so that nothing hangs on which of them is tried.
 */
async function checkedAddresses(
  { method, url }: Ask,
  host: string,
  { constraints, signal }: Terms,
  resolve: AddressResolver,
): Promise<Result<readonly string[]>> {
  const ended = await endOf(() => addressesOf(host, resolve), signal);
  const addresses = ended.state === "value" ? ended.value : [];
  if (addresses.length === 0) {
    return refuse("EXO_HTTP_UNREACHABLE", "http_request found no address of the host; nothing was sent");
  }
  const places = placesOf(constraints, method, url);
  const permitted = addresses.every((address) => {
    const classes = classesOf(address);
    return (
      classes !== null && places.some(({ networks = [] }) => classes.every((network) => networks.includes(network)))
    );
  });
  if (permitted) return ok(addresses);
  return refuse(
    "EXO_CAPABILITY_DENIED",
    "http_request is not granted for an address of the host; its place in allow must name in networks what is not public, such as loopback or private",
  );
}

async function fill(
  plain: OutgoingRequest,
  { constraints, signal }: Terms,
  desk: SecretDesk | undefined,
): Promise<Result<Pick<Prepared, "filled" | "values">>> {
  if (desk === undefined) return ok({ filled: plain, values: [] });
  const ended = await endOf(() => desk.fill(plain, constraints.secrets ?? []), signal);
  if (ended.state !== "value") {
    return refuse("EXO_HOST_FAULT", "http_request could not be given its secrets; nothing was sent");
  }
  if (!ended.value.ok) return ended.value;
  const { request, values } = ended.value.value;
  // A value may hold what ends a line, and so a field.
  if (!Object.values(request.headers).every(isHeaderValue)) {
    return refuse(
      "EXO_CAPABILITY_REQUEST",
      "http_request expects secrets in headers to be printable ASCII; nothing was sent",
    );
  }
  const { "content-digest": digest, ...headers } = request.headers;
  // It is of the body without the secret, and would be wrong.
  const sent = digest === undefined || request.body !== plain.body ? headers : request.headers;
  return ok({ filled: { ...plain, headers: sent, body: request.body }, values });
}
