import type { HttpAllow, HttpObligation, NetworkClass } from "../contracts/http.js";
import { safeMethods } from "../contracts/http-methods.js";
import { isPathPrefix, matchesHost, type NormalUrl, splitUrl } from "../contracts/url.js";

/**
 * What both lists of `http_request` reach: of two entries for one origin their common methods and networks under the
 * longer of two paths that begin one another, with the exact host where the other is a pattern of it. Sorted, methods included; an entry inside another is left out. So narrowing a list with
 * itself gives its normal form, and doing it again changes nothing.
 */
export function intersectAllow(a: readonly HttpAllow[], b: readonly HttpAllow[]): HttpAllow[] {
  const found: HttpAllow[] = [];
  for (const one of a) {
    for (const other of b) {
      const common = intersectEntries(one, other);
      if (common !== null && !found.some((entry) => isInside(common, entry))) {
        found.push(common);
      }
    }
  }
  const widest = found.filter((entry) => !found.some((other) => other !== entry && isInside(entry, other)));
  return widest.sort(byText);
}

/**
 * The places as an obligation limits each of them. `{target}` among `urls` is the intent's target; what is no URL in
 * normal form reaches nothing. Queries are not looked at.
 */
export function limitPlaces(
  allow: readonly HttpAllow[],
  { methods, pathPrefix, urls }: HttpObligation,
  target: string | null,
): HttpAllow[] {
  const limited = allow.map((place) => ({
    ...place,
    methods: methods ?? place.methods,
    pathPrefix: pathPrefix ?? place.pathPrefix,
  }));
  const under = allow.flatMap((place) =>
    (urls ?? []).flatMap((url) => placesOf(splitUrl(url === "{target}" ? (target ?? "") : url), place)),
  );
  const inside = intersectEach(allow, limited);
  return urls === undefined ? inside : intersectAllow(inside, under);
}

/** The places with their safe methods alone. */
export function readingPlaces(allow: readonly HttpAllow[]): HttpAllow[] {
  return limitPlaces(allow, { methods: [...safeMethods] }, null);
}

/** Every place with its own limit alone: what one place is limited to is no limit of another. */
function intersectEach(allow: readonly HttpAllow[], limits: readonly HttpAllow[]): HttpAllow[] {
  const each = allow.flatMap((place, index) => intersectAllow([place], limits.slice(index, index + 1)));
  return intersectAllow(each, each);
}

function placesOf(url: NormalUrl | null, { methods, networks }: HttpAllow): HttpAllow[] {
  if (url === null || url.port === null || (url.scheme !== "http" && url.scheme !== "https")) return [];
  const { scheme, host, port, path } = url;
  return [{ scheme, host, port, methods, pathPrefix: path, ...(networks === undefined ? {} : { networks }) }];
}

function intersectEntries(a: HttpAllow, b: HttpAllow): HttpAllow | null {
  const methods = common(a.methods, b.methods);
  const pathPrefix = longer(a.pathPrefix, b.pathPrefix);
  const host = narrower(a.host, b.host);
  if (a.scheme !== b.scheme || a.port !== b.port || host === null || methods.length === 0 || pathPrefix === null) {
    return null;
  }
  const networks: NetworkClass[] = common(a.networks ?? [], b.networks ?? []);
  // Public addresses alone are what most places have; that is written by leaving the member out.
  return { scheme: a.scheme, host, port: a.port, methods, pathPrefix, ...(networks.length === 0 ? {} : { networks }) };
}

function common<T extends string>(a: readonly T[], b: readonly T[]): T[] {
  return [...new Set(a.filter((item) => b.includes(item)))].sort();
}

function narrower(a: string, b: string): string | null {
  if (a === b || matchesHost(a, b)) return a;
  return matchesHost(b, a) ? b : null;
}

function longer(a: string, b: string): string | null {
  if (isPathPrefix(a, b)) return a;
  return isPathPrefix(b, a) ? b : null;
}

/** Does `outer` reach all that `inner` reaches? */
function isInside(inner: HttpAllow, outer: HttpAllow): boolean {
  return (
    inner.scheme === outer.scheme &&
    inner.port === outer.port &&
    narrower(inner.host, outer.host) === inner.host &&
    isPathPrefix(inner.pathPrefix, outer.pathPrefix) &&
    inner.methods.every((method) => outer.methods.includes(method)) &&
    (inner.networks ?? []).every((network) => outer.networks?.includes(network))
  );
}

function byText(a: HttpAllow, b: HttpAllow): number {
  const [left, right] = [a, b].map(({ scheme, host, port, pathPrefix, methods, networks = [] }) =>
    [scheme, host, port, pathPrefix, ...methods, ...networks].join(" "),
  ) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}
