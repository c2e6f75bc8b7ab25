/** Whether the bytes are well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
export function isUtf8(start: usize, length: usize): bool {
  let at = start;
  const end = start + length;
  while (at < end) {
    if (at + 8 <= end && (load<u64>(at) & 0x8080808080808080) == 0) {
      at += 8;
      continue;
    }
    const width = sequenceLength(at, end);
    if (width == 0) return false;
    at += width;
  }
  return true;
}

/** Bytes of the well-formed sequence at `at`, 0 when there is none. The second byte's range is what rules out bad forms. */
function sequenceLength(at: usize, end: usize): usize {
  const lead = <u32>load<u8>(at);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const width: usize = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + width > end) return 0;
  const second = <u32>load<u8>(at + 1);
  const low: u32 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const high: u32 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i: usize = 2; i < width; i++) {
    if ((load<u8>(at + i) & 0xc0) != 0x80) return 0;
  }
  return width;
}

/** Writes a code point (not a surrogate) as UTF-8 and returns its width in bytes. */
export function encodeCodePoint(codePoint: u32, target: usize): usize {
  if (codePoint < 0x80) {
    store<u8>(target, codePoint);
    return 1;
  }
  if (codePoint < 0x800) {
    store<u8>(target, 0xc0 | (codePoint >> 6));
    store<u8>(target, 0x80 | (codePoint & 0x3f), 1);
    return 2;
  }
  if (codePoint < 0x10000) {
    store<u8>(target, 0xe0 | (codePoint >> 12));
    store<u8>(target, 0x80 | ((codePoint >> 6) & 0x3f), 1);
    store<u8>(target, 0x80 | (codePoint & 0x3f), 2);
    return 3;
  }
  store<u8>(target, 0xf0 | (codePoint >> 18));
  store<u8>(target, 0x80 | ((codePoint >> 12) & 0x3f), 1);
  store<u8>(target, 0x80 | ((codePoint >> 6) & 0x3f), 2);
  store<u8>(target, 0x80 | (codePoint & 0x3f), 3);
  return 4;
}
