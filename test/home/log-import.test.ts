import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { parseVkey } from "../../src/crypto/note-key.js";
import { importLog } from "../../src/home/log-import.js";
import { exportReader } from "../../src/home/tile-folder.js";
import type { LogView } from "../../src/log/audit.js";
import { tileBytes, tilePath, tilesOf } from "../../src/log/tiles.js";
import { auditTiles } from "../../src/log/tiles-audit.js";
import { openTiles } from "../../src/log/tiles-proof.js";
import { witnessCheckpoint } from "../../src/log/witness.js";
import { ORIGIN, otherSigner, VKEY } from "../log/fixtures.js";
import { beginning, filesOf, logOf } from "../log/tree-of.js";
import { contents, freshFolder, ownPorts as ports } from "./support.js";

const keys = [parseVkey(VKEY)];
let dir: string;
let mirror: string;

beforeEach(() => {
  dir = join(freshFolder(), "export");
  mirror = join(freshFolder(), "mirror");
});

/** The files of a log in a folder, written at once. */
function spread(view: LogView, into: string, known = 0): void {
  for (const tile of tilesOf(view.size, known)) {
    const file = join(into, tilePath(tile));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, tileBytes(tile, view.readNode, view.leaf));
  }
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, "checkpoint"), view.checkpoint);
}

const take = (from = dir): ReturnType<typeof importLog> => importLog(from, mirror, { keys, ports });

const sorted = (files: Map<string, Uint8Array>): Map<string, Uint8Array> =>
  new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));

describe("an import", () => {
  it("is the export's tiles, bundles and checkpoint, and nothing else", async () => {
    const view = await logOf(300);
    spread(view, dir);
    writeFileSync(join(dir, "index.html"), "not of the log");
    writeFileSync(join(dir, "tile/0/002.p"), "not of the log");
    expect(await take()).toEqual({ origin: ORIGIN, from: 0, size: 300, written: 6 });
    expect(contents(mirror)).toEqual(sorted(filesOf(view)));
  });

  it("grows as the log does: partial tiles become full ones, and every earlier file stays", async () => {
    const all = new Map<string, Uint8Array>();
    let from = 0;
    for (const size of [0, 255, 256, 257, 600]) {
      const view = await logOf(size);
      const files = filesOf(view);
      const known = all.size;
      for (const [path, bytes] of files) all.set(path, bytes);
      spread(view, dir);
      const written = all.size - known + (known === 0 ? 0 : 1);
      expect(await take()).toEqual({ origin: ORIGIN, from, size, written });
      from = size;
      expect(contents(mirror)).toEqual(sorted(all));
      expect(await auditTiles(exportReader(mirror), { keys })).toMatchObject({ ok: true, entries: size });
    }
    expect(await take()).toEqual({ origin: ORIGIN, from: 600, size: 600, written: 0 });
  });

  it("of a mirror is as good as one of the export", async () => {
    const view = await logOf(300);
    spread(view, dir);
    await take();
    const second = join(dirname(mirror), "second");
    await importLog(mirror, second, { keys, ports });
    expect(contents(second)).toEqual(contents(mirror));
    expect(await importLog(mirror, mirror, { keys, ports })).toMatchObject({ written: 0 });
  });

  it("grows where a third level of tiles begins, and the mirror proves what the log does", async () => {
    const whole = await logOf(65_537);
    const first = await beginning(whole, 65_535);
    spread(first, dir);
    cpSync(dir, mirror, { recursive: true });
    spread(whole, dir, 65_535);
    // Full: the last bundle, its tile, the first tile of level 1. New: a bundle, a tile of level 0 and one of level 2.
    expect(await take()).toEqual({ origin: ORIGIN, from: 65_535, size: 65_537, written: 7 });
    const mirrored = await openTiles(exportReader(mirror), keys);
    for (const index of [0, 65_279, 65_280, 65_535, 65_536])
      expect((await mirrored.prove(index)).proof).toEqual(whole.prove(index));
    for (const [old, next] of [
      [1, 65_536],
      [65_535, 65_536],
      [65_535, 65_537],
      [65_536, 65_537],
    ] as const)
      expect(await mirrored.consistency(old, next)).toEqual(whole.consistency(old, next));
  });

  it("gives a mirror back what it lost", async () => {
    const view = await logOf(300);
    spread(view, mirror, view.size);
    spread(view, dir);
    expect(await take()).toEqual({ origin: ORIGIN, from: 300, size: 300, written: 5 });
    expect(contents(mirror)).toEqual(sorted(filesOf(view)));
  });

  it("that ended anywhere leaves the mirror at its old checkpoint, and is completed by the next", async () => {
    const [old, now] = [await logOf(200), await logOf(600)];
    spread(now, dir);
    const fresh = [...tilesOf(600, 200)];
    for (const done of [0, 3, fresh.length]) {
      mirror = join(freshFolder(), "mirror");
      spread(old, mirror);
      for (const tile of fresh.slice(0, done)) {
        mkdirSync(dirname(join(mirror, tilePath(tile))), { recursive: true });
        writeFileSync(join(mirror, tilePath(tile)), tileBytes(tile, now.readNode, now.leaf));
      }
      expect(await auditTiles(exportReader(mirror), { keys })).toMatchObject({ ok: true, entries: 200 });
      expect(await take()).toEqual({ origin: ORIGIN, from: 200, size: 600, written: fresh.length - done + 1 });
      expect(contents(mirror)).toEqual(sorted(new Map([...filesOf(old), ...filesOf(now)])));
    }
  });

  it("keeps the cosignatures that the mirror's checkpoint has, and takes those of the export's", async () => {
    const view = await logOf(10);
    const by = { name: "w.example", signer: otherSigner, seconds: 1 };
    const cosigned = await witnessCheckpoint({ note: view.checkpoint, logKeys: keys, last: undefined, proof: [] }, by);
    spread({ ...view, checkpoint: cosigned }, dir);
    await take();
    expect(contents(mirror).get("checkpoint")).toEqual(new TextEncoder().encode(cosigned));
    spread(view, dir);
    expect(await take()).toMatchObject({ written: 0 });
    expect(contents(mirror).get("checkpoint")).toEqual(new TextEncoder().encode(cosigned));
  });

  it("takes nothing that the caller does not admit, and makes no folder for it", async () => {
    spread(await logOf(10), dir);
    const admit = (): void => {
      throw new Error("not this one");
    };
    await expect(importLog(dir, mirror, { keys, admit, ports })).rejects.toThrow("not this one");
    const ended = importLog(dir, mirror, { keys, signal: AbortSignal.abort(new Error("ended")), ports });
    await expect(ended).rejects.toThrow("ended");
    expect(existsSync(mirror)).toBe(false);
  });
});
