import type { Divergence } from "../contracts/replay-report.js";
import { decodeHex } from "../crypto/encoding.js";
import { hexRows } from "../replay/hex-rows.js";
import { formatCount } from "./output.js";

/** Both sides around the first byte that differs, 16 to a line, as hexadecimal and text; no row without bytes. */
export function formatBytes({ offset, bytes }: Divergence): string[][] {
  if (offset === undefined || bytes === undefined) return [];
  const sides = (["expected", "actual"] as const).flatMap((side) => {
    const dump = hexRows(decodeHex(bytes[side]) ?? new Uint8Array(0), { width: 16, from: bytes.from, digits: 8 });
    return dump.length === 0 ? [`${side.padEnd(8)}  (ends before)`] : dump.map((line) => `${side.padEnd(8)}  ${line}`);
  });
  return [`first difference at byte ${formatCount(offset)}`, ...sides].map((line) => ["", line]);
}
