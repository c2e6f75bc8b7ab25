/** A whole number with commas between thousands. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** Pages of a guest's memory, in words. */
export function formatPages(pages: number): string {
  return `${formatCount(pages)} ${pages === 1 ? "page" : "pages"}`;
}

/** A digest in short: its first characters. The whole of it is for a title or a copy. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

/** A recorded time for reading: `2026-01-02 03:04:05.678 UTC`. Anything else as it is. */
export function formatMoment(time: string): string {
  return time.replace("T", " ").replace(/Z$/, " UTC");
}

const decoder = new TextDecoder();

/** Bytes as text; what is no UTF-8 shows as replacement characters, controls as their pictures. */
export function textOf(bytes: Uint8Array): string {
  return (
    decoder
      .decode(bytes)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: showing them is the point
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
  );
}
