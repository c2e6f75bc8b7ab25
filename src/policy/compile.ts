import { parseAliasPath } from "../contracts/alias-path.js";
import { pointerOf } from "../contracts/common.js";
import type { HttpObligation } from "../contracts/http.js";
import { isCapabilityName } from "../contracts/imports.js";
import type { ActionIntent } from "../contracts/intent.js";
import type { Obligations, PolicyDocument, PolicyRule } from "../contracts/policy.js";
import { isHost, isScheme, isUrlPath, splitUrl } from "../contracts/url.js";
import { ExoArmurError } from "../errors.js";
import {
  anyOf,
  isOneOf,
  matchesAction,
  type PointerTable,
  type Test,
  testAttestation,
  testParameter,
  testTargetPrefix,
  testTargetText,
  testTargetUnder,
  testTargetUrl,
} from "./match.js";
import { compilePattern } from "./pattern.js";

/** One member of a rule's match: its JSON pointer inside `match`, and the test. */
export type CompiledMember = { readonly name: string; readonly test: Test };

/** A rule ready to run. `members` are all but the action; all must hold. */
export type CompiledRule = {
  readonly rule: PolicyRule;
  readonly matchesAction: (action: string) => boolean;
  readonly members: readonly CompiledMember[];
};

/** A policy ready to run. `document` is what it was compiled from. */
export type CompiledPolicy = {
  readonly document: PolicyDocument;
  readonly rules: readonly CompiledRule[];
  /** The rules that an action leaves possible, in order. */
  readonly rulesFor: (action: string) => readonly CompiledRule[];
  readonly pointers: PointerTable;
};

/** Actions whose rules are kept at hand. */
const maxKnownActions = 256;

type TargetMatch = Exclude<NonNullable<PolicyRule["match"]["target"]>, readonly unknown[]>;
type ParameterMatch = NonNullable<PolicyRule["match"]["parameters"]>[string];
type Path = readonly PropertyKey[];

/**
 * Compiles a policy whose shape was validated (spec/policy.md). Refuses what has the shape but no meaning: a bad
 * pattern, `min` above `max`, an `under` that is no root-alias path, a URL member that no normal URL can have, an
 * action no intent can have, an unknown capability to narrow.
 *
 * @throws ExoArmurError EXO_SCHEMA with the JSON pointer in `place`.
 */
export function compilePolicy(policy: PolicyDocument): CompiledPolicy {
  const pointers: PointerTable = new Map();
  const rules = policy.rules.map((rule, index) => compileRule(rule, ["rules", index], pointers));
  const known = new Map<string, readonly CompiledRule[]>();
  const rulesFor = (action: string): readonly CompiledRule[] => {
    const before = known.get(action);
    if (before !== undefined) return before;
    const possible = rules.filter((rule) => rule.matchesAction(action));
    // Actions come from agents: the memory for them is bounded.
    if (known.size >= maxKnownActions) known.clear();
    known.set(action, possible);
    return possible;
  };
  return { document: policy, rules, rulesFor, pointers };
}

function compileRule(rule: PolicyRule, at: Path, pointers: PointerTable): CompiledRule {
  checkNarrow(rule.obligations?.narrow ?? {}, [...at, "obligations", "narrow"]);
  const { match } = rule;
  const here = [...at, "match"];
  const actions = listOf(match.action ?? "*");
  for (const action of actions) {
    if (action !== "*" && !action.includes(".")) {
      fail([...here, "action"], `expected an action or a pattern such as ${action}.*, got ${action}`);
    }
  }
  const members: CompiledMember[] = [];
  const add = (name: string, test: Test) => members.push({ name, test });
  const equalities: readonly [string, string | string[] | undefined, (intent: ActionIntent) => string | undefined][] = [
    ["/tenant", match.tenant, (intent) => intent.tenantId],
    ["/actor/id", match.actor?.id, (intent) => intent.actor.id],
    ["/actor/type", match.actor?.type, (intent) => intent.actor.type],
    ["/executor", match.executor, (intent) => intent.executor?.name],
  ];
  for (const [name, values, read] of equalities)
    if (values !== undefined) add(name, testEquality(listOf(values), read));
  if (match.target !== undefined) {
    const targets = listOf(match.target);
    const path = (index: number) => [...here, "target", ...(Array.isArray(match.target) ? [index] : [])];
    add("/target", anyOf(targets.map((target, index) => compileTarget(target, path(index)))));
  }
  for (const [pointer, parameter] of Object.entries(match.parameters ?? {})) {
    const name = pointerOf(["parameters", pointer]);
    add(name, compileParameter(pointer, parameter, [...here, "parameters", pointer], pointers));
  }
  if (match.attestation !== undefined) {
    const tests = listOf(match.attestation).map(({ predicateType, attester, subject }) =>
      testAttestation(pointers, {
        predicateType: listOf(predicateType),
        attester: attester === undefined ? null : listOf(attester),
        subject: subject === undefined ? null : listOf(subject),
      }),
    );
    add("/attestation", anyOf(tests));
  }
  return { rule, matchesAction: matchesAction(actions), members };
}

function testEquality(values: readonly string[], read: (intent: ActionIntent) => string | undefined): Test {
  const only = values[0];
  if (values.length === 1) return ({ intent }) => (read(intent) === only ? "yes" : "no");
  const equals = isOneOf<string | undefined>(values);
  return ({ intent }) => (equals(read(intent)) ? "yes" : "no");
}

function compileTarget(target: TargetMatch, at: Path): Test {
  if (typeof target === "string") return testTargetText([target]);
  if ("prefix" in target) return testTargetPrefix(listOf(target.prefix));
  if ("under" in target) {
    return testTargetUnder(
      listOf(target.under).map((base) => {
        const segments = parseAliasPath(base);
        return (
          segments ?? fail([...at, "under"], `expected a root-alias path such as data/reports, got ${quote(base)}`)
        );
      }),
    );
  }
  const { url } = target;
  const ask = <T extends string | number>(member: "scheme" | "host" | "path" | "port", value: T | T[] | undefined) => {
    if (value === undefined) return null;
    const values = listOf(value);
    for (const one of values) checkUrlMember(member, one, [...at, "url", member]);
    return values;
  };
  return testTargetUrl({
    scheme: ask("scheme", url.scheme),
    host: ask("host", url.host),
    port: ask("port", url.port),
    path: ask("path", url.path),
  });
}

const urlMembers = {
  scheme: { holds: isScheme, expected: "a lower-case scheme such as https" },
  host: { holds: isHost, expected: "a lower-case host such as api.example.com" },
  path: { holds: isUrlPath, expected: "a path in normal form such as /v1/orders" },
} as const;

function checkUrlMember(member: keyof typeof urlMembers | "port", value: string | number, at: Path): void {
  if (member === "port" || typeof value === "number") return;
  const { holds, expected } = urlMembers[member];
  if (!holds(value)) fail(at, `expected ${expected}, got ${quote(value)}`);
}

function compileParameter(pointer: string, match: ParameterMatch, at: Path, pointers: PointerTable): Test {
  if (typeof match !== "object" || match === null) {
    return testParameter(pointers, pointer, (value) => (value === match ? "yes" : "no"));
  }
  if ("in" in match) {
    const set = new Set<unknown>(match.in);
    return testParameter(pointers, pointer, (value) => (set.has(value) ? "yes" : "no"));
  }
  if ("matches" in match) {
    const pattern = compilePattern(match.matches);
    if (!pattern.ok) return fail([...at, "matches"], `expected an RE2 pattern: ${pattern.why}`);
    return testParameter(pointers, pointer, (value) =>
      typeof value !== "string" ? "unclear" : pattern.test(value) ? "yes" : "no",
    );
  }
  const { min, max } = match;
  if (min === undefined && max === undefined) return fail(at, "expected min or max, got neither");
  const low = min ?? Number.NEGATIVE_INFINITY;
  const high = max ?? Number.POSITIVE_INFINITY;
  if (low > high) return fail(at, `expected min to be at most max, got ${low} and ${high}`);
  return testParameter(pointers, pointer, (value) =>
    typeof value !== "number" ? "unclear" : value >= low && value <= high ? "yes" : "no",
  );
}

/** Refuses a `narrow` obligation that has no meaning. EXO_SCHEMA with the JSON pointer below `at`. */
export function checkNarrow(narrow: NonNullable<Obligations["narrow"]>, at: Path): void {
  for (const [capability, { paths, ...obliged }] of Object.entries(narrow)) {
    const here = [...at, capability];
    if (!isCapabilityName(capability)) fail(here, `expected a capability such as fs_read, got ${quote(capability)}`);
    for (const path of paths ?? []) {
      if (path !== "{target}" && (path.includes("{target}") || parseAliasPath(path) === null)) {
        fail([...here, "paths"], `expected a root-alias path or {target}, got ${quote(path)}`);
      }
    }
    checkPlaces(capability, obliged, here);
  }
}

/** What limits places has a meaning for http_request alone; elsewhere it would be passed over in silence. */
function checkPlaces(capability: string, obliged: HttpObligation, here: Path): void {
  for (const member of ["methods", "pathPrefix", "urls"] as const) {
    if (capability !== "http_request" && obliged[member] !== undefined) {
      fail([...here, member], `expected ${member} in http_request alone, got it in ${quote(capability)}`);
    }
  }
  for (const url of obliged.urls ?? []) {
    const scheme = splitUrl(url)?.scheme;
    if (url !== "{target}" && scheme !== "http" && scheme !== "https") {
      fail([...here, "urls"], `expected an http or https URL in normal form or {target}, got ${quote(url)}`);
    }
  }
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}

function fail(at: Path, message: string): never {
  const pointer = pointerOf(at);
  throw new ExoArmurError("EXO_SCHEMA", `policy: ${pointer}: ${message}`, { pointer });
}
