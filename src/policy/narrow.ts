import { canonicalText } from "../canonical/jcs.js";
import { parseAliasPath, startsWithSegments } from "../contracts/alias-path.js";
import { alwaysGranted, type CapabilityName, capabilityEffects } from "../contracts/imports.js";
import type { CapabilityGrant, Constraints, ExecutorManifest, ManifestFunction } from "../contracts/manifest.js";
import type { Obligations } from "../contracts/policy.js";
import { intersectAllow, limitPlaces, readingPlaces } from "./narrow-http.js";

/** The three sources of a run's capabilities. `target` is the intent's, null when it has none. */
export type NarrowingInput = {
  readonly manifest: ExecutorManifest;
  /** Constraints granted to this executor by the deployment, by capability. A capability not named is not granted. */
  readonly deployment: Readonly<Record<string, Constraints>>;
  readonly narrow: Obligations["narrow"];
  readonly target: string | null;
};

/**
 * What a run may ask of the host: manifest, deployment and obligation intersected (spec/policy.md, narrowing). A
 * capability is granted when the manifest asks for it and the deployment grants it, or it is one every executor has.
 * Of two paths the narrower wins; an empty list reaches nothing. In a deployment absent `roots` are none for the fs
 * capabilities, and absent `allow` for http_request; elsewhere an absent member does not constrain. Sorted by name, and the same again when narrowed again.
 */
export function narrowGrants({ manifest, deployment, narrow, target }: NarrowingInput): CapabilityGrant[] {
  const asked = new Map<CapabilityGrant["name"], Constraints>();
  for (const { name, constraints = {} } of manifest.capabilities) {
    asked.set(name, intersect(asked.get(name) ?? {}, constraints));
  }
  const grants: CapabilityGrant[] = [];
  for (const name of [...asked.keys()].sort(byCodeUnit)) {
    const granted = Object.hasOwn(deployment, name) ? deployment[name] : undefined;
    if (granted === undefined && !alwaysGranted.includes(name)) continue;
    const base = closed(name, granted ?? {});
    const { methods, pathPrefix, urls, ...obliged } = obligationOf(narrow, name, target);
    const places = intersect(intersect(asked.get(name) ?? {}, base), obliged);
    const narrowed =
      name === "http_request"
        ? { ...places, allow: limitPlaces(places.allow ?? [], { methods, pathPrefix, urls }, target) }
        : places;
    // No secrets is what most grants have; it is written by leaving them out.
    const { secrets = [], ...others } = narrowed;
    const limited = secrets.length === 0 ? others : narrowed;
    grants.push(Object.keys(limited).length === 0 ? { name } : { name, constraints: limited });
  }
  return grants;
}

/**
 * For verifiers, who do not know the deployment: true when the grants are in normal form, the manifest asks for every
 * one of them, and each lies inside the obligation.
 */
export function isWithin(
  grants: readonly CapabilityGrant[],
  manifest: ExecutorManifest,
  narrow: Obligations["narrow"],
  target: string | null,
): boolean {
  const deployment: Record<string, Constraints> = {};
  for (const { name, constraints } of grants) deployment[name] = constraints ?? {};
  // Left to itself narrowing adds what every executor has; a run may have been granted less.
  const again = narrowGrants({ manifest, deployment, narrow, target }).filter(({ name }) =>
    Object.hasOwn(deployment, name),
  );
  return canonicalText(again) === canonicalText(grants);
}

/** A deployment's grant in which what it leaves open is closed: it names roots and places, or none. */
function closed(name: CapabilityName, granted: Constraints): Constraints {
  if (name.startsWith("fs_")) return { ...granted, roots: granted.roots ?? [] };
  if (name.startsWith("kv_")) return { ...granted, prefixes: granted.prefixes ?? [] };
  if (name !== "http_request") return granted;
  return { ...granted, allow: granted.allow ?? [], secrets: granted.secrets ?? [] };
}

/** One capability's obligation. */
type Obliged = NonNullable<Obligations["narrow"]>[string];

function obligationOf(narrow: Obligations["narrow"], name: string, target: string | null): Obliged {
  const obliged = narrow !== undefined && Object.hasOwn(narrow, name) ? narrow[name] : undefined;
  if (obliged?.paths === undefined) return obliged ?? {};
  const paths = obliged.paths.flatMap((path) => (path !== "{target}" ? [path] : target === null ? [] : [target]));
  return { ...obliged, paths };
}

/** How each member of two constraints is combined: of two numbers the smaller, of two lists what both reach. */
const combine = {
  roots: intersectNames,
  paths: intersectPaths,
  maxBytes: Math.min,
  maxEntries: Math.min,
  maxTotalBytes: Math.min,
  prefixes: intersectPrefixes,
  allow: intersectAllow,
  maxRedirects: Math.min,
  timeoutMs: Math.min,
  responseHeaders: intersectNames,
  secrets: intersectNames,
} satisfies {
  [K in keyof Required<Constraints>]: (
    a: NonNullable<Constraints[K]>,
    b: NonNullable<Constraints[K]>,
  ) => NonNullable<Constraints[K]>;
};

/** Constraints of a capability that is granted more than once: what every grant allows. */
export function combineConstraints(name: CapabilityName, granted: readonly Constraints[]): Constraints {
  const [first = {}, ...others] = granted;
  return others.reduce((all, one) => intersect(closed(name, all), closed(name, one)), first);
}

function intersect(a: Constraints, b: Constraints): Constraints {
  const narrowed: Record<string, unknown> = {};
  for (const key of Object.keys(combine) as (keyof Constraints)[]) {
    const value = both<never>(a[key] as never, b[key] as never, combine[key] as (a: never, b: never) => never);
    if (value !== undefined) narrowed[key] = value;
  }
  return narrowed;
}

/** Combines what both sides constrain; a list that only one side has is combined with itself, which normalizes it. */
function both<T>(a: T | undefined, b: T | undefined, combine: (a: T, b: T) => T): T | undefined {
  const left = a ?? b;
  const right = b ?? a;
  return left === undefined || right === undefined ? undefined : combine(left, right);
}

/** What lies under a path of each list, as the fewest paths. A text that is no root-alias path reaches nothing. */
function intersectPaths(a: readonly string[], b: readonly string[]): string[] {
  const right = parseAll(b);
  const found: string[][] = [];
  for (const left of parseAll(a)) {
    for (const other of right) {
      if (startsWithSegments(left, other)) found.push([...left]);
      else if (startsWithSegments(other, left)) found.push([...other]);
    }
  }
  const widest = found.filter(
    (path) => !found.some((other) => other.length < path.length && startsWithSegments(path, other)),
  );
  return unique(widest.map((path) => path.join("/")));
}

function intersectNames(a: readonly string[], b: readonly string[]): string[] {
  return unique(a.filter((name) => b.includes(name)));
}

/** The longer of two beginnings where one begins the other, as the fewest. */
function intersectPrefixes(a: readonly string[], b: readonly string[]): string[] {
  const found = a.flatMap((left) =>
    b.flatMap((right) => (left.startsWith(right) ? [left] : right.startsWith(left) ? [right] : [])),
  );
  return unique(found.filter((text) => !found.some((other) => other !== text && text.startsWith(other))));
}

function parseAll(paths: readonly string[]): (readonly string[])[] {
  return paths.map(parseAliasPath).filter((path) => path !== null);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort(byCodeUnit);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const effectRank = { none: 0, read: 1, write: 2 } as const;

/**
 * A grant as far as a function's declared effects let it be used: one that only reads may not write, and makes HTTP
 * requests with safe methods alone. null when nothing is left.
 */
export function limitToEffects(grant: CapabilityGrant, effects: ManifestFunction["effects"]): CapabilityGrant | null {
  const { name, constraints = {} } = grant;
  if (effectRank[capabilityEffects[name]] <= effectRank[effects]) return grant;
  if (name !== "http_request" || effects !== "read") return null;
  return { name, constraints: { ...constraints, allow: readingPlaces(constraints.allow ?? []) } };
}
