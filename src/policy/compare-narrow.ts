import { canonicalText } from "../canonical/jcs.js";
import { parseAliasPath, startsWithSegments } from "../contracts/alias-path.js";
import type { Obligations } from "../contracts/policy.js";
import { isPathPrefix } from "../contracts/url.js";
import type { Change, Direction } from "./change.js";

type Narrow = NonNullable<Obligations["narrow"]>;
type Obliged = Narrow[string];

/**
 * What two `narrow` obligations leave of one executor that asks for everything (spec/policy.md, Narrowing), capability by
 * capability and member by member. `unknown` where both constrain places of HTTP requests in different words, or roots
 * and paths at once: whether those overlap is not decided here.
 */
export function compareNarrow(before: Narrow = {}, after: Narrow = {}, target: string | undefined): Change[] {
  const capabilities = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return capabilities.flatMap((capability) => {
    const old = ownOf(before, capability);
    const now = ownOf(after, capability);
    return [...directionsOf(old, now, target)].map(
      (direction): Change => ({ class: "grant", direction, about: capability }),
    );
  });
}

function ownOf(narrow: Narrow, capability: string): Obliged {
  return (Object.hasOwn(narrow, capability) ? narrow[capability] : undefined) ?? {};
}

function directionsOf(old: Obliged, now: Obliged, target: string | undefined): ReadonlySet<Direction> {
  if (canonicalText(old) === canonicalText(now)) return new Set();
  // What reaches nothing at all is no wider than anything, whatever else it says.
  const [oldEmpty, nowEmpty] = [reachesNothing(old, target), reachesNothing(now, target)];
  if (nowEmpty) return new Set(oldEmpty ? [] : ["narrows"]);
  if (oldEmpty) return new Set(["widens"]);
  const found = new Set<Direction>();
  for (const member of new Set([...Object.keys(old), ...Object.keys(now)]) as Set<keyof Obliged>) {
    for (const direction of compareMember(member, old, now, target)) found.add(direction);
  }
  // Each member alone says what it lets through; together they may exclude each other.
  const mixed = [old, now].some(({ roots, paths }) => roots !== undefined && paths !== undefined);
  return mixed && found.size > 0 ? new Set(["unknown"]) : found;
}

function reachesNothing(obliged: Obliged, target: string | undefined): boolean {
  const { roots, paths, prefixes } = obliged;
  return roots?.length === 0 || prefixes?.length === 0 || (paths !== undefined && pathsOf(paths, target).length === 0);
}

function compareMember(member: keyof Obliged, old: Obliged, now: Obliged, target: string | undefined): Direction[] {
  const [a, b] = [old[member], now[member]];
  if (canonicalText(a ?? null) === canonicalText(b ?? null)) return [];
  if (a === undefined) return ["narrows"];
  if (b === undefined) return ["widens"];
  if (typeof a === "number" && typeof b === "number") return [b > a ? "widens" : "narrows"];
  switch (member) {
    case "paths":
      return inclusion(pathsOf(old.paths ?? [], target), pathsOf(now.paths ?? [], target), startsWithSegments);
    case "prefixes":
      return inclusion(old.prefixes ?? [], now.prefixes ?? [], (text, prefix) => text.startsWith(prefix));
    case "roots":
    case "methods":
    case "responseHeaders":
    case "secrets":
      return inclusion<string>(old[member] ?? [], now[member] ?? [], (x, y) => x === y);
    case "pathPrefix":
      return inclusion([old.pathPrefix ?? ""], [now.pathPrefix ?? ""], isPathPrefix);
    default:
      return ["unknown"];
  }
}

/** Which of two lists reaches further, when `inside` says whether one item lies in another. */
function inclusion<T>(old: readonly T[], now: readonly T[], inside: (item: T, other: T) => boolean): Direction[] {
  const within = (some: readonly T[], all: readonly T[]): boolean =>
    some.every((item) => all.some((other) => inside(item, other)));
  return [...(within(now, old) ? [] : (["widens"] as const)), ...(within(old, now) ? [] : (["narrows"] as const))];
}

function pathsOf(paths: readonly string[], target: string | undefined): (readonly string[])[] {
  return paths
    .map((path) => parseAliasPath(path === "{target}" ? (target ?? "") : path))
    .filter((path) => path !== null);
}
