import { type Digest, digestOfJson } from "../canonical/digest.js";
import type { Agreement, AgreementVoice } from "../contracts/agreement.js";
import { openReExecution, type ReExecutionPredicate } from "../contracts/re-execution.js";
import { personOf, roleKeys, type Trust } from "../contracts/trust.js";
import { equalBytes } from "../crypto/encoding.js";
import { type ErrorCode, ExoArmurError, type Result } from "../errors.js";

/** A key that may speak, and whose it is. Keys of one person are one voice. */
export type VerifierKey = { readonly id: string; readonly person: string; readonly publicKey: Uint8Array };

/** Something that was handed in for a bundle. */
export type HandedIn = {
  /** The node or file that it came from. */
  readonly from: string;
  /** The bytes of a signed re-execution report, or why there is none. */
  readonly answer: Result<Uint8Array>;
  /** The keys by which it may be signed. */
  readonly keys: readonly VerifierKey[];
};

/**
 * The verifiers of a trust file who may speak of a bundle of this tenant, null for what is no bundle. A report has no place
 * in a log, so nothing tells when it was signed: a key that has ended does not count.
 */
export function verifierKeys(trust: Trust, tenantId: string | null): VerifierKey[] {
  return roleKeys(trust, "verifier", Number.MAX_SAFE_INTEGER)
    .filter(({ key: { tenants } }) => tenants === undefined || (tenantId !== null && tenants.includes(tenantId)))
    .map(({ key, publicKey }) => ({ id: key.id, person: personOf(key), publicKey }));
}

/** More than half of so many. */
export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * What many verifiers agree on about the bundle with this digest (spec/replay.md, Many verifiers). A report counts when it
 * is signed by one of its keys and about exactly these bytes; those that found the same, by result digest, result, levels,
 * checks and divergence, are together, each person once. There is consensus when one such group, and no second, has
 * `threshold` voices. EXO_USAGE for a threshold that is no whole number from 1.
 */
export function agreementOf(bundleDigest: Digest, handedIn: readonly HandedIn[], threshold: number): Agreement {
  if (!Number.isSafeInteger(threshold) || threshold < 1) {
    throw new ExoArmurError("EXO_USAGE", `expected a threshold of at least 1, got ${threshold}`);
  }
  const heard = onceEach(handedIn.map((one) => hear(bundleDigest, one, handedIn)));
  const groups = new Map<string, Heard[]>();
  for (const one of heard) {
    if (one.found === undefined || one.refused !== undefined) continue;
    const about = digestOfFindings(one.found);
    groups.set(about, [...(groups.get(about) ?? []), one]);
  }
  const all = [...groups.values()];
  const [agreed, second] = all.filter((group) => group.length >= threshold);
  const consensus = second === undefined ? agreed : undefined;
  // Where too few spoke but all said the same, that is what the others are compared with.
  const measure = consensus ?? (all.length === 1 ? all[0] : undefined);
  const voices = heard.map((one) => voiceOf(one, measure));
  const found = consensus?.[0]?.found;
  const countOf = (state: AgreementVoice["state"]): number => voices.filter((voice) => voice.state === state).length;
  return {
    schema: "exoarmur.agreement/v1",
    bundleDigest,
    threshold,
    result: found?.result ?? "no_consensus",
    resultDigest: found?.resultDigest ?? null,
    trustMode: found?.trustMode ?? null,
    levels: found?.levels ?? null,
    counts: { agrees: countOf("agrees"), differs: countOf("differs"), refused: countOf("refused") },
    voices,
  };
}

type Refused = { readonly code: ErrorCode; readonly message: string };

type Heard = {
  readonly from: string;
  readonly key?: VerifierKey;
  readonly keyId?: string;
  /** What it says, as far as its signature holds. */
  readonly found?: ReExecutionPredicate;
  /** Why it does not count. */
  readonly refused?: Refused;
};

function hear(bundleDigest: Digest, { from, answer, keys }: HandedIn, all: readonly HandedIn[]): Heard {
  if (!answer.ok) return { from, refused: answer.error };
  const opened = openReExecution(
    answer.value,
    keys.map(({ publicKey }) => publicKey),
  );
  if (!opened.ok) return { from, refused: strangersKey(opened.error, answer.value, from, all) };
  const { signer, statement } = opened.value;
  const key = keys.find(({ publicKey }) => equalBytes(publicKey, signer.publicKey));
  const spoken = { from, ...(key === undefined ? {} : { key }), keyId: signer.keyId, found: statement.predicate };
  const about = `sha256:${statement.subject[0].digest.sha256}`;
  if (about === bundleDigest) return spoken;
  return {
    ...spoken,
    refused: { code: "EXO_REPLAY_SUBJECT", message: `is about ${about}, not about ${bundleDigest}` },
  };
}

/** Names the one whose key it is, when it is that of another who was asked. */
function strangersKey(error: Refused, answer: Uint8Array, from: string, all: readonly HandedIn[]): Refused {
  if (error.code !== "EXO_TRUST") return error;
  const owner = all.find(
    ({ from: other, keys }) =>
      other !== from &&
      openReExecution(
        answer,
        keys.map(({ publicKey }) => publicKey),
      ).ok,
  );
  return owner === undefined ? error : { code: error.code, message: `is signed with the key of ${owner.from}` };
}

/** Counts a person once. Who says two things is believed in neither. */
function onceEach(heard: readonly Heard[]): Heard[] {
  const first = new Map<string, Heard>();
  const contradicts = new Set<string>();
  for (const one of heard) {
    if (one.refused !== undefined || one.key === undefined || one.found === undefined) continue;
    const before = first.get(one.key.person);
    if (before?.found === undefined) first.set(one.key.person, one);
    else if (digestOfFindings(before.found) !== digestOfFindings(one.found)) contradicts.add(one.key.person);
  }
  return heard.map((one) => {
    if (one.refused !== undefined || one.key === undefined) return one;
    const { person } = one.key;
    const counted = first.get(person);
    if (contradicts.has(person)) return refusedAs(one, `${person} has signed different findings about this bundle`);
    return counted === one ? one : refusedAs(one, `${person} is counted once, for ${counted?.from ?? ""}`);
  });
}

function refusedAs(one: Heard, message: string): Heard {
  return { ...one, refused: { code: "EXO_VERIFIER_TWICE", message } };
}

/** What two verifiers must have in common to agree. Engine, build and trust file may differ. */
function digestOfFindings({
  result,
  resultDigest,
  trustMode,
  levels,
  checks,
  divergence,
}: ReExecutionPredicate): Digest {
  return digestOfJson({ result, resultDigest, trustMode, levels, checks, divergence });
}

function voiceOf({ from, key, keyId, found, refused }: Heard, measure: readonly Heard[] | undefined): AgreementVoice {
  const expected = measure?.[0]?.found;
  const same = found !== undefined && expected !== undefined && digestOfFindings(found) === digestOfFindings(expected);
  const state = refused !== undefined ? "refused" : same ? "agrees" : "differs";
  return {
    from,
    verifier: key?.id ?? null,
    keyId: keyId ?? null,
    state,
    ...(refused === undefined ? {} : { code: refused.code }),
    message: refused?.message ?? found?.result ?? "",
    result: found?.result ?? null,
    resultDigest: found?.resultDigest ?? null,
    difference: found === undefined || expected === undefined ? null : firstDifference(expected, found),
    divergence: found?.divergence ?? null,
    engine: found?.engine ?? null,
  };
}

/** The first check that two verifiers find otherwise; the digests where only what checks say differs. */
function firstDifference(expected: ReExecutionPredicate, actual: ReExecutionPredicate): AgreementVoice["difference"] {
  const theirs = new Map(actual.checks.map((check) => [check.id, stateOf(check)]));
  for (const check of expected.checks) {
    const came = theirs.get(check.id) ?? "not made";
    if (came !== stateOf(check)) return { what: `${check.level}, ${check.id}`, expected: stateOf(check), actual: came };
  }
  if (expected.resultDigest === actual.resultDigest) return null;
  return { what: "result digest", expected: expected.resultDigest, actual: actual.resultDigest };
}

function stateOf({ state, code }: ReExecutionPredicate["checks"][number]): string {
  return code === undefined ? state : `${state} ${code}`;
}
