const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard padded base64 (RFC 4648, 4) as ASCII bytes. */
export function encodeBase64(start: usize, length: usize): Uint8Array {
  const text = new Uint8Array(<i32>((length + 2) / 3) * 4);
  let to = text.dataStart;
  for (let at: usize = 0; at < length; at += 3) {
    const left = length - at;
    const group =
      (<u32>load<u8>(start + at) << 16) |
      (left > 1 ? <u32>load<u8>(start + at, 1) << 8 : 0) |
      (left > 2 ? <u32>load<u8>(start + at, 2) : 0);
    store<u8>(to, letter(group >> 18));
    store<u8>(to, letter((group >> 12) & 63), 1);
    store<u8>(to, left > 1 ? letter((group >> 6) & 63) : 0x3d, 2);
    store<u8>(to, left > 2 ? letter(group & 63) : 0x3d, 3);
    to += 4;
  }
  return text;
}

/** The bytes of standard padded base64, null when it is not the one canonical form (alphabet, padding, zero spare bits). */
export function decodeBase64(start: usize, length: usize): Uint8Array | null {
  if (length & 3) return null;
  let padding: usize = 0;
  if (length > 0 && load<u8>(start + length - 1) == 0x3d) padding = load<u8>(start + length - 2) == 0x3d ? 2 : 1;
  const bytes = new Uint8Array(<i32>((length >> 2) * 3 - padding));
  let to = bytes.dataStart;
  for (let at: usize = 0; at < length; at += 4) {
    const spare = at + 4 == length ? padding : 0;
    let group: u32 = 0;
    for (let i: usize = 0; i < 4; i++) {
      const sextet = i < 4 - spare ? sextetOf(load<u8>(start + at + i)) : 0;
      if (sextet < 0) return null;
      group = (group << 6) | <u32>sextet;
    }
    store<u8>(to++, group >> 16);
    if (spare < 2) store<u8>(to++, group >> 8);
    if (spare < 1) store<u8>(to++, group);
    const lost: u32 = spare == 2 ? 0xffff : spare == 1 ? 0xff : 0;
    if ((group & lost) != 0) return null;
  }
  return bytes;
}

function letter(sextet: u32): u32 {
  return <u32>load<u16>(changetype<usize>(ALPHABET) + (<usize>sextet << 1));
}

function sextetOf(c: u32): i32 {
  if (c >= 0x41 && c <= 0x5a) return c - 0x41;
  if (c >= 0x61 && c <= 0x7a) return c - 0x61 + 26;
  if (c >= 0x30 && c <= 0x39) return c - 0x30 + 52;
  return c == 0x2b ? 62 : c == 0x2f ? 63 : -1;
}
