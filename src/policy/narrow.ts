import { canonicalText } from "../canonical/jcs.js";
import { parseAliasPath, startsWithSegments } from "../contracts/alias-path.js";
import { alwaysGranted, type CapabilityName, capabilityEffects } from "../contracts/imports.js";
import type { CapabilityGrant, Constraints, ExecutorManifest, ManifestFunction } from "../contracts/manifest.js";
import type { Obligations } from "../contracts/policy.js";
import { intersectAllow } from "./narrow-http.js";

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
    const limited = intersect(intersect(asked.get(name) ?? {}, base), obligationOf(narrow, name, target));
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
  return name === "http_request" ? { ...granted, allow: granted.allow ?? [] } : granted;
}

function obligationOf(narrow: Obligations["narrow"], name: string, target: string | null): Constraints {
  const paths = narrow !== undefined && Object.hasOwn(narrow, name) ? narrow[name]?.paths : undefined;
  if (paths === undefined) return {};
  return { paths: paths.flatMap((path) => (path !== "{target}" ? [path] : target === null ? [] : [target])) };
}

function intersect(a: Constraints, b: Constraints): Constraints {
  const roots = both(a.roots, b.roots, (x, y) => unique(x.filter((root) => y.includes(root))));
  const paths = both(a.paths, b.paths, intersectPaths);
  const maxBytes = both(a.maxBytes, b.maxBytes, (x, y) => Math.min(x, y));
  const allow = both(a.allow, b.allow, intersectAllow);
  return {
    ...(roots === undefined ? {} : { roots }),
    ...(paths === undefined ? {} : { paths }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(allow === undefined ? {} : { allow }),
  };
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

/** True when using a capability stays within a function's declared effects: one that only reads may not write. */
export function withinEffects(capability: CapabilityName, effects: ManifestFunction["effects"]): boolean {
  return effectRank[capabilityEffects[capability]] <= effectRank[effects];
}
