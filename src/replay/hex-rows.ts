/** How bytes are laid out: bytes in a row, the offset of the first, digits of an offset. */
export type HexLayout = { readonly width: number; readonly from: number; readonly digits: number };

/** Bytes in rows: offset, hexadecimal, and what is printable ASCII, everything else as a dot. */
export function hexRows(bytes: Uint8Array, { width, from, digits }: HexLayout): readonly string[] {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += width) {
    const row = [...bytes.subarray(at, at + width)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    rows.push(`${(from + at).toString(16).padStart(digits, "0")}  ${hex.padEnd(width * 3 - 1)}  ${text}`);
  }
  return rows;
}
