/** An address as its bytes: 4 of IPv4, 16 of IPv6. */
export type IpAddress = readonly number[];

/**
 * Reads an address: four plain decimals, or the groups of RFC 4291 with or without `::` and a dotted end. No zone, no
 * brackets, no prefix length, no octal, hexadecimal or shortened IPv4. null for anything else.
 */
export function parseIp(text: string): IpAddress | null {
  return text.includes(":") ? parseIp6(text) : parseIp4(text);
}

function parseIp4(text: string): IpAddress | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes.push(Number(part));
  }
  return bytes;
}

function parseIp6(text: string): IpAddress | null {
  // The longest form has eight groups, the last two of them as a dotted IPv4 address.
  if (text.length > 45) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const last = halves.length - 1;
  const bytes: number[][] = [];
  for (const [index, half] of halves.entries()) {
    const part = parseGroups(half, index === last);
    if (part === null) return null;
    bytes.push(part);
  }
  const [left = [], right] = bytes;
  if (right === undefined) return left.length === 16 ? left : null;
  const gap = 16 - left.length - right.length;
  // `::` stands for one group at least.
  return gap < 2 ? null : [...left, ...new Array<number>(gap).fill(0), ...right];
}

function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (isEnd && index === groups.length - 1 && group.includes(".")) {
      const dotted = parseIp4(group);
      if (dotted === null) return null;
      bytes.push(...dotted);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
