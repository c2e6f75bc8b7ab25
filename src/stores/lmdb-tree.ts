/*
 * A tree of an LMDB file, node by node. Node, at the offset its slot names (counted from the end of the page header):
 * leaf    0 data size u32, 4 flags u16, 6 key size u16, 8 key, then the data, or with flag 1 the first overflow page u64
 * branch  0 child page u48, 6 key size u16, 8 key (of the first node: none)
 * An overflow page's header has the number of pages at 20 u32.
 */
/** Bytes of a page's header. */
export const HEADER = 24;
/** Kind of a page that names others. */
export const BRANCH = 0x01;
/** Kind of a page that holds keys and values. */
export const LEAF = 0x02;
const NODE = 8;
const OVERFLOW = 0x04;
const BIG = 0x01;

/** How to reach the pages of a file. `read` gives undefined for a page that is not there. */
export type Pages = { readonly pageSize: number; readonly read: (page: bigint) => DataView | undefined };

/** A subtree: its top page, its height (a leaf's is 1), and the keys it may hold: from `low` on, below `high`. */
type Subtree = { readonly page: bigint; readonly depth: number; readonly low?: Uint8Array; readonly high?: Uint8Array };

/**
 * What is damaged in a tree, read whole: every page carries its number and kind, every node lies inside its page, long
 * values are where their nodes say, and, where `ordered` is set (bytewise keys), keys ascend between those of the
 * branches above. Undefined when nothing is. What values hold is not judged.
 */
export function findTreeDamage(pages: Pages, root: bigint, depth: number, ordered: boolean): string | undefined {
  const pending: Subtree[] = [{ page: root, depth }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const page = pages.read(next.page);
    if (page === undefined) return `lacks page ${next.page}`;
    const nodes = nodesOf(page, next, pages);
    if (nodes === undefined || (ordered && !inOrder(nodes, next))) return `has a damaged page ${next.page}`;
    if (next.depth === 1) continue;
    for (const [at, { child, key }] of nodes.entries()) {
      const low = at === 0 ? next.low : key;
      const high = nodes[at + 1]?.key ?? next.high;
      pending.push({ page: child, depth: next.depth - 1, ...(low && { low }), ...(high && { high }) });
    }
  }
  return undefined;
}

type Node = { readonly key: Uint8Array; readonly child: bigint };

function nodesOf(page: DataView, { page: number, depth }: Subtree, pages: Pages): Node[] | undefined {
  const [lower, upper] = [page.getUint16(20, true), page.getUint16(22, true)];
  const kind = depth === 1 ? LEAF : BRANCH;
  const room = pages.pageSize - HEADER;
  if (page.getBigUint64(0, true) !== number || page.getUint16(18, true) !== kind) return undefined;
  if (lower % 2 !== 0 || lower === 0 || lower > upper || upper > room) return undefined;
  const nodes: Node[] = [];
  for (let slot = 0; slot < lower; slot += 2) {
    const offset = page.getUint16(HEADER + slot, true);
    const at = HEADER + offset;
    if (offset < upper || offset + NODE > room) return undefined;
    const keyEnd = at + NODE + page.getUint16(at + 6, true);
    if (keyEnd > pages.pageSize) return undefined;
    const key = new Uint8Array(page.buffer, page.byteOffset + at + NODE, keyEnd - at - NODE);
    if (kind === LEAF && !isLeafNode(page, at, keyEnd, pages)) return undefined;
    const child = BigInt(page.getUint32(at, true)) + (BigInt(page.getUint16(at + 4, true)) << 32n);
    nodes.push({ key, child });
  }
  return nodes;
}

/** Whether a leaf node's data is all there, in the page or in overflow pages of its own. */
function isLeafNode(page: DataView, at: number, keyEnd: number, pages: Pages): boolean {
  const size = page.getUint32(at, true);
  const flags = page.getUint16(at + 4, true);
  if (flags === 0) return keyEnd + size <= pages.pageSize;
  if (flags !== BIG || keyEnd + 8 > pages.pageSize) return false;
  const first = page.getBigUint64(keyEnd, true);
  const many = Math.ceil((HEADER + size) / pages.pageSize);
  const head = pages.read(first);
  if (head === undefined || pages.read(first + BigInt(many - 1)) === undefined) return false;
  const kind = head.getUint16(18, true);
  return head.getBigUint64(0, true) === first && kind === OVERFLOW && head.getUint32(20, true) === many;
}

/** Whether keys ascend strictly between the subtree's bounds. A branch's first key stands for everything below the second. */
function inOrder(nodes: readonly Node[], { depth, low, high }: Subtree): boolean {
  const keys = nodes.map(({ key }) => key).slice(depth === 1 ? 0 : 1);
  const [first, last] = [keys[0], keys.at(-1)];
  if (first === undefined || last === undefined) return true;
  if (low !== undefined && compare(first, low) < 0) return false;
  if (high !== undefined && compare(last, high) >= 0) return false;
  return keys.every((key, at) => at === 0 || compare(keys[at - 1] ?? key, key) < 0);
}

/** Bytewise, a prefix first. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
