/** Bytes of UTF-8 a root-alias path may have. */
const maxPathBytes = 4096;

const slash = 0x2f;
const backslash = 0x5c;

/**
 * The segments of a root-alias path such as `data/orders.csv` (spec/policy.md, paths), the root's alias first. null for
 * anything else: empty text, a leading or trailing slash, an empty, `.` or `..` segment, a backslash, a control
 * character, a Windows drive (`C:...`), a lone surrogate, more than 4,096 bytes. No case or Unicode folding.
 */
export function parseAliasPath(text: string): readonly string[] | null {
  if (text.length === 0 || text.length > maxPathBytes || startsWithDrive(text)) return null;
  const segments: string[] = [];
  let bytes = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? slash : text.charCodeAt(i);
    if (code === slash) {
      const segment = text.slice(start, i);
      if (segment === "" || segment === "." || segment === "..") return null;
      segments.push(segment);
      start = i + 1;
      bytes++;
    } else if (code < 0x20 || code === backslash || (code >= 0x7f && code <= 0x9f)) {
      return null;
    } else if (code >= 0xd800 && code <= 0xdfff) {
      if (code > 0xdbff || !isLowSurrogate(text.charCodeAt(i + 1))) return null;
      i++;
      bytes += 4;
    } else {
      bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
    }
  }
  // The end counted as a slash.
  return bytes - 1 > maxPathBytes ? null : segments;
}

/**
 * True when both are root-alias paths and `path` is `base` or inside it, compared segment by segment: `data/x` is under
 * `data`, `database` is not. An absolute path is under nothing.
 */
export function isUnder(path: string, base: string): boolean {
  const inner = parseAliasPath(path);
  const outer = parseAliasPath(base);
  return inner !== null && outer !== null && startsWithSegments(inner, outer);
}

/** True when the segments of `path` begin with all of `base`'s. */
export function startsWithSegments(path: readonly string[], base: readonly string[]): boolean {
  if (path.length < base.length) return false;
  for (let i = 0; i < base.length; i++) if (path[i] !== base[i]) return false;
  return true;
}

function startsWithDrive(text: string): boolean {
  // Setting bit 5 maps A-Z onto a-z.
  const letter = text.charCodeAt(0) | 0x20;
  return text.charAt(1) === ":" && letter >= 0x61 && letter <= 0x7a;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
