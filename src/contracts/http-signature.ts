import { admitPublicKey, verifyEd25519 } from "../crypto/ed25519.js";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../crypto/encoding.js";
import { ok, type Result, refuse } from "../errors.js";
import { isContentDigest } from "./content-digest.js";
import {
  type BareItem,
  type InnerList,
  readByteSequences,
  readInnerList,
  readInnerLists,
  type StringItem,
  writeInnerList,
  writeString,
} from "./structured-field.js";

/** A request and its answer, as a signature over the answer speaks of them. Header names are in lower case. */
export type Exchange = {
  readonly request: {
    readonly method: string;
    /** In normal form (spec/policy.md, URLs). */
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Uint8Array;
  };
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As it was signed: without any content coding. */
  readonly body: Uint8Array;
};

/** When a signature was made and until when it holds, in seconds since the epoch. */
export type SignatureTimes = { readonly created: number; readonly expires: number | null };

/** Most characters of a signature base. */
const maxBase = 65_536;

/** What an answer's signature may cover of the request; by name `@...` or a field. */
const requestParts: Readonly<Record<string, (request: Exchange["request"]) => string>> = {
  "@method": ({ method }) => method,
  "@target-uri": ({ url }) => url,
  "@scheme": ({ url }) => url.slice(0, url.indexOf(":")),
  "@authority": ({ url }) => authorityOf(url),
  "@request-target": ({ url }) => targetOf(url),
  "@path": ({ url }) => targetOf(url).split("?")[0] ?? "",
  "@query": ({ url }) => {
    const target = targetOf(url);
    const mark = target.indexOf("?");
    return mark < 0 ? "?" : target.slice(mark);
  },
};

/** Sets of components that name a request's URL whole; the key is bound to the origin. */
const wholeTargets: readonly (readonly string[])[] = [
  ["@target-uri"],
  ["@authority", "@request-target"],
  ["@authority", "@path", "@query"],
];

/**
 * The signature base (RFC 9421, section 2.5) of components in their order. undefined when a component has no value.
 *
 * @param lookUp value of a component by its name and whether it is the request's
 */
export function signatureBase(
  list: InnerList,
  lookUp: (name: string, ofRequest: boolean) => string | undefined,
): string | undefined {
  const lines: string[] = [];
  for (const item of list.items) {
    const value = lookUp(item.value, isOfRequest(item));
    if (value === undefined) return undefined;
    lines.push(`${writeString(item)}: ${value}`);
  }
  return [...lines, `"@signature-params": ${writeInnerList(list)}`].join("\n");
}

/**
 * Takes the signature of one key out of an answer: the one whose `keyid` is it, or the only one if that has none.
 * EXO_ANSWER_SIGNATURE when there is none, more than one, or one that covers what the exchange does not have.
 */
export function takeSignature(
  exchange: Exchange,
  keyId: string,
): Result<{ readonly base: string; readonly signature: string }> {
  const inputs = readInnerLists(exchange.headers["signature-input"] ?? "");
  const signatures = readByteSequences(exchange.headers["signature"] ?? "");
  if (inputs === undefined || signatures === undefined)
    return wrong("has no well-formed Signature-Input and Signature");
  const ours = [...inputs].filter(([label, list]) => {
    const named = parameterOf(list, "keyid");
    return signatures.has(label) && (named === keyId || (named === undefined && inputs.size === 1));
  });
  const [found] = ours;
  const signature = signatures.get(found?.[0] ?? "");
  if (ours.length !== 1 || found === undefined || signature === undefined) {
    return wrong(`has ${ours.length} signatures by the key ${keyId}, expected one`);
  }
  const base = signatureBase(found[1], (name, ofRequest) => knownValue(exchange, name, ofRequest));
  if (base === undefined) return wrong("has a signature over a component that this exchange does not have");
  if (base.length > maxBase) return wrong(`has a signature base of more than ${maxBase} characters`);
  return ok({ base, signature: encodeBase64(signature) });
}

/** A recorded signature over an answer. */
type Recorded = { readonly base: string; readonly signature: string; readonly keyId: string };

/**
 * Verifies a recorded signature over an answer (spec/capabilities.md, Assurance): the base is well-formed, covers the
 * status, the body and the whole request, says nothing that differs from the exchange, and is signed by the key. A field
 * of which the exchange knows no value is the signer's statement alone. EXO_ANSWER_SIGNATURE, EXO_KEY_REFUSED.
 *
 * @param publicKey null: the signature itself is not verified
 */
export function checkMessageSignature(
  recorded: Recorded,
  exchange: Exchange,
  publicKey: Uint8Array | null,
): Result<SignatureTimes> {
  const stated = checkStatement(recorded, exchange);
  if (!stated.ok || publicKey === null) return stated;
  const admitted = admitPublicKey(publicKey);
  if (!admitted.ok) return admitted;
  const signature = decodeBase64(recorded.signature);
  const holds = signature?.length === 64 && verifyEd25519(publicKey, encodeUtf8(recorded.base), signature);
  return holds ? stated : wrong(`has a signature that does not verify under the key ${recorded.keyId}`);
}

/** What the base says, without who signed it. */
function checkStatement({ base, keyId }: Recorded, exchange: Exchange): Result<SignatureTimes> {
  const read = readBase(base);
  if (read === undefined) return wrong("has a malformed signature base");
  const { list, values } = read;
  const terms = checkTerms(list, keyId);
  if (!terms.ok) return terms;
  const missing = missingComponent(list, exchange.request.body.length > 0);
  if (missing !== undefined) return wrong(`is signed without ${missing}`);
  for (const [at, item] of list.items.entries()) {
    if (!isTrue(exchange, item, values[at] ?? "")) return wrong(`is signed for another ${writeString(item)}`);
  }
  return terms;
}

/** Does the exchange have, or at least not contradict, what a base states of a component? */
function isTrue(exchange: Exchange, item: StringItem, stated: string): boolean {
  const ofRequest = isOfRequest(item);
  if (item.value === "content-digest") {
    return isContentDigest(stated, ofRequest ? exchange.request.body : exchange.body);
  }
  const known = knownValue(exchange, item.value, ofRequest);
  return known === undefined || known === stated;
}

/** Algorithms by the names of RFC 9421 that are not taken, and why. */
const refusedAlgorithms: Readonly<Record<string, string>> = {
  "hmac-sha256": "whoever can verify an HMAC can also make one",
  "rsa-pss-sha512": "only ed25519 is taken",
  "rsa-v1_5-sha256": "only ed25519 is taken",
  "ecdsa-p256-sha256": "only ed25519 is taken",
  "ecdsa-p384-sha384": "only ed25519 is taken",
};

const parameterKinds: Readonly<Record<string, "string" | "number">> = {
  created: "number",
  expires: "number",
  keyid: "string",
  alg: "string",
  nonce: "string",
  tag: "string",
};

/** The parameters of a signature: known ones, of their kinds, by this key and its algorithm, with a time. */
function checkTerms(list: InnerList, keyId: string): Result<SignatureTimes> {
  for (const [name, value] of list.parameters) {
    if (!Object.hasOwn(parameterKinds, name) || typeof value !== parameterKinds[name]) {
      return wrong(`has a signature with the parameter ${name}, which is not known or of another kind`);
    }
  }
  const algorithm = parameterOf(list, "alg");
  if (algorithm !== undefined && algorithm !== "ed25519") {
    const known = typeof algorithm === "string" && Object.hasOwn(refusedAlgorithms, algorithm);
    const why = known
      ? `with ${algorithm}: ${refusedAlgorithms[algorithm] ?? ""}`
      : "with an algorithm that is not known";
    return wrong(`is signed ${why}`);
  }
  const named = parameterOf(list, "keyid");
  if (named !== undefined && named !== keyId) return wrong("is signed by another key than it names");
  const created = parameterOf(list, "created");
  const expires = parameterOf(list, "expires");
  if (typeof created !== "number") return wrong("is signed without created");
  return ok({ created, expires: typeof expires === "number" ? expires : null });
}

/** What a signature must cover and does not, so that an answer stands for one status, one body and one request. */
function missingComponent(list: InnerList, hasBody: boolean): string | undefined {
  const covered = new Set(list.items.map(writeString));
  const needed = ["@status", "content-digest"].map((value) => writeString({ value, parameters: [] }));
  needed.push(requestComponent("@method"), ...(hasBody ? [requestComponent("content-digest")] : []));
  const missing = needed.find((component) => !covered.has(component));
  if (missing !== undefined) return missing;
  const isWhole = wholeTargets.some((parts) => parts.every((part) => covered.has(requestComponent(part))));
  return isWhole ? undefined : requestComponent("@target-uri");
}

function requestComponent(value: string): string {
  return writeString({ value, parameters: [["req", true]] });
}

/** Takes a base apart. The lines are those its last one lists, in that order, each once. */
function readBase(base: string): { readonly list: InnerList; readonly values: readonly string[] } | undefined {
  if (base.length > maxBase) return undefined;
  const lines = base.split("\n");
  const prefix = '"@signature-params": ';
  const last = lines.pop() ?? "";
  const list = last.startsWith(prefix) ? readInnerList(last.slice(prefix.length)) : undefined;
  if (list === undefined || list.items.length !== lines.length) return undefined;
  const names = list.items.map(writeString);
  if (new Set(names).size !== names.length || list.items.some((item) => !isComponent(item))) return undefined;
  const values: string[] = [];
  for (const [at, name] of names.entries()) {
    const line = lines[at] ?? "";
    if (!line.startsWith(`${name}: `)) return undefined;
    values.push(line.slice(name.length + 2));
  }
  return { list, values };
}

/** A field or derived component with no parameter but `req`; others change what a value means. */
function isComponent({ value, parameters }: StringItem): boolean {
  const onlyReq = parameters.every(([name, parameter]) => name === "req" && parameter === true);
  if (!onlyReq || parameters.length > 1) return false;
  if (!value.startsWith("@")) return /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(value);
  return parameters.length === 1 ? Object.hasOwn(requestParts, value) : value === "@status";
}

function knownValue(exchange: Exchange, name: string, ofRequest: boolean): string | undefined {
  if (!name.startsWith("@")) {
    const { headers } = ofRequest ? exchange.request : exchange;
    return Object.hasOwn(headers, name) ? headers[name]?.trim() : undefined;
  }
  if (!ofRequest) return name === "@status" ? String(exchange.status) : undefined;
  return Object.hasOwn(requestParts, name) ? requestParts[name]?.(exchange.request) : undefined;
}

function isOfRequest({ parameters }: StringItem): boolean {
  return parameters.some(([name]) => name === "req");
}

function parameterOf({ parameters }: InnerList, name: string): BareItem | undefined {
  return parameters.find(([key]) => key === name)?.[1];
}

function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  return url.slice(start, url.indexOf("/", start));
}

function targetOf(url: string): string {
  return url.slice(url.indexOf("/", url.indexOf("://") + 3));
}

function wrong(what: string): Result<never> {
  return refuse("EXO_ANSWER_SIGNATURE", `the answer ${what}`);
}
