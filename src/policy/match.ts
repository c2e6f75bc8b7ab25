import { isDigest } from "../canonical/digest.js";
import type { JsonValue } from "../canonical/jcs.js";
import { parseAliasPath, startsWithSegments } from "../contracts/alias-path.js";
import type { AttestationFacts } from "../contracts/attestation.js";
import type { ActionIntent, Requester } from "../contracts/intent.js";
import { pointerTokens, valueAt } from "../contracts/pointer.js";
import { isPathPrefix, type NormalUrl, splitUrl } from "../contracts/url.js";

/**
 * What a policy judges: the intent, who handed it in, the effects its executor declares (null: no executor), and the
 * verified attestations that came with it.
 */
export type PolicySubject = {
  readonly intent: ActionIntent;
  readonly requester: Requester;
  readonly effects: "none" | "read" | "write" | null;
  readonly attestations?: readonly AttestationFacts[];
};

/**
 * Whether a member of a rule's match holds. `unclear`: the question cannot be answered for this subject (missing
 * pointer, absent or abnormal target); no match, but an evaluation error in a deny rule.
 */
export type Answer = "yes" | "no" | "unclear";

/** One evaluation: the subject, with target and parameters looked at once however many rules ask. */
export class Evaluation {
  readonly intent: ActionIntent;
  readonly attestations: readonly AttestationFacts[];
  private readonly parameters: (JsonValue | undefined | typeof unread)[];
  private target: readonly string[] | null | typeof unread = unread;
  private splitTarget: NormalUrl | null | typeof unread = unread;

  constructor({ intent, attestations = [] }: PolicySubject, pointers: PointerTable) {
    this.intent = intent;
    this.attestations = attestations;
    this.parameters = new Array<typeof unread>(pointers.size).fill(unread);
  }

  /** Segments of the target, null when it is no root-alias path. */
  path(): readonly string[] | null {
    if (this.target === unread) this.target = parseAliasPath(this.intent.target ?? "");
    return this.target;
  }

  /** The target split, null when it is no URL in normal form. */
  url(): NormalUrl | null {
    if (this.splitTarget === unread) this.splitTarget = splitUrl(this.intent.target ?? "");
    return this.splitTarget;
  }

  /** The parameter at a pointer of the policy's table, undefined when there is none. */
  parameter(slot: number, tokens: readonly string[]): JsonValue | undefined {
    const known = this.parameters[slot];
    if (known !== unread) return known;
    const value = valueAt(this.intent.parameters, tokens);
    this.parameters[slot] = value;
    return value;
  }
}

const unread = Symbol("unread");

/** Every pointer a policy uses, each with its place in an evaluation. */
export type PointerTable = Map<string, number>;

/** A compiled member of a rule's match. */
export type Test = (evaluation: Evaluation) => Answer;

/** Equality with one of the values. */
export function isOneOf<T>(values: readonly T[]): (value: T) => boolean {
  if (values.length === 1) {
    const only = values[0];
    return (value) => value === only;
  }
  const set: ReadonlySet<T> = new Set(values);
  return (value) => set.has(value);
}

/** Exact actions, `fs.*` (whole segments) and `*`. */
export function matchesAction(patterns: readonly string[]): (action: string) => boolean {
  const exact = new Set(patterns);
  const prefixes = patterns.filter((pattern) => pattern.endsWith(".*")).map((pattern) => pattern.slice(0, -1));
  if (exact.has("*")) return () => true;
  return (action) => exact.has(action) || prefixes.some((prefix) => action.startsWith(prefix));
}

/** Any of several tests of one target: yes if one says yes, else unclear if one is. */
export function anyOf(tests: readonly Test[]): Test {
  if (tests.length === 1 && tests[0] !== undefined) return tests[0];
  return (evaluation) => {
    let answer: Answer = "no";
    for (const test of tests) {
      const one = test(evaluation);
      if (one === "yes") return "yes";
      if (one === "unclear") answer = "unclear";
    }
    return answer;
  };
}

/** Target equal to one of the texts. */
export function testTargetText(texts: readonly string[]): Test {
  const equals = isOneOf(texts);
  return ({ intent }) => (intent.target === undefined ? "unclear" : equals(intent.target) ? "yes" : "no");
}

/** Target that begins with one of the texts. */
export function testTargetPrefix(prefixes: readonly string[]): Test {
  return ({ intent: { target } }) => {
    if (target === undefined) return "unclear";
    for (let i = 0; i < prefixes.length; i++) if (beginsWith(target, prefixes[i] ?? "")) return "yes";
    return "no";
  };
}

/** As startsWith, which costs a call out of compiled code; most rules end at the first character. */
function beginsWith(text: string, prefix: string): boolean {
  if (text.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (text.charCodeAt(i) !== prefix.charCodeAt(i)) return false;
  return true;
}

/** Target at or inside one of the root-alias paths, given as segments. */
export function testTargetUnder(bases: readonly (readonly string[])[]): Test {
  return (evaluation) => {
    const path = evaluation.path();
    if (path === null) {
      // An absolute path and a URL are under nothing, for certain; what only resembles a path is not comparable.
      const { target } = evaluation.intent;
      return target?.startsWith("/") === true || evaluation.url() !== null ? "no" : "unclear";
    }
    for (let i = 0; i < bases.length; i++) if (startsWithSegments(path, bases[i] ?? [])) return "yes";
    return "no";
  };
}

/** What a URL rule asks; null members are not asked. */
export type UrlTest = {
  readonly scheme: readonly string[] | null;
  readonly host: readonly string[] | null;
  readonly port: readonly number[] | null;
  readonly path: readonly string[] | null;
};

/** Target that is a URL in normal form with these members. */
export function testTargetUrl(rule: UrlTest): Test {
  const host = rule.host && isOneOf(rule.host);
  const scheme = rule.scheme && isOneOf(rule.scheme);
  const port = rule.port && isOneOf<number | null>(rule.port);
  return (evaluation) => {
    const url = evaluation.url();
    if (url === null) return "unclear";
    if (host !== null && !host(url.host)) return "no";
    if (scheme !== null && !scheme(url.scheme)) return "no";
    if (port !== null && !port(url.port)) return "no";
    if (rule.path !== null && !rule.path.some((prefix) => isPathPrefix(url.path, prefix))) return "no";
    return "yes";
  };
}

/** A parameter at a pointer, which is entered into the table; `judge` answers for the value there. */
export function testParameter(pointers: PointerTable, pointer: string, judge: (value: JsonValue) => Answer): Test {
  const read = parameterReader(pointers, pointer);
  return (evaluation) => {
    const value = read(evaluation);
    return value === undefined ? "unclear" : judge(value);
  };
}

/** Reads the parameter at a pointer, which is entered into the table. */
function parameterReader(pointers: PointerTable, pointer: string): (evaluation: Evaluation) => JsonValue | undefined {
  const tokens = pointerTokens(pointer);
  const slot = pointers.get(pointer) ?? pointers.size;
  pointers.set(pointer, slot);
  return (evaluation) => evaluation.parameter(slot, tokens);
}

/** What a rule asks of one attestation; null members are not asked. */
export type AttestationTest = {
  readonly predicateType: readonly string[];
  readonly attester: readonly string[] | null;
  readonly subject: readonly ({ readonly digest: string } | { readonly parameter: string })[] | null;
};

/**
 * Some verified attestation of which every member holds. Where a subject is looked for under a pointer at which the
 * parameters have no SHA-256, the question has no answer, unless no attestation comes into question at all.
 */
export function testAttestation(pointers: PointerTable, rule: AttestationTest): Test {
  const isType = isOneOf(rule.predicateType);
  const isAttester = rule.attester && isOneOf(rule.attester);
  const wanted = rule.subject?.map((subject) =>
    "digest" in subject ? () => subject.digest : parameterReader(pointers, subject.parameter),
  );
  return (evaluation) => {
    const fitting = evaluation.attestations.filter(
      ({ predicateType, signers }) =>
        isType(predicateType) && (isAttester === null || signers.some(({ attester }) => isAttester(attester))),
    );
    if (fitting.length === 0) return "no";
    if (wanted === undefined) return "yes";
    const digests = wanted.map((read) => read(evaluation));
    const isAbout = ({ subjects }: AttestationFacts): boolean =>
      subjects.some(({ digest }) => digests.includes(digest));
    if (fitting.some(isAbout)) return "yes";
    return digests.every(isDigest) ? "no" : "unclear";
  };
}
