import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeHex, encodeHex } from "../../src/crypto/encoding.js";
import { formatCheckpoint } from "../../src/log/checkpoint.js";
import { type LeafKind, leafBytes } from "../../src/log/leaf.js";
import { appendLeaves, frontierFromNodes, leafHash, verifyInclusion } from "../../src/log/tree.js";

const vectors = JSON.parse(readFileSync(new URL("../../spec/vectors/log.json", import.meta.url), "utf8")) as {
  origin: string;
  leaves: readonly { kind: LeafKind; digest: string; bytes: string; leafHash: string }[];
  roots: readonly { size: number; root: string; checkpoint: string }[];
  proofs: readonly { index: number; size: number; proof: readonly string[] }[];
};

const bytesOf = (hex: string): Uint8Array => decodeHex(hex) ?? new Uint8Array(0);
const hashes = vectors.leaves.map((leaf) => bytesOf(leaf.leafHash));
const empty = frontierFromNodes(0, () => new Uint8Array(32));

describe("spec/vectors/log.json", () => {
  test.each(vectors.leaves)("leaf $digest", ({ kind, digest, bytes, leafHash: hash }) => {
    expect(new TextDecoder().decode(leafBytes(kind, digest))).toBe(bytes);
    expect(encodeHex(leafHash(leafBytes(kind, digest)))).toBe(hash);
  });

  test.each(vectors.roots)("root and checkpoint of $size leaves", ({ size, root, checkpoint }) => {
    const computed = appendLeaves(empty, hashes.slice(0, size)).root;
    expect(encodeHex(computed)).toBe(root);
    expect(formatCheckpoint({ origin: vectors.origin, size, root: computed })).toBe(checkpoint);
  });

  test.each(vectors.proofs)("inclusion of leaf $index of $size, and of no other", ({ index, size, proof }) => {
    const root = bytesOf(vectors.roots[size]?.root ?? "");
    const claim = { leafHash: hashes[index] ?? new Uint8Array(0), index, size, proof: proof.map(bytesOf), root };
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusion({ ...claim, leafHash: hashes[(index + 1) % 7] ?? new Uint8Array(0) })).toBe(false);
    if (size > 1) expect(verifyInclusion({ ...claim, index: (index + 1) % size })).toBe(false);
  });

  test("has the vectors it is known to have", () => {
    expect([vectors.leaves.length, vectors.roots.length, vectors.proofs.length]).toEqual([7, 8, 13]);
  });
});
