import { splitUrl } from "../contracts/url.js";
import { narrowPool, nextCharacter } from "./diff-literals.js";

/** What rules ask of URLs. Filled while the rules are read. */
export type UrlRegions = {
  readonly schemes: Set<string>;
  readonly hosts: Set<string>;
  readonly ports: Set<number>;
  readonly paths: Set<string>;
};

type Found = { readonly targets: readonly string[]; readonly gaps: readonly string[] };

/** Greatest number of combinations that are made. */
const maxUrls = 20_000;

/** Longest part of a host after which other characters surely make a host still. */
const maxHostPart = 60;

/**
 * URLs in normal form, one for each combination of scheme, host, port and path that URL members and prefixes can tell
 * apart. A prefix that ends inside a part cuts only that part: what begins with it, and what does not.
 */
export function urlTargets(asked: UrlRegions, prefixes: readonly string[], texts: readonly string[]): Found {
  const gaps: string[] = [];
  const parts: Parts = { schemes: [], hosts: [], paths: [], queries: [] };
  const named = { schemes: new Set(asked.schemes), hosts: new Set(asked.hosts), ports: new Set(asked.ports) };
  for (const prefix of prefixes) cutAt(prefix, parts, named, gaps);
  const begun = [...asked.paths].flatMap((path) => (path.endsWith("/") ? [path] : [path, `${path}/`]));
  const split = texts.map((text) => ({ text, url: splitUrl(text) }));
  const urls = split.flatMap(({ url }) => url ?? []);
  const go = (starts: readonly string[], known: readonly string[], pool = narrowPool): string[] =>
    [...new Set(starts)].flatMap((start) => {
      const next = nextCharacter(start, known, pool);
      if (next === undefined) gaps.push(`a URL in which something else follows ${JSON.stringify(start)}`);
      return next === undefined ? [] : [start + next];
    });
  const letters = narrowPool.replaceAll(/[0-9]/g, "");
  const allSchemes = [...named.schemes, ...parts.schemes, ...urls.map(({ scheme }) => scheme)];
  const schemes = [...named.schemes, ...parts.schemes, ...go(["", ...parts.schemes], allSchemes, letters)];
  const allHosts = [...named.hosts, ...parts.hosts, ...urls.map(({ host }) => host)];
  const otherHosts = go(["", ...parts.hosts], allHosts, letters).flatMap((host) => [host, `${host}.x`]);
  const hosts = [...named.hosts, ...parts.hosts, ...otherHosts];
  const starts = ["/", ...begun, ...parts.paths];
  const allPaths = [...starts, ...urls.map(({ path }) => path), ...parts.queries.map(([path]) => path)];
  const queries = texts.flatMap((text) => (text.includes("?") ? [text.slice(text.indexOf("?") + 1)] : []));
  const allQueries = [...queries, ...parts.queries.map(([, query]) => query)];
  const other = go([""], allQueries).flatMap((query) => starts.map((start) => `${start}?${query}`));
  const paths = [...starts, ...go(starts, allPaths), ...other, ...queriesOf(parts.queries, allQueries, go)];
  const ports = [null, ...named.ports, otherPort(named.ports)];
  const combined = [schemes, hosts, ports, paths].map((list) => new Set<unknown>(list).size).reduce((a, b) => a * b);
  if (combined > maxUrls) return { targets: [], gaps: [...gaps, `${combined} kinds of URLs`] };
  const targets = new Set<string>();
  for (const scheme of schemes) {
    for (const host of hosts) {
      for (const port of ports) {
        for (const path of paths) targets.add(`${scheme}://${host}${port === null ? "" : `:${port}`}${path}`);
      }
    }
  }
  return { targets: [...targets], gaps };
}

type Parts = {
  readonly schemes: string[];
  readonly hosts: string[];
  readonly paths: string[];
  readonly queries: (readonly [path: string, query: string])[];
};

type Named = { readonly schemes: Set<string>; readonly hosts: Set<string>; readonly ports: Set<number> };

/** Cuts the part of a URL in which a prefix ends, and names the parts that it has whole. */
function cutAt(prefix: string, parts: Parts, named: Named, gaps: string[]): void {
  const found = /^([a-z][a-z0-9+.-]*)(?:(:\/?\/?)([^/:?]*)(?:(:)([0-9]*))?(\/[^?]*)?(?:\?(.*))?)?$/s.exec(prefix);
  // No URL begins with it.
  if (found === null) return;
  const [, scheme = "", mark, host = "", colon, digits = "", path, query] = found;
  if (mark === undefined) parts.schemes.push(scheme);
  else named.schemes.add(scheme);
  if (mark !== "://") return;
  if (path === undefined && colon === undefined) {
    parts.hosts.push(host);
    if (host.length > maxHostPart) gaps.push(`URLs whose host begins with ${JSON.stringify(host)}`);
    return;
  }
  named.hosts.add(host);
  if (digits !== "" && path === undefined) gaps.push(`URLs whose port begins with ${digits}`);
  if (digits !== "") named.ports.add(Number(digits));
  if (path === undefined) return;
  if (query !== undefined) parts.queries.push([path, query]);
  else parts.paths.push(path);
  if (/%[0-9A-F]?$/.test(query ?? path))
    gaps.push(`URLs that go on inside the encoding at the end of ${JSON.stringify(prefix)}`);
}

function queriesOf(
  queries: Parts["queries"],
  known: readonly string[],
  go: (starts: readonly string[], known: readonly string[]) => string[],
): string[] {
  return queries.flatMap(([path]) => {
    const own = ["", ...queries.filter((other) => other[0] === path).map((other) => other[1])];
    return [path, ...[...own, ...go(own, known)].map((query) => `${path}?${query}`)];
  });
}

/** A port that nobody names and no scheme has for its own. */
function otherPort(named: ReadonlySet<number>): number {
  let port = 1024;
  while (named.has(port)) port++;
  return port;
}
