import { maxTargetLength } from "../contracts/intent.js";
import type { PolicyRule } from "../contracts/policy.js";
import { listOf, nextCharacter, widePool } from "./diff-literals.js";
import { type UrlRegions, urlTargets } from "./diff-urls.js";

/** Representatives of every kind of target that rules can tell apart, and what kinds could not be represented. */
export type Targets = { readonly targets: readonly (string | undefined)[]; readonly gaps: readonly string[] };

/** Longest text after which another character surely makes a target still. */
const maxLiteral = 1300;

/**
 * One target for each region that the literals of these rules cut the space of targets into (spec/what-if.md, Policy
 * diff). A predicate on a target asks whether it equals a text, begins with one, lies under a path, or has certain URL
 * members. So what it answers depends on the longest of those texts that the target begins with, on whether it is that
 * text, and on whether it is an alias path, an absolute path, a URL, or none of them. Each combination is made, by going
 * on after the text with a character that no other text has there.
 */
export function targetsOf(rules: readonly PolicyRule[]): Targets {
  const found: Literals = { texts: new Set(), prefixes: new Set(), bases: new Set() };
  const urls: UrlRegions = { schemes: new Set(), hosts: new Set(), ports: new Set(), paths: new Set() };
  let asked = false;
  for (const { match, obligations } of rules) {
    asked ||= match.target !== undefined;
    for (const target of listOf(match.target)) collect(target, found, urls);
    for (const { paths = [] } of Object.values(obligations?.narrow ?? {})) {
      asked ||= paths.includes("{target}");
      for (const path of paths.filter((one) => one !== "{target}")) addNarrow(path, found);
    }
  }
  if (!asked) return { targets: [undefined], gaps: [] };
  const begun = [...found.prefixes, ...[...found.bases].map((base) => `${base}/`)];
  const literals = [...found.texts, ...found.bases, ...begun];
  const gaps = literals.some((text) => text.length > maxLiteral)
    ? [`a target longer than ${maxLiteral} characters`]
    : [];
  const targets = new Set<string>(literals);
  for (const start of new Set(["", "/", ...begun])) {
    const next = nextCharacter(start, literals, widePool);
    if (next === undefined) gaps.push(`what else begins with ${JSON.stringify(start)}`);
    else for (const end of ["", "\\"]) targets.add(`${start}${next}${end}`);
  }
  const more = urlTargets(urls, [...found.prefixes], [...found.texts]);
  for (const target of more.targets) targets.add(target);
  const possible = [...targets].filter((target) => target.length <= maxTargetLength);
  return { targets: [undefined, ...possible], gaps: [...gaps, ...more.gaps] };
}

type Literals = { readonly texts: Set<string>; readonly prefixes: Set<string>; readonly bases: Set<string> };
type TargetMatch = Exclude<NonNullable<PolicyRule["match"]["target"]>, readonly unknown[]>;

function collect(target: TargetMatch, { texts, prefixes, bases }: Literals, urls: UrlRegions): void {
  if (typeof target === "string") texts.add(target);
  else if ("prefix" in target) for (const text of listOf(target.prefix)) prefixes.add(text);
  else if ("under" in target) for (const base of listOf(target.under)) bases.add(base);
  else {
    for (const scheme of listOf(target.url.scheme)) urls.schemes.add(scheme);
    for (const host of listOf(target.url.host)) urls.hosts.add(host);
    for (const port of listOf(target.url.port)) urls.ports.add(port);
    for (const path of listOf(target.url.path)) urls.paths.add(path);
  }
}

/** `{target}` may lie under a path of the other policy, or that path under it. */
function addNarrow(path: string, { bases }: Literals): void {
  const segments = path.split("/");
  for (let length = 1; length <= segments.length; length++) bases.add(segments.slice(0, length).join("/"));
}
