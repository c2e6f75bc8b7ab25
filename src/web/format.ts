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
