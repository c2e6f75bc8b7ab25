const tab = 9;
const newline = 10;

/**
 * What shows as nothing, as a space, or turns the text around it: controls, formats, unusual spaces, what fonts leave out,
 * private and unassigned code points, half surrogate pairs.
 */
const unseen = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

/**
 * Text that somebody else chose, so that all of it can be seen: each code point of {@link unseen} as `\u{202E}`. Line feeds
 * and tabs stay where `lines` says that the place has lines.
 */
export function visible(text: string, lines = false): string {
  return text.replace(unseen, (found) => {
    const code = found.codePointAt(0) ?? 0;
    if (lines && (code === tab || code === newline)) return found;
    return `\\u{${code.toString(16).toUpperCase().padStart(4, "0")}}`;
  });
}

/** The first `most` characters of a visible text, and how many there are in all; an escape is not cut in two. */
export function shorten(text: string, most: number): string {
  const points = Array.from(text);
  if (points.length <= most) return visible(text);
  return `${visible(points.slice(0, most).join(""))}\u2026 (${points.length} characters)`;
}
