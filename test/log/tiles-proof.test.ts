import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVkey } from "../../src/crypto/note-key.js";
import type { LogView } from "../../src/log/audit.js";
import { signCheckpoint } from "../../src/log/checkpoint.js";
import { formatProofFile } from "../../src/log/proof-file.js";
import type { ReadTile } from "../../src/log/tiles-audit.js";
import { openTiles } from "../../src/log/tiles-proof.js";
import { ORIGIN, signer, VKEY } from "./fixtures.js";
import { beginning, filesOf, lazyReader, logOf, readerOf } from "./tree-of.js";

const keys = [parseVkey(VKEY)];

/** The proofs of an export are, byte for byte, those of the log itself. */
async function expectSame(view: LogView, read: ReadTile, index: number, [old, next]: [number, number]): Promise<void> {
  const tiles = await openTiles(read, keys);
  const own = { index, proof: view.prove(index), checkpoint: view.checkpoint };
  expect(formatProofFile(await tiles.prove(index))).toBe(formatProofFile(own));
  expect(await tiles.consistency(old, next)).toEqual(view.consistency(old, next));
}

describe("proofs from tiles", () => {
  it("are the log's own at every size near a tile's edge", async () => {
    for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 700]) {
      const view = await logOf(size);
      const read = readerOf(filesOf(view));
      for (const index of new Set([0, Math.min(255, size - 1), Math.floor(size / 2), size - 1]))
        await expectSame(view, read, index, [index + 1, size]);
    }
  });

  it("are the log's own at any size, index and older sizes", async () => {
    const whole = await logOf(1100);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1100 }), fc.nat(), fc.nat(), fc.nat(), async (size, ...any) => {
        const view = await beginning(whole, size);
        const [index = 0, one = 0, other = 0] = any.map((value) => value % size);
        await expectSame(view, lazyReader(view), index, [Math.min(one, other) + 1, Math.max(one, other) + 1]);
      }),
      { numRuns: 60 },
    );
  });

  it("far beyond 2^31 entries are in the tiles that the arithmetic says", async () => {
    const size = 2 ** 40 + 300;
    const note = await signCheckpoint({ origin: ORIGIN, size, root: new Uint8Array(32) }, signer);
    const asked: string[] = [];
    const read: ReadTile = async (path, maxBytes) => {
      if (path === "checkpoint") return new TextEncoder().encode(note);
      asked.push(path);
      return new Uint8Array(maxBytes);
    };
    const tiles = await openTiles(read, keys);
    // No such tree has that root or those entries, so the proof is refused once its tiles are read.
    await expect(tiles.prove(2 ** 40)).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
    expect(asked).toEqual([
      "tile/5/000.p/1",
      "tile/0/x004/x294/x967/297.p/44",
      "tile/0/x004/x294/x967/296",
      "tile/entries/x004/x294/x967/296",
    ]);
  });
});
