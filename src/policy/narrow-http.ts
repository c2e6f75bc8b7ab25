import type { HttpAllow } from "../contracts/http.js";
import { isPathPrefix } from "../contracts/url.js";

/**
 * What both lists of `http_request` reach: of two entries for one origin their common methods under the longer of two
 * paths that begin one another. Sorted, methods included; an entry inside another is left out. So narrowing a list with
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

function intersectEntries(a: HttpAllow, b: HttpAllow): HttpAllow | null {
  const methods = [...new Set(a.methods.filter((method) => b.methods.includes(method)))].sort();
  const pathPrefix = longer(a.pathPrefix, b.pathPrefix);
  if (!sameOrigin(a, b) || methods.length === 0 || pathPrefix === null) return null;
  return { scheme: a.scheme, host: a.host, port: a.port, methods, pathPrefix };
}

function sameOrigin(a: HttpAllow, b: HttpAllow): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

function longer(a: string, b: string): string | null {
  if (isPathPrefix(a, b)) return a;
  return isPathPrefix(b, a) ? b : null;
}

/** Does `outer` reach all that `inner` reaches? */
function isInside(inner: HttpAllow, outer: HttpAllow): boolean {
  return (
    sameOrigin(inner, outer) &&
    isPathPrefix(inner.pathPrefix, outer.pathPrefix) &&
    inner.methods.every((method) => outer.methods.includes(method))
  );
}

function byText(a: HttpAllow, b: HttpAllow): number {
  const [left, right] = [a, b].map(({ scheme, host, port, pathPrefix, methods }) =>
    [scheme, host, port, pathPrefix, ...methods].join(" "),
  ) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}
