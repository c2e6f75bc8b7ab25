import type { Divergence } from "../contracts/replay-report.js";
import { formatCount } from "./output.js";

/** Both sides around the first byte that differs, 16 to a line, as hexadecimal and text; no row without bytes. */
export function formatBytes({ offset, bytes }: Divergence): string[][] {
  if (offset === undefined || bytes === undefined) return [];
  const sides = (["expected", "actual"] as const).flatMap((side) => {
    const dump = hexDump(bytes[side], bytes.from);
    return dump.length === 0 ? [`${side.padEnd(8)}  (ends before)`] : dump.map((line) => `${side.padEnd(8)}  ${line}`);
  });
  return [`first difference at byte ${formatCount(offset)}`, ...sides].map((line) => ["", line]);
}

function hexDump(hex: string, from: number): string[] {
  const bytes = hex.match(/../g) ?? [];
  const lines = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, line) =>
    bytes.slice(line * 16, line * 16 + 16),
  );
  return lines.map((line, at) => {
    const text = line.map((byte) => {
      const unit = Number.parseInt(byte, 16);
      return unit >= 0x20 && unit < 0x7f ? String.fromCharCode(unit) : ".";
    });
    return `${(from + at * 16).toString(16).padStart(8, "0")}  ${line.join(" ").padEnd(47)}  ${text.join("")}`;
  });
}
