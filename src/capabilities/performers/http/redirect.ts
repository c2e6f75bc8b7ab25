import type { HttpAllow } from "../../../contracts/http.js";
import { splitUrl } from "../../../contracts/url.js";

/** A request as the guest wrote it, or as a redirect left it: `url` in normal form, placeholders not filled in. */
export type Ask = {
  readonly method: HttpAllow["methods"][number];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

const statuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Headers that speak of a body, and go with it. */
const bodyHeaders: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
]);

/**
 * Headers that go to another origin. A browser asks the other origin before it sends any but these; nobody asks here,
 * and what is not known to be harmless may be a credential.
 */
const crossing: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "content-encoding",
  "content-language",
  "content-type",
  "user-agent",
]);

/**
 * The request that an answer redirects to, as the Fetch standard makes it: POST becomes GET with 301 and 302, all but
 * HEAD with 303, and a body that is not sent takes its headers along. null when the answer is no redirect, or leads to
 * no URL in normal form. Whether that request is granted is for the caller to ask.
 */
export function followRedirect(ask: Ask, status: number, location: string | undefined): Ask | null {
  if (!statuses.has(status) || location === undefined) return null;
  const url = resolveLocation(location, ask.url);
  if (url === null) return null;
  const turns = status === 303 ? ask.method !== "GET" && ask.method !== "HEAD" : status < 303 && ask.method === "POST";
  const away = !isSameOrigin(ask.url, url);
  const headers = Object.fromEntries(
    Object.entries(ask.headers).filter(([name]) => !(turns && bodyHeaders.has(name)) && (!away || crossing.has(name))),
  );
  return { method: turns ? "GET" : ask.method, url, headers, body: turns ? new Uint8Array(0) : ask.body };
}

function resolveLocation(location: string, base: string): string | null {
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    return null;
  }
  url.hash = "";
  return url.href.length <= 8192 && splitUrl(url.href) !== null ? url.href : null;
}

function isSameOrigin(a: string, b: string): boolean {
  const [left, right] = [splitUrl(a), splitUrl(b)];
  return left?.scheme === right?.scheme && left?.host === right?.host && left?.port === right?.port;
}
