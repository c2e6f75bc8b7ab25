import { hexRows } from "../replay/hex-rows.js";

const rowBytes = 8;

type HexProps = {
  readonly bytes: Uint8Array;
  /** Offset of a byte whose row is marked. */
  readonly mark: number | undefined;
  /** Offset of the first byte. */
  readonly from?: number;
};

/** Bytes in rows of hex and text, with the row of one byte marked. */
export function Hex({ bytes, mark, from = 0 }: HexProps) {
  const rows = hexRows(bytes, { width: rowBytes, from, digits: 5 });
  const at = mark === undefined ? -1 : Math.floor((mark - from) / rowBytes);
  if (rows[at] === undefined) return <>{rows.join("\n")}</>;
  return (
    <>
      {rows.slice(0, at).map((row) => `${row}\n`)}
      <mark>{rows[at]}</mark>
      {rows.slice(at + 1).map((row) => `\n${row}`)}
    </>
  );
}
