import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  appendLeaves,
  consistencyProof,
  emptyRoot,
  type Frontier,
  frontierFromNodes,
  inclusionProof,
  leafHash,
  type ReadNode,
  rootFromNodes,
  verifyConsistency,
  verifyInclusion,
} from "../../src/log/tree.js";

type Vectors = {
  emptyRoot: string;
  leaves: string[];
  roots: string[];
  inclusion: { index: number; size: number; proof: string[] }[];
  consistency: { oldSize: number; newSize: number; proof: string[] }[];
};
const vectors = JSON.parse(readFileSync(new URL("../vectors/rfc6962.json", import.meta.url), "utf8")) as Vectors;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const EMPTY: Frontier = { size: 0, peaks: [] };
const range = { code: "EXO_LOG_RANGE" };

/** RFC 6962, section 2.1, word for word over node:crypto; knows nothing of the code under test. */
const naive = {
  hash: (...parts: Uint8Array[]): Uint8Array => {
    const hasher = createHash("sha256");
    for (const part of parts) hasher.update(part);
    return Uint8Array.from(hasher.digest());
  },
  split: (count: number): number => 2 ** (Math.ceil(Math.log2(count)) - 1),
  root(leaves: readonly Uint8Array[]): Uint8Array {
    if (leaves.length === 0) return naive.hash();
    if (leaves.length === 1) return naive.hash(Uint8Array.of(0), leaves[0] as Uint8Array);
    const k = naive.split(leaves.length);
    return naive.hash(Uint8Array.of(1), naive.root(leaves.slice(0, k)), naive.root(leaves.slice(k)));
  },
  path(m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
    if (leaves.length === 1) return [];
    const k = naive.split(leaves.length);
    if (m < k) return [...naive.path(m, leaves.slice(0, k)), naive.root(leaves.slice(k))];
    return [...naive.path(m - k, leaves.slice(k)), naive.root(leaves.slice(0, k))];
  },
  subproof(m: number, leaves: readonly Uint8Array[], known: boolean): Uint8Array[] {
    if (m === leaves.length) return known ? [] : [naive.root(leaves)];
    const k = naive.split(leaves.length);
    if (m <= k) return [...naive.subproof(m, leaves.slice(0, k), known), naive.root(leaves.slice(k))];
    return [...naive.subproof(m - k, leaves.slice(k), false), naive.root(leaves.slice(0, k))];
  },
};

const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => Uint8Array.of(at >> 8, at & 255, 7));

/** A tree grown by the appender in chunks, its nodes kept as a store would. */
function grow(
  leaves: readonly Uint8Array[],
  chunk = 1,
): { frontier: Frontier; readNode: ReadNode; roots: Map<number, Uint8Array> } {
  const nodes = new Map<string, Uint8Array>();
  const roots = new Map<number, Uint8Array>();
  let frontier = EMPTY;
  for (let at = 0; at < leaves.length; at += chunk) {
    const appended = appendLeaves(frontier, leaves.slice(at, at + chunk).map(leafHash));
    for (const { level, index, hash } of appended.nodes) {
      expect(nodes.has(`${level}/${index}`)).toBe(false);
      nodes.set(`${level}/${index}`, hash);
    }
    frontier = appended.frontier;
    roots.set(appended.size, appended.root);
  }
  const readNode: ReadNode = (level, index) => {
    const hash = nodes.get(`${level}/${index}`);
    if (!hash) throw new Error(`asked for ${level}/${index}`);
    return hash;
  };
  return { frontier, readNode, roots };
}

describe("the published vectors", () => {
  const leaves = vectors.leaves.map(unhex);
  const { readNode, roots } = grow(leaves);

  it("has their roots", () => {
    expect(hex(emptyRoot())).toBe(vectors.emptyRoot);
    for (const [at, root] of vectors.roots.entries()) {
      expect(hex(roots.get(at + 1) as Uint8Array)).toBe(root);
      expect(hex(rootFromNodes(at + 1, readNode))).toBe(root);
    }
  });

  it("has their audit paths and consistency proofs, and verifies them", () => {
    for (const { index, size, proof } of vectors.inclusion) {
      expect(inclusionProof(index, size, readNode).map(hex)).toEqual(proof);
      const root = unhex(vectors.roots[size - 1] as string);
      expect(verifyInclusion({ leaf: leaves[index] as Uint8Array, index, size, proof: proof.map(unhex), root })).toBe(
        true,
      );
    }
    for (const { oldSize, newSize, proof } of vectors.consistency) {
      expect(consistencyProof(oldSize, newSize, readNode).map(hex)).toEqual(proof);
      const [oldRoot, newRoot] = [
        unhex(vectors.roots[oldSize - 1] as string),
        unhex(vectors.roots[newSize - 1] as string),
      ];
      expect(verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof: proof.map(unhex) })).toBe(true);
    }
  });
});

describe("against the recursive definition", () => {
  const SIZE = 130;
  const leaves = leavesOf(SIZE);
  const { readNode, roots } = grow(leaves);
  const naiveRoots = Array.from({ length: SIZE + 1 }, (_, size) => naive.root(leaves.slice(0, size)));
  const rootAt = (size: number): Uint8Array => naiveRoots[size] as Uint8Array;

  it("has the same root at every size, however the leaves are grouped", () => {
    for (let size = 1; size <= SIZE; size += 1) expect(roots.get(size)).toEqual(rootAt(size));
    for (const chunk of [2, 3, 7, 64, 100, 130]) {
      for (const [size, root] of grow(leaves, chunk).roots) expect(root).toEqual(rootAt(size));
    }
    expect(rootFromNodes(0, readNode)).toEqual(rootAt(0));
  });

  it("continues from stored nodes as from memory", () => {
    for (let size = 0; size < SIZE; size += 1) {
      const frontier = frontierFromNodes(size, readNode);
      expect(appendLeaves(frontier, [leafHash(leaves[size] as Uint8Array)]).root).toEqual(rootAt(size + 1));
    }
  });

  it("proves every leaf at every size", () => {
    for (let size = 1; size <= SIZE; size += 1) {
      for (let index = 0; index < size; index += size > 40 ? 5 : 1) {
        const proof = inclusionProof(index, size, readNode);
        expect(proof).toEqual(naive.path(index, leaves.slice(0, size)));
        expect(verifyInclusion({ leaf: leaves[index] as Uint8Array, index, size, proof, root: rootAt(size) })).toBe(
          true,
        );
      }
    }
  });

  it("proves consistency between every two sizes", () => {
    for (let newSize = 1; newSize <= SIZE; newSize += 1) {
      for (let oldSize = 1; oldSize <= newSize; oldSize += newSize > 40 ? 3 : 1) {
        const proof = consistencyProof(oldSize, newSize, readNode);
        expect(proof).toEqual(naive.subproof(oldSize, leaves.slice(0, newSize), true));
        expect(verifyConsistency({ oldSize, newSize, oldRoot: rootAt(oldSize), newRoot: rootAt(newSize), proof })).toBe(
          true,
        );
      }
    }
  });

  it("agrees on random trees", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 300 }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 50 }),
        (entries, a, b, chunk) => {
          const tree = grow(entries, chunk);
          const size = (a % entries.length) + 1;
          const index = b % size;
          expect(rootFromNodes(size, tree.readNode)).toEqual(naive.root(entries.slice(0, size)));
          expect(inclusionProof(index, size, tree.readNode)).toEqual(naive.path(index, entries.slice(0, size)));
          expect(consistencyProof(size, entries.length, tree.readNode)).toEqual(naive.subproof(size, entries, true));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("far beyond 32 bits", () => {
  /** Every complete subtree's hash is made from its place; below a level all leaves are then unknowable, as in a real log. */
  const readNode: ReadNode = (level, index) => {
    if (!Number.isSafeInteger(index) || (index + 1) * 2 ** level > Number.MAX_SAFE_INTEGER + 1)
      throw new Error(`asked for ${level}/${index}`);
    return synthetic(level, index);
  };
  // A consistent tree needs node(level, i) = H(children); identical leaves give one hash per level.
  const perLevel: Uint8Array[] = [leafHash(Uint8Array.of(1))];
  const synthetic = (level: number, _index: number): Uint8Array => {
    while (perLevel.length <= level) {
      const below = perLevel.at(-1) as Uint8Array;
      perLevel.push(naive.hash(Uint8Array.of(1), below, below));
    }
    return perLevel[level] as Uint8Array;
  };
  /** The same tree by the recursive definition with BigInt sizes, which needs no floating-point arithmetic. */
  const bigRoot = (size: bigint): Uint8Array => {
    const width = size.toString(2).length - 1;
    const rest = size - (1n << BigInt(width));
    return rest === 0n ? synthetic(width, 0) : naive.hash(Uint8Array.of(1), synthetic(width, 0), bigRoot(rest));
  };
  const SIZES = [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 31 + 1,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 32 + 12_345,
    2 ** 48 + 2 ** 31 + 5,
    2 ** 52,
    2 ** 53 - 2,
    2 ** 53 - 1,
  ];

  it.each(SIZES)("has the right root, proofs and appends at %d", (size) => {
    const root = rootFromNodes(size, readNode);
    expect(root).toEqual(bigRoot(BigInt(size)));
    for (const index of [0, 1, 2 ** 31 - 1, Math.floor(size / 2), 2 ** 31, size - 2, size - 1].filter(
      (at) => at < size,
    )) {
      const proof = inclusionProof(index, size, readNode);
      const claim = { leafHash: synthetic(0, 0), index, size, proof, root };
      expect(verifyInclusion(claim)).toBe(true);
      expect(verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false);
      expect(verifyInclusion({ ...claim, proof: [...proof, root] })).toBe(false);
    }
    for (const oldSize of [1, 2 ** 30 + 1, 2 ** 31, size - 1, size].filter((at) => at <= size)) {
      const proof = consistencyProof(oldSize, size, readNode);
      const claim = { oldSize, newSize: size, oldRoot: bigRoot(BigInt(oldSize)), newRoot: root, proof };
      expect(verifyConsistency(claim)).toBe(true);
      expect(verifyConsistency({ ...claim, oldRoot: synthetic(1, 0) })).toBe(oldSize === 2);
    }
    if (size < Number.MAX_SAFE_INTEGER) {
      const appended = appendLeaves(frontierFromNodes(size, readNode), [synthetic(0, 0)]);
      expect(appended.root).toEqual(bigRoot(BigInt(size) + 1n));
      for (const { level, index } of appended.nodes) expect((index + 1) * 2 ** level).toBe(size + 1);
    }
  });

  it("refuses to grow beyond 2^53-1 leaves", () => {
    const frontier = frontierFromNodes(Number.MAX_SAFE_INTEGER, readNode);
    expect(() => appendLeaves(frontier, [synthetic(0, 0)])).toThrow(expect.objectContaining(range));
  });
});

describe("refusals", () => {
  const leaves = leavesOf(13);
  const { readNode } = grow(leaves);
  const root = naive.root(leaves);
  const flip = (hash: Uint8Array): Uint8Array => hash.map((byte, at) => (at === 31 ? byte ^ 1 : byte));

  it.each([-1, 13, 1.5, Number.NaN, 2 ** 53, Infinity, -0])("refuses a proof of leaf %d", (index) => {
    expect(() => inclusionProof(index, 13, readNode)).toThrow(expect.objectContaining(range));
    const proof = inclusionProof(0, 13, readNode);
    expect(verifyInclusion({ leaf: leaves[0] as Uint8Array, index, size: 13, proof, root })).toBe(false);
  });

  it.each([
    [0, 13],
    [-1, 13],
    [14, 13],
    [1.5, 13],
    [1, 2 ** 53],
    [Number.NaN, 13],
  ])("refuses a consistency proof from %d to %d", (oldSize, newSize) => {
    expect(() => consistencyProof(oldSize, newSize, readNode)).toThrow(expect.objectContaining(range));
    expect(verifyConsistency({ oldSize, newSize, oldRoot: root, newRoot: root, proof: [] })).toBe(false);
  });

  it("refuses a consistency proof from the empty tree even with the right roots", () => {
    expect(verifyConsistency({ oldSize: 0, newSize: 13, oldRoot: emptyRoot(), newRoot: root, proof: [] })).toBe(false);
    expect(verifyConsistency({ oldSize: 0, newSize: 0, oldRoot: emptyRoot(), newRoot: emptyRoot(), proof: [] })).toBe(
      false,
    );
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])("refuses a tree of %d leaves", (size) => {
    expect(() => rootFromNodes(size, readNode)).toThrow(expect.objectContaining(range));
    expect(() => frontierFromNodes(size, readNode)).toThrow(expect.objectContaining(range));
    expect(() => inclusionProof(0, size, readNode)).toThrow(expect.objectContaining(range));
  });

  it.each([0, 31, 33])("refuses to append a hash of %d bytes", (length) => {
    expect(() => appendLeaves(EMPTY, [new Uint8Array(length)])).toThrow(expect.objectContaining(range));
  });

  it("refuses an inclusion proof with anything changed", () => {
    for (let index = 0; index < 13; index += 1) {
      const proof = inclusionProof(index, 13, readNode);
      const claim = { leaf: leaves[index] as Uint8Array, index, size: 13, proof, root };
      expect(verifyInclusion(claim)).toBe(true);
      const changed = [
        { ...claim, leaf: Uint8Array.of(1) },
        { ...claim, root: flip(root) },
        { ...claim, root: root.slice(0, 31) },
        { ...claim, root: new Uint8Array() },
        { ...claim, proof: [...proof, root] },
        { ...claim, proof: [root, ...proof] },
        { ...claim, proof: proof.slice(1) },
        { ...claim, proof: proof.slice(0, -1) },
        { ...claim, proof: [] },
        { ...claim, proof: proof.toReversed() },
        { ...claim, proof: [...proof, proof.at(-1) as Uint8Array] },
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, flip(proof[at] as Uint8Array)) })),
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, (proof[at] as Uint8Array).slice(0, 31)) })),
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, new Uint8Array(33)) })),
        ...Array.from({ length: 13 }, (_, at) => ({ ...claim, index: at })).filter(({ index: at }) => at !== index),
        // A size is not bound by every path (the tree's right edge may agree), but it must fit its length.
        { ...claim, size: 27, index },
        { ...claim, size: index },
      ];
      for (const [at, wrong] of changed.entries())
        expect(verifyInclusion(wrong), `leaf ${index}, change ${at}`).toBe(false);
    }
  });

  it("refuses a leaf hash that is no hash, and an inner node as a leaf", () => {
    const proof = inclusionProof(0, 13, readNode);
    expect(verifyInclusion({ leafHash: new Uint8Array(31), index: 0, size: 13, proof, root })).toBe(false);
    expect(verifyInclusion({ leafHash: leafHash(leaves[0] as Uint8Array), index: 0, size: 13, proof, root })).toBe(
      true,
    );
    const children = Uint8Array.from([...readNode(0, 0), ...readNode(0, 1)]);
    expect(verifyInclusion({ leaf: children, index: 0, size: 7, proof: proof.slice(1), root })).toBe(false);
  });

  it("refuses a consistency proof with anything changed", () => {
    for (let oldSize = 1; oldSize < 13; oldSize += 1) {
      const proof = consistencyProof(oldSize, 13, readNode);
      const claim = { oldSize, newSize: 13, oldRoot: naive.root(leaves.slice(0, oldSize)), newRoot: root, proof };
      expect(verifyConsistency(claim)).toBe(true);
      const changed = [
        { ...claim, oldRoot: flip(claim.oldRoot) },
        { ...claim, newRoot: flip(root) },
        { ...claim, oldRoot: claim.oldRoot.slice(1) },
        { ...claim, newRoot: root.slice(1) },
        { ...claim, proof: [...proof, root] },
        { ...claim, proof: [root, ...proof] },
        { ...claim, proof: proof.slice(1) },
        { ...claim, proof: proof.slice(0, -1) },
        { ...claim, proof: [] },
        { ...claim, newSize: oldSize },
        { ...claim, oldSize: 13, newSize: oldSize },
        { ...claim, oldSize: 0 },
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, flip(proof[at] as Uint8Array)) })),
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, (proof[at] as Uint8Array).slice(0, 31)) })),
      ];
      for (const [at, wrong] of changed.entries())
        expect(verifyConsistency(wrong), `old ${oldSize}, change ${at}`).toBe(false);
    }
  });

  it("refuses equal sizes with other roots or a proof", () => {
    const same = { oldSize: 13, newSize: 13, oldRoot: root, newRoot: root };
    expect(verifyConsistency({ ...same, proof: [] })).toBe(true);
    expect(verifyConsistency({ ...same, proof: [root] })).toBe(false);
    expect(verifyConsistency({ ...same, newRoot: flip(root), proof: [] })).toBe(false);
  });
});
