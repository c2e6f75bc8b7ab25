import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { checkLmdbFile } from "../../src/stores/lmdb-file.js";

const page = 4096;
const header = 24;

describe("an LMDB file that is read whole", () => {
  const folder = mkdtempSync(join(tmpdir(), "exo-tree-"));
  const file = join(folder, "data.mdb");
  let whole: Buffer;
  /** Offsets of the root, of a leaf in the middle, and of the first overflow page. */
  const at = { root: 0, leaf: 0, overflow: 0 };

  beforeAll(async () => {
    const store = await openLmdbStore(folder);
    const epoch = await store.acquire();
    const changes = Array.from({ length: 400 }, (_, key) => ({
      key: `k/${String(key).padStart(4, "0")}`,
      value: new Uint8Array(key % 50 === 0 ? 9_000 : 60).fill(key),
    }));
    await store.commit(changes, epoch);
    await store.close();
    whole = readFileSync(file);
    const newer = whole.readBigUInt64LE(152) > whole.readBigUInt64LE(page + 152) ? 0 : page;
    at.root = Number(whole.readBigUInt64LE(newer + 96 + 40)) * page;
    const slot = whole.readUInt16LE(at.root + header + 4);
    at.leaf = whole.readUInt32LE(at.root + header + slot) * page;
    const flagsOf = (offset: number): number => whole.readUInt16LE(offset + 18);
    while (flagsOf(at.overflow) !== 4) at.overflow += page;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Offset of a leaf's node by its place. */
  const node = (slot: number): number => at.leaf + header + whole.readUInt16LE(at.leaf + header + slot * 2);

  const refused = expect.objectContaining({ code: "EXO_STORE_DAMAGED" });

  it("passes as it was written", () => {
    expect(() => checkLmdbFile(file, true, true)).not.toThrow();
  });

  it.each<[string, () => number, number]>([
    ["a leaf's page number", () => at.leaf, 1],
    ["a leaf's kind", () => at.leaf + 18, 1],
    ["the end of a leaf's slots", () => at.leaf + 20, 1],
    ["the start of a leaf's nodes", () => at.leaf + 23, 0x40],
    ["a slot", () => at.leaf + header + 1, 0x80],
    ["the size of a value", () => node(1) + 2, 1],
    ["the flags of a node", () => node(1) + 4, 2],
    ["the size of a key", () => node(1) + 7, 0x80],
    ["a key, which then stands before the one before it", () => node(1) + 8, 0x40],
    ["a leaf's first key, which then stands outside its branch", () => node(0) + 8, 0x40],
    ["a branch's key", () => at.root + header + whole.readUInt16LE(at.root + header + 4) + 8, 0x40],
    ["an overflow page's number", () => at.overflow, 1],
    ["an overflow page's kind", () => at.overflow + 18, 1],
    ["how many pages a long value has", () => at.overflow + 20, 1],
  ])("is refused for one bit of %s", (_name, offset, bit) => {
    const bytes = Buffer.from(whole);
    bytes[offset()] = (bytes[offset()] ?? 0) ^ bit;
    writeFileSync(file, bytes);
    expect(() => checkLmdbFile(file, true, true)).toThrow(refused);
    writeFileSync(file, whole);
  });

  it("cannot judge what values hold, which is for the audit of the log", () => {
    const bytes = Buffer.from(whole);
    const value = node(1) + 8 + whole.readUInt16LE(node(1) + 6);
    bytes[value] = (bytes[value] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    expect(() => checkLmdbFile(file, true, true)).not.toThrow();
    writeFileSync(file, whole);
  });
});
