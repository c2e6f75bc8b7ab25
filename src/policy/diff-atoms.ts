import { canonicalText, type JsonValue } from "../canonical/jcs.js";
import { pointerOf } from "../contracts/common.js";
import { pointerTokens } from "../contracts/pointer.js";
import type { PolicyRule } from "../contracts/policy.js";
import type { CompiledPolicy, CompiledRule } from "./compile.js";
import type { Answer, Evaluation } from "./match.js";

/** How predicates on parameters and attestations answer, by what they ask. */
export type Assignment = Map<string, Answer>;

type ParameterMatch = NonNullable<PolicyRule["match"]["parameters"]>[string];

/**
 * A policy in which every predicate on parameters or attestations answers what `assignment` says at the time. The same
 * question asked by another rule, or by another policy, gets the same answer.
 */
export function withAssignment(policy: CompiledPolicy, assignment: Assignment): CompiledPolicy {
  const rules = policy.rules.map((compiled): CompiledRule => {
    const atoms = atomsOf(compiled.rule);
    const members = compiled.members.map((member) => {
      const atom = atoms.get(member.name);
      return atom === undefined ? member : { ...member, test: (): Answer => assignment.get(atom) ?? "no" };
    });
    return { ...compiled, members };
  });
  return { ...policy, rules, rulesFor: (action) => rules.filter((rule) => rule.matchesAction(action)) };
}

/** The predicates of a rule on parameters and attestations: member name to what it asks. */
function atomsOf({ match }: PolicyRule): Map<string, string> {
  const atoms = new Map<string, string>();
  for (const [pointer, parameter] of Object.entries(match.parameters ?? {})) {
    atoms.set(pointerOf(["parameters", pointer]), canonicalText([pointer, parameter]));
  }
  if (match.attestation !== undefined) atoms.set("/attestation", canonicalText(match.attestation));
  return atoms;
}

/** The predicates that can still decide: those of rules of which no other member says no. */
export function openAtoms(rules: readonly CompiledRule[], evaluation: Evaluation): Set<string> {
  const found = new Set<string>();
  for (const { rule, members } of rules) {
    const atoms = atomsOf(rule);
    const others = members.filter(({ name }) => !atoms.has(name));
    if (others.some(({ test }) => test(evaluation) === "no")) continue;
    for (const atom of atoms.values()) found.add(atom);
  }
  return found;
}

/** Every way in which predicates can answer, possible or not. */
export function* assignments(atoms: readonly string[], assignment: Assignment): Generator<Assignment> {
  const [first, ...rest] = atoms;
  if (first === undefined) {
    yield assignment;
    return;
  }
  for (const answer of ["yes", "no", "unclear"] as const) {
    assignment.set(first, answer);
    yield* assignments(rest, assignment);
  }
}

/** Parameters to try: for every pointer that a rule asks about, nothing and values from what is asked, all combined. */
export function* parametersOf(rules: readonly PolicyRule[], most: number): Generator<{ [key: string]: JsonValue }> {
  const values = new Map<string, Set<JsonValue | undefined>>();
  for (const { match } of rules) {
    for (const [pointer, parameter] of Object.entries(match.parameters ?? {})) {
      const known = values.get(pointer) ?? new Set<JsonValue | undefined>([undefined]);
      for (const value of valuesFor(parameter)) known.add(value);
      values.set(pointer, known);
    }
  }
  const pointers = [...values].sort(([a], [b]) => a.length - b.length);
  const total = pointers.reduce((product, [, known]) => product * known.size, 1);
  for (let n = 0; n < Math.min(total, most); n++) {
    const parameters: { [key: string]: JsonValue } = {};
    let rest = n;
    for (const [pointer, known] of pointers) {
      const value = [...known][rest % known.size];
      rest = Math.floor(rest / known.size);
      if (value !== undefined) put(parameters, pointerTokens(pointer), value);
    }
    yield parameters;
  }
}

function valuesFor(match: ParameterMatch): JsonValue[] {
  if (typeof match !== "object" || match === null) return [match, "something else"];
  if ("in" in match) return [...match.in, "something else"];
  if ("matches" in match) return [match.matches.replaceAll(/[\^$\\]/g, ""), "", "something else"];
  const { min, max } = match;
  return [...(min === undefined ? [] : [min, min - 1]), ...(max === undefined ? [] : [max, max + 1]), "something else"];
}

/** Enters a value, unless something that is no object stands in the way or a member has a name that objects have. */
function put(root: { [key: string]: JsonValue }, tokens: readonly string[], value: JsonValue): void {
  let place = root;
  for (const token of tokens.slice(0, -1)) {
    const inner = Object.hasOwn(place, token) ? place[token] : {};
    if (typeof inner !== "object" || inner === null || Array.isArray(inner) || token === "__proto__") return;
    place[token] = inner;
    place = inner as { [key: string]: JsonValue };
  }
  const last = tokens.at(-1);
  if (last !== undefined && last !== "__proto__") place[last] = value;
}
