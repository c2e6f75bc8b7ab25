import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { isSafeMethod } from "../../../contracts/http-methods.js";
import type { Constraints } from "../../../contracts/manifest.js";
import type { AbiValue, AddressResolver, Assurance, Performer, PerformOutcome } from "../../../ports.js";
import { effectiveMaxBytes } from "../../bounds.js";
import { checkHttp } from "../../http-request.js";
import { httpBounds } from "./bounds.js";
import { decodeBody } from "./decode.js";
import type { SecretDesk, Voucher } from "./hooks.js";
import { type Answered, hop, type Reach, type Terms } from "./hop.js";
import { type Ask, followRedirect } from "./redirect.js";
import { resolverOf } from "./resolver.js";

/** What the performer of `http_request` is made of; all may be left out. */
export type HttpOptions = {
  /** DNS servers to ask instead of the system, `address` or `address:port`. */
  readonly dnsServers?: readonly string[] | undefined;
  /** Instead of both. */
  readonly resolve?: AddressResolver | undefined;
  /** Certificates in PEM of authorities that are trusted besides those Node.js comes with. */
  readonly ca?: string | undefined;
  readonly desk?: SecretDesk;
  readonly voucher?: Voucher;
};

/**
 * http_request: `{status, headers, body}` (spec/capabilities.md, HTTP). Throws for a `ca` or DNS server that is none.
 * Nothing of the environment counts: no proxy, no cookies, no connection left open.
 */
export function createHttpPerformer(options: HttpOptions = {}): { readonly http_request: Performer } {
  const { ca, desk, voucher } = options;
  const reach: Reach = {
    resolve: options.resolve ?? resolverOf(options.dnsServers),
    trust: trusting(ca),
    desk,
    voucher,
  };
  return {
    http_request: {
      perform: async (request, constraints, signal, effect) => {
        const limits = constraints as Constraints;
        const timeoutMs = limits.timeoutMs ?? httpBounds.timeoutMs;
        const time = new AbortController();
        const stop = (): void => time.abort();
        const timer = setTimeout(stop, timeoutMs);
        signal.addEventListener("abort", stop, { once: true });
        if (signal.aborted) stop();
        try {
          return await carry(askOf(request), reach, {
            constraints: limits,
            maxBytes: effectiveMaxBytes(limits.maxBytes),
            timeoutMs,
            effectId: effect?.effectId,
            signal: time.signal,
          });
        } finally {
          clearTimeout(timer);
          signal.removeEventListener("abort", stop);
        }
      },
    },
  };
}

/**
 * Who may sign certificates: the authorities Node.js comes with and those of `ca`, and none that the environment adds.
 * Made at the first request over TLS, since it takes some 20 ms; `ca` is read at once. Throws when it is none.
 */
function trusting(ca: string | undefined): () => SecureContext {
  const blocks = ca?.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (ca !== undefined && blocks.length === 0) throw new TypeError("expected certificates in PEM");
  // An authority that cannot be read is passed over without a word, a certificate is not.
  for (const cert of blocks) createSecureContext({ cert });
  let made: SecureContext | undefined;
  return () => {
    made ??= createSecureContext({ ca: [...rootCertificates, ...blocks], minVersion: "TLSv1.2" });
    return made;
  };
}

function askOf(request: Readonly<Record<string, AbiValue>>): Ask {
  // The broker has read it by its schema.
  return request as unknown as Ask;
}

/** A call from its request to its last answer. A redirect that cannot be followed is an answer like any other. */
async function carry(first: Ask, reach: Reach, terms: Terms): Promise<PerformOutcome> {
  const { maxRedirects = httpBounds.maxRedirects } = terms.constraints;
  const values: Uint8Array[] = [];
  let last: Answered | null = null;
  let authenticated = true;
  let redirected = false;
  let ask: Ask | null = first;
  for (let hops = 0; ask !== null; hops++) {
    const end = await hop(ask, terms, reach);
    if (end.state === "refused" && last === null) return { outcome: "error", ...end.error };
    // A write that was answered is in no doubt because the read it was sent on to was not.
    if (end.state === "unknown" && (!isSafeMethod(ask.method) || isSafeMethod(first.method))) return unknown();
    // What came before has been performed, and its answer is known.
    if (end.state !== "answered") break;
    last = end.value;
    redirected = hops > 0;
    values.push(...last.values);
    authenticated &&= last.spkiDigest !== null;
    ask = hops < maxRedirects ? nextAsk(ask, last, values, reach, terms) : null;
  }
  return last === null ? unknown() : await finish(last, { values, authenticated, redirected, reach, terms });
}

/** The granted request an answer leads to; null when it leads nowhere, or would carry a secret where it was not bound. */
function nextAsk(
  ask: Ask,
  { answer }: Answered,
  values: readonly Uint8Array[],
  reach: Reach,
  terms: Terms,
): Ask | null {
  const location = answer.headers["location"];
  const next = followRedirect(ask, answer.status, location);
  if (next === null || !checkHttp(terms.constraints, next, "").ok) return null;
  return reach.desk?.scrubText(location ?? "", values).found === true ? null : next;
}

type Course = {
  readonly values: readonly Uint8Array[];
  readonly authenticated: boolean;
  readonly redirected: boolean;
  readonly reach: Reach;
  readonly terms: Terms;
};

/** What the guest gets: the decoded body and the headers its grant names, without any secret. */
async function finish({ request, answer, spkiDigest }: Answered, course: Course): Promise<PerformOutcome> {
  const { values, authenticated, redirected, reach, terms } = course;
  const { desk, voucher } = reach;
  // The record has the first request alone, so nobody could tell that an answer to another was signed for it.
  const vouched = redirected && voucher?.expects(request) === true ? null : voucher?.vouch(request, answer);
  let body: Uint8Array;
  try {
    body = await decodeBody(answer.body, answer.headers["content-encoding"], terms.maxBytes);
  } catch {
    return unknown();
  }
  let found = false;
  const clean = <T>(scrubbed: { readonly value: T; readonly found: boolean } | undefined, plain: T): T => {
    found ||= scrubbed?.found ?? false;
    return scrubbed === undefined ? plain : scrubbed.value;
  };
  const headers: Record<string, string> = {};
  for (const name of terms.constraints.responseHeaders ?? httpBounds.responseHeaders) {
    const value = Object.hasOwn(answer.headers, name) ? answer.headers[name] : undefined;
    if (value === undefined || wireHeaders.has(name)) continue;
    headers[name] = clean(desk?.scrubText(value, values), value);
  }
  const content = clean(desk?.scrubBytes(body, values), body);
  const vouchedFor = vouched === undefined ? null : vouched?.ok === true ? vouched.value : "unauthenticated";
  // The signature base is recorded too, and may hold fields that the guest does not see.
  if (vouchedFor !== null) clean(desk?.scrubText(JSON.stringify(vouchedFor), values), "");
  const tls: Assurance = authenticated && spkiDigest !== null ? { tls: { spkiDigest } } : "unauthenticated";
  const assurance = found ? "unauthenticated" : (vouchedFor ?? tls);
  return { outcome: "ok", value: { status: answer.status, headers, body: content }, assurance };
}

/** Headers about the body as it came, which is not the body a guest gets. */
const wireHeaders: ReadonlySet<string> = new Set(["content-encoding", "content-length", "transfer-encoding"]);

function unknown(): PerformOutcome {
  const message = "the request may have been performed: no whole answer came within the time and size it is granted";
  return { outcome: "unknown", code: "EXO_EFFECT_UNKNOWN", message };
}
