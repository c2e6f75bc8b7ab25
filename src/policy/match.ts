import type { JsonValue } from "../canonical/jcs.js";
import { parseAliasPath, startsWithSegments } from "../contracts/alias-path.js";
import type { ActionIntent, Requester } from "../contracts/intent.js";
import { isPathPrefix, type NormalUrl, splitUrl } from "./url.js";

/** What a policy judges: the intent, who handed it in, and the effects its executor declares (null: no executor). */
export type PolicySubject = {
  readonly intent: ActionIntent;
  readonly requester: Requester;
  readonly effects: "none" | "read" | "write" | null;
};

/**
 * Whether a member of a rule's match holds. `unclear`: the question cannot be answered for this subject (missing
 * pointer, absent or abnormal target); no match, but an evaluation error in a deny rule.
 */
export type Answer = "yes" | "no" | "unclear";

/** One evaluation: the subject with its target parsed at most once. */
export class Evaluation {
  readonly subject: PolicySubject;
  readonly intent: ActionIntent;
  #path: readonly string[] | null | undefined;
  #url: NormalUrl | null | undefined;

  constructor(subject: PolicySubject) {
    this.subject = subject;
    this.intent = subject.intent;
  }

  /** Segments of the target, null when it is no root-alias path. */
  path(): readonly string[] | null {
    if (this.#path === undefined) this.#path = parseAliasPath(this.intent.target ?? "");
    return this.#path;
  }

  /** The target split, null when it is no URL in normal form. */
  url(): NormalUrl | null {
    if (this.#url === undefined) this.#url = splitUrl(this.intent.target ?? "");
    return this.#url;
  }
}

/** A compiled member of a rule's match. */
export type Test = (evaluation: Evaluation) => Answer;

/** Equality with one of the values. */
export function isOneOf<T>(values: readonly T[]): (value: T) => boolean {
  if (values.length === 1) {
    const only = values[0];
    return (value) => value === only;
  }
  const set = new Set(values);
  return (value) => set.has(value);
}

/** Exact actions, `fs.*` (whole segments) and `*`. */
export function testAction(patterns: readonly string[]): Test {
  if (patterns.includes("*")) return () => "yes";
  const prefixes = patterns.filter((pattern) => pattern.endsWith(".*")).map((pattern) => pattern.slice(0, -1));
  const exact = patterns.filter((pattern) => !pattern.endsWith(".*"));
  if (prefixes.length === 0) {
    const equals = isOneOf(exact);
    return ({ intent }) => (equals(intent.action) ? "yes" : "no");
  }
  const set = new Set(exact);
  return ({ intent }) => {
    if (set.has(intent.action)) return "yes";
    for (const prefix of prefixes) if (intent.action.startsWith(prefix)) return "yes";
    return "no";
  };
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
    for (const prefix of prefixes) if (target.startsWith(prefix)) return "yes";
    return "no";
  };
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
    for (const base of bases) if (startsWithSegments(path, base)) return "yes";
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
  return (evaluation) => {
    const url = evaluation.url();
    if (url === null) return "unclear";
    if (rule.scheme !== null && !rule.scheme.includes(url.scheme)) return "no";
    if (rule.host !== null && !rule.host.includes(url.host)) return "no";
    if (rule.port !== null && (url.port === null || !rule.port.includes(url.port))) return "no";
    if (rule.path !== null && !rule.path.some((prefix) => isPathPrefix(url.path, prefix))) return "no";
    return "yes";
  };
}

/** Tokens of a JSON pointer (RFC 6901). */
export function pointerTokens(pointer: string): readonly string[] {
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The value the tokens point at, undefined when there is none. Own members only; array indexes without leading zeros. */
export function valueAt(root: JsonValue, tokens: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const token of tokens) {
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value)) {
      const index = Number(token);
      if (!Number.isInteger(index) || index < 0 || String(index) !== token) return undefined;
      value = (value as readonly JsonValue[])[index];
    } else {
      value = Object.hasOwn(value, token) ? (value as { readonly [key: string]: JsonValue })[token] : undefined;
    }
    if (value === undefined) return undefined;
  }
  return value;
}

/** A parameter at a pointer; `judge` answers for the value there. */
export function testParameter(pointer: string, judge: (value: JsonValue) => Answer): Test {
  const tokens = pointerTokens(pointer);
  return ({ intent }) => {
    const value = valueAt(intent.parameters, tokens);
    return value === undefined ? "unclear" : judge(value);
  };
}
