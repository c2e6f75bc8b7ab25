/**
 * Our own splitter for URL targets (spec/policy.md, URLs). `new URL` differs between engines and versions, so nothing
 * here repairs or normalizes: a target either is in the one normal form or is no URL.
 */

/** A URL in normal form. `port` is the scheme's own when none is written, null when the scheme has none known. */
export type NormalUrl = {
  readonly scheme: string;
  readonly host: string;
  readonly port: number | null;
  readonly path: string;
};

const defaultPorts: ReadonlyMap<string, number> = new Map([
  ["http", 80],
  ["https", 443],
  ["ws", 80],
  ["wss", 443],
  ["ftp", 21],
]);

const lower = "abcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";
const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const unreserved = new Set(`${lower}${upper}${digits}-._~`);
const pathChars = new Set([...unreserved, ...new Set("!$&'()*+,;=:@")]);
const queryChars = new Set([...pathChars, "/", "?"]);
const schemeChars = new Set(`${lower}${digits}+-.`);
const hostChars = new Set(`${lower}${digits}-_`);
const upperHex = "0123456789ABCDEF";

/**
 * Splits `scheme://host[:port]/path[?query]` that is ASCII and already normal: lower-case scheme and host, no user
 * information, no default port, a path that begins with `/` and has no dot or inner empty segment, upper-case
 * percent-encodings and none of an unreserved character, of `/`, `\` or of a control character, no fragment. IPv4 only
 * as four plain decimals, no IPv6 literal, no trailing dot. null for anything else.
 */
export function splitUrl(text: string): NormalUrl | null {
  const colon = text.indexOf("://");
  if (colon < 1) return null;
  const scheme = text.slice(0, colon);
  if (!isScheme(scheme)) return null;
  const slash = text.indexOf("/", colon + 3);
  if (slash < 0) return null;
  const authority = text.slice(colon + 3, slash);
  const mark = authority.indexOf(":");
  const host = mark < 0 ? authority : authority.slice(0, mark);
  if (!isHost(host)) return null;
  const known = defaultPorts.get(scheme) ?? null;
  const port = mark < 0 ? known : readPort(authority.slice(mark + 1));
  if (mark >= 0 && (port === null || port === known)) return null;
  const question = text.indexOf("?", slash);
  const path = question < 0 ? text.slice(slash) : text.slice(slash, question);
  if (!isUrlPath(path)) return null;
  if (question >= 0 && !isEncoded(text.slice(question + 1), queryChars, false)) return null;
  return { scheme, host, port, path };
}

/** True for a lower-case scheme such as `https`. */
export function isScheme(text: string): boolean {
  return lower.includes(text.charAt(0)) && text !== "" && hasOnly(text, schemeChars);
}

/** True for a lower-case host name without empty labels, or four plain decimals. */
export function isHost(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.split(".");
  for (const label of labels) if (label === "" || label.length > 63 || !hasOnly(label, hostChars)) return false;
  // Software reads a host that ends in a number as IPv4, in forms such as 127.1 or 0x7f.0.0.1: only one is normal.
  const last = labels[labels.length - 1] ?? "";
  const numeric = digits.includes(last.charAt(0)) && (isDecimal(last) || last.startsWith("0x"));
  return !numeric || (labels.length === 4 && labels.every(isOctet));
}

/** True for a host, or for `*.` and a host name: exactly one label and what follows it. */
export function isHostPattern(text: string): boolean {
  if (!text.startsWith("*.")) return isHost(text);
  const rest = text.slice(2);
  return text.length <= 253 && isHost(rest) && !isDecimal(rest.slice(rest.lastIndexOf(".") + 1));
}

/** Is this host what the pattern names? */
export function matchesHost(host: string, pattern: string): boolean {
  if (!pattern.startsWith("*.")) return host === pattern;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot) === pattern.slice(1);
}

/** True for a path in normal form: `/` first, no dot segment, no empty segment but the last, normal encodings. */
export function isUrlPath(text: string): boolean {
  if (text.charAt(0) !== "/") return false;
  const segments = text.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    if (segment === "" && index < segments.length - 1) return false;
    // Some servers drop what follows `;` before they resolve dots.
    const mark = segment.indexOf(";");
    const name = mark < 0 ? segment : segment.slice(0, mark);
    if (name === "." || name === "..") return false;
    if (!isEncoded(segment, pathChars, true)) return false;
  }
  return true;
}

/** True when `path` is `prefix` or continues it at a segment boundary. */
export function isPathPrefix(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith("/") || path.charAt(prefix.length) === "/";
}

function hasOnly(text: string, allowed: ReadonlySet<string>): boolean {
  for (let i = 0; i < text.length; i++) if (!allowed.has(text.charAt(i))) return false;
  return true;
}

function isDecimal(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!digits.includes(text.charAt(i))) return false;
  return text !== "";
}

function isOctet(text: string): boolean {
  return text.length <= 3 && isDecimal(text) && String(Number(text)) === text && Number(text) <= 255;
}

function readPort(text: string): number | null {
  if (text.length > 5 || !isDecimal(text) || text.startsWith("0")) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

function isEncoded(text: string, allowed: ReadonlySet<string>, separators: boolean): boolean {
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char !== "%") {
      if (!allowed.has(char)) return false;
      continue;
    }
    const high = i + 1 < text.length ? upperHex.indexOf(text.charAt(i + 1)) : -1;
    const low = i + 2 < text.length ? upperHex.indexOf(text.charAt(i + 2)) : -1;
    if (high < 0 || low < 0) return false;
    const code = high * 16 + low;
    if (code < 0x20 || code === 0x7f || unreserved.has(String.fromCharCode(code))) return false;
    // A server may decode an encoded separator before it routes, and so see other segments than we do.
    if (separators && (code === 0x2f || code === 0x5c)) return false;
    i += 2;
  }
  return true;
}
