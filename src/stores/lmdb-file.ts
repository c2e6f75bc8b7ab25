import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ExoArmurError } from "../errors.js";
import { BRANCH, findTreeDamage, HEADER, LEAF, type Pages } from "./lmdb-tree.js";

/*
 * LMDB trusts its file: it maps it and follows page numbers, and a cut or overwritten file ends the process with a
 * signal. So the file is read here before LMDB maps it. Layout of LMDB data version 2, little-endian, 64 bit:
 * page header  0 pgno u64, 8 txnid u64, 18 flags u16, 20 lower u16, 22 upper u16, 24 slots u16[]
 * meta page   24 magic u32, 28 version u32, 48 and 96 two tree records, 144 last page u64, 152 txnid u64
 * tree record  0 page size u32 (first record), 6 depth u16, 40 root page u64
 */
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META = 0x08;
const NO_PAGE = 2n ** 64n - 1n;
const MAX_DEPTH = 32;
const MAX_ATTEMPTS = 50;

type PageFile = { readonly fd: number; readonly pageSize: number; readonly pages: number };

/**
 * Throws EXO_STORE_DAMAGED unless the file is absent or empty (a new store) or an LMDB file whose meta pages, roots and
 * branch pages are whole and point inside it. Leaf pages are only read where `whole` is set, and then every node of both
 * trees is checked. EXO_STORE for a file that cannot be read, and for an absent one when it `mustExist`. Otherwise about
 * one page in a hundred of the file is read (spec/log.md).
 */
export function checkLmdbFile(file: string, mustExist: boolean, whole = false): void {
  const fd = openIfThere(file);
  if (fd === undefined) {
    if (mustExist) throw new ExoArmurError("EXO_STORE", `There is no store: ${file} does not exist.`, { file });
    return;
  }
  try {
    const length = fstatSync(fd).size;
    if (length === 0 && !mustExist) return;
    const problem = findStableDamage(fd, whole);
    if (problem !== undefined)
      throw new ExoArmurError("EXO_STORE_DAMAGED", `The store's file ${file} ${problem}.`, { file });
  } finally {
    closeSync(fd);
  }
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Beside a writing owner pages may be reused while they are read: damage counts only if no commit came in between. */
function findStableDamage(fd: number, whole: boolean): string | undefined {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const before = newestTxn(fd);
    const problem = findDamage(fd, fstatSync(fd).size, whole);
    if (problem === undefined || before === newestTxn(fd)) return problem;
  }
  return undefined;
}

/** The newer transaction id of the two meta pages; undefined when they cannot be read. */
function newestTxn(fd: number): bigint | undefined {
  const first = readAt(fd, 0, META_BYTES);
  const second = first && readAt(fd, first.getUint32(48, true), META_BYTES);
  if (first === undefined || second === undefined) return undefined;
  const [a, b] = [first.getBigUint64(152, true), second.getBigUint64(152, true)];
  return a > b ? a : b;
}

function findDamage(fd: number, length: number, whole: boolean): string | undefined {
  const first = readAt(fd, 0, META_BYTES);
  const pageSize = first === undefined ? 0 : first.getUint32(48, true);
  const second = isPageSize(pageSize) ? readAt(fd, pageSize, META_BYTES) : undefined;
  if (first === undefined || second === undefined) return `is not an LMDB file, or was cut to ${length} bytes`;
  for (const [number, meta] of [first, second].entries()) {
    if (!isMeta(meta, number, pageSize)) return `has a damaged meta page ${number}`;
  }
  const newest = second.getBigUint64(152, true) > first.getBigUint64(152, true) ? second : first;
  const file = { fd, pageSize, pages: Math.floor(length / pageSize) };
  for (const record of [48, 96]) {
    const root = newest.getBigUint64(record + 40, true);
    const depth = newest.getUint16(record + 6, true);
    if (root === NO_PAGE && depth === 0) continue;
    if (depth < 1 || depth > MAX_DEPTH) return "has a damaged tree record";
    // The tree of free pages, the first one, has keys of another order.
    const problem =
      walk(file, root, depth) ?? (whole ? findTreeDamage(pagesOf(file), root, depth, record === 96) : undefined);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function pagesOf({ fd, pageSize, pages }: PageFile): Pages {
  const isThere = (page: bigint): boolean => page >= 2n && page < BigInt(pages);
  return { pageSize, read: (page) => (isThere(page) ? readAt(fd, Number(page) * pageSize, pageSize) : undefined) };
}

/** Checks a subtree's branch pages; of its leaf pages only that they are inside the file, unless the leaf is the root. */
function walk(file: PageFile, root: bigint, depth: number): string | undefined {
  const pending = [{ page: root, depth }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.page < 2n || next.page >= BigInt(file.pages))
      return `lacks page ${next.page}: it ends after ${file.pages} pages`;
    if (next.depth === 1 && next.page !== root) continue;
    const page = readAt(file.fd, Number(next.page) * file.pageSize, file.pageSize);
    const wanted = next.depth === 1 ? LEAF : BRANCH;
    if (page === undefined || page.getBigUint64(0, true) !== next.page || page.getUint16(18, true) !== wanted)
      return `has a damaged page ${next.page}`;
    if (next.depth === 1) continue;
    const children = childrenOf(page, file.pageSize);
    if (children === undefined) return `has a damaged page ${next.page}`;
    for (const child of children) pending.push({ page: child, depth: next.depth - 1 });
  }
  return undefined;
}

/** Page numbers a branch page points to: 48 bits in the first six bytes of each node. */
function childrenOf(page: DataView, pageSize: number): bigint[] | undefined {
  const slots = page.getUint16(20, true) / 2;
  if (!Number.isInteger(slots) || slots < 1 || HEADER + slots * 2 > pageSize) return undefined;
  const children: bigint[] = [];
  for (let slot = 0; slot < slots; slot += 1) {
    const at = HEADER + page.getUint16(HEADER + slot * 2, true);
    if (at + 8 > pageSize) return undefined;
    children.push(BigInt(page.getUint32(at, true)) + (BigInt(page.getUint16(at + 4, true)) << 32n));
  }
  return children;
}

function isMeta(page: DataView, number: number, pageSize: number): boolean {
  return (
    page.getBigUint64(0, true) === BigInt(number) &&
    page.getUint16(18, true) === META &&
    page.getUint32(24, true) === MAGIC &&
    (page.getUint32(28, true) & 0xffff) === VERSION &&
    page.getUint32(48, true) === pageSize
  );
}

function isPageSize(value: number): boolean {
  return value >= 512 && value <= 65_536 && Number.isInteger(Math.log2(value));
}

function readAt(fd: number, position: number, bytes: number): DataView | undefined {
  const view = new DataView(new ArrayBuffer(bytes));
  return readSync(fd, view, 0, bytes, position) === bytes ? view : undefined;
}
