import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { importLog } from "../../src/home/log-import.js";
import { acquireOwner } from "../../src/home/owner-lock.js";
import { exportReader } from "../../src/home/tile-folder.js";
import { auditTiles } from "../../src/log/tiles-audit.js";
import { openTiles } from "../../src/log/tiles-proof.js";
import { contents, faultOf, freshFolder, ownPorts as ports } from "../home/support.js";
import { otherSigner, signer, text, VKEY } from "../log/fixtures.js";
import { filesOf, logOf, type Made, readerOf } from "../log/tree-of.js";

const keys = [parseVkey(VKEY)];
let dir: string;
let mirror: string;

function spread(files: ReadonlyMap<string, Uint8Array>, into: string): void {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(into, path)), { recursive: true });
    writeFileSync(join(into, path), bytes);
  }
}

async function exported(size: number, made: Made = {}): Promise<Map<string, Uint8Array>> {
  return filesOf(await logOf(size, made));
}

const take = (from = dir): ReturnType<typeof importLog> => importLog(from, mirror, { keys, ports });

/** The import is refused with this code and leaves every byte of the mirror as it was. */
async function expectRefused(code: string, message: string | RegExp = ""): Promise<void> {
  const before = contents(mirror);
  const fault = await faultOf(() => take());
  expect(fault.code).toBe(code);
  expect(fault.message).toMatch(message);
  expect(contents(mirror)).toEqual(before);
}

/** An import of these files is refused. */
async function refused(files: ReadonlyMap<string, Uint8Array>, code: string, message?: string | RegExp): Promise<void> {
  rmSync(dir, { recursive: true, force: true });
  spread(files, dir);
  await expectRefused(code, message);
}

beforeEach(async () => {
  dir = join(freshFolder(), "export");
  mirror = join(freshFolder(), "mirror");
  spread(await exported(300), mirror);
});

describe("a mirror of 300 entries does not take", () => {
  it("an older export of its log", async () => {
    await refused(await exported(299), "EXO_STORE_ROLLED_BACK", "The log has 299 entries");
    await refused(await exported(0), "EXO_STORE_ROLLED_BACK");
  });

  it("a fork of its size, of a larger one, or one that forked long ago", async () => {
    await refused(await exported(300, { name: "fork" }), "EXO_LOG_FORK", "first 300 entries");
    await refused(await exported(600, { name: "fork" }), "EXO_LOG_FORK", "first 300 entries");
  });

  it("another log, though its key is trusted as well", async () => {
    const origin = "example.org/other";
    await refused(await exported(600, { origin }), "EXO_TRUST", origin);
    const both = [...keys, noteKey(origin, signer.publicKey)];
    const fault = await faultOf(() => importLog(dir, mirror, { keys: both, ports }));
    expect(fault).toMatchObject({ code: "EXO_LOG_FORK" });
  });

  it("a checkpoint that another key signed, none at all, or one that names another size or root", async () => {
    await refused(await exported(600, { by: otherSigner }), "EXO_SIGNATURE");
    const whole = await exported(600);
    const note = new TextDecoder().decode(whole.get("checkpoint"));
    await refused(new Map([...whole, ["checkpoint", text(note.replace("\n600\n", "\n599\n"))]]), "EXO_SIGNATURE");
    await refused(new Map([...whole, ["checkpoint", text("600\n")]]), "EXO_NOTE");
    whole.delete("checkpoint");
    await refused(whole, "EXO_NOTE", "no checkpoint");
  });

  it("rewritten entries under the log's own checkpoint", async () => {
    const [whole, other] = [await exported(600), await exported(600, { name: "rewritten" })];
    const rewritten = new Map(whole);
    for (const [path, bytes] of other) if (path !== "checkpoint") rewritten.set(path, bytes);
    await refused(rewritten, "EXO_LOG_PROOF", "root the checkpoint names");
    for (const path of ["tile/entries/000", "tile/entries/002.p/88"])
      await refused(new Map([...whole, [path, other.get(path) ?? text("")]]), "EXO_LOG_PROOF");
  });

  it("a tile of any level that is altered, cut, too long or missing", async () => {
    const whole = await exported(600);
    for (const path of ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001"]) {
      const bytes = whole.get(path) ?? expect.fail(path);
      const changes: Uint8Array[] = [bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))];
      if (path === "tile/0/002.p/88") changes.push(bytes.slice(1), Uint8Array.of(...bytes, 0), text(""));
      for (const wrong of changes) await refused(new Map([...whole, [path, wrong]]), "EXO_LOG_PROOF");
      await refused(new Map([...whole].filter(([name]) => name !== path)), "EXO_LOG_PROOF", `${path} is missing`);
    }
  });

  it("entries that are no leaves, though the log signed them", async () => {
    const view = await logOf(300);
    const odd = { ...view, leaf: (index: number) => (index === 7 ? text("{}") : view.leaf(index)) };
    await refused(filesOf(odd), "EXO_SCHEMA", "Entry 7");
  });
});

describe("a mirror that was tampered with", () => {
  it("whose checkpoint is another's, or none, takes nothing", async () => {
    spread(await exported(600), dir);
    for (const [note, code] of [
      [(await logOf(300, { by: otherSigner })).checkpoint, "EXO_SIGNATURE"],
      [(await logOf(300, { origin: "example.org/other" })).checkpoint, "EXO_TRUST"],
      ["x", "EXO_NOTE"],
    ] as const) {
      writeFileSync(join(mirror, "checkpoint"), note);
      const before = contents(mirror);
      expect(await faultOf(() => take())).toMatchObject({ code, place: { file: join(mirror, "checkpoint") } });
      expect(contents(mirror)).toEqual(before);
    }
  });

  it("or holds the tiles of another tree that the log signed, takes nothing", async () => {
    spread(await exported(600), dir);
    const fork = await exported(600, { name: "fork" });
    for (const path of ["tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/88"]) {
      spread(new Map([[path, fork.get(path) ?? text("")]]), mirror);
      const before = contents(mirror);
      const fault = await faultOf(() => take());
      expect(fault.code).toBe("EXO_LOG_FORK");
      expect(fault.message).toContain(`${path} has other bytes`);
      expect(contents(mirror)).toEqual(before);
      rmSync(join(mirror, path));
    }
    expect(await take()).toMatchObject({ from: 300, size: 600 });
  });

  it("has links where folders or files belong, which lead out of it", async () => {
    spread(await exported(600), dir);
    const outside = freshFolder();
    renameSync(join(mirror, "tile/1"), join(outside, "1"));
    symlinkSync(join(outside, "1"), join(mirror, "tile/1"));
    expect(await faultOf(() => take())).toMatchObject({ code: "EXO_FILE" });
    expect([...contents(join(outside, "1")).keys()]).toEqual(["000.p/1"]);
  });
});

describe("while an export is imported", () => {
  it("its files change after they were read: nothing of that is written", async () => {
    spread(await exported(600), dir);
    const later = await exported(600, { name: "later" });
    // The audit has read everything when the caller is asked.
    const admit = (): void => spread(new Map([...later].filter(([path]) => path !== "checkpoint")), dir);
    const fault = await faultOf(() => importLog(dir, mirror, { keys, admit, ports }));
    expect(fault).toMatchObject({ code: "EXO_FILE" });
    expect(fault.message).toContain("changed while it was imported");
    expect(contents(mirror)).toEqual(new Map([...(await exported(300))].sort(([a], [b]) => (a < b ? -1 : 1))));
  });

  it("its checkpoint changes after it was read: the audited one is written", async () => {
    spread(await exported(600), dir);
    const { checkpoint } = await logOf(700, { by: otherSigner });
    const admit = (): void => writeFileSync(join(dir, "checkpoint"), checkpoint);
    await importLog(dir, mirror, { keys, admit, ports });
    expect(await auditTiles(exportReader(mirror), { keys })).toMatchObject({ ok: true, entries: 600 });
  });

  it("another import is at work, or was meanwhile", async () => {
    spread(await exported(600), dir);
    const lock = await acquireOwner({ home: mirror, ownerLock: join(mirror, ".import.lock") }, ports);
    expect(await faultOf(() => take())).toMatchObject({ code: "EXO_MIRROR_BUSY" });
    await lock.release();
    const { checkpoint } = await logOf(301);
    const admit = (): void => writeFileSync(join(mirror, "checkpoint"), checkpoint);
    const overtaken = await faultOf(() => importLog(dir, mirror, { keys, admit, ports }));
    expect(overtaken).toMatchObject({ code: "EXO_MIRROR_BUSY" });
    expect(contents(mirror).get("checkpoint")).toEqual(text(checkpoint));
    expect([...contents(mirror).keys()].filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("proofs from an export that was tampered with", () => {
  let whole: Map<string, Uint8Array>;

  beforeAll(async () => {
    whole = await exported(600);
  });

  const flipped = (path: string, at: number): Uint8Array => {
    const bytes = Uint8Array.from(whole.get(path) ?? expect.fail(path));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };

  it.each<[string, string, number]>([
    ["a neighbour's hash", "tile/0/000", 7 * 32],
    ["a hash of its right edge", "tile/0/002.p/88", 0],
    ["a hash of a level above", "tile/1/000.p/2", 32],
    ["the entry itself", "tile/entries/000", 6.5],
    ["a hash that only the old tree needs", "tile/0/000", 30 * 32],
  ])("are not given out over %s", async (_name, path, at) => {
    // Entries are all of one length: the seventh is hit in its middle.
    const place = Number.isInteger(at) ? at : Math.floor((at * (whole.get(path)?.length ?? 0)) / 256);
    const read = readerOf(new Map([...whole, [path, flipped(path, place)]]));
    const tiles = await openTiles(read, keys);
    const broken = { code: "EXO_LOG_PROOF" };
    const asked = [() => tiles.prove(6), () => tiles.consistency(31, 600), () => tiles.consistency(31, 257)];
    const ends = await Promise.allSettled(asked.map((ask) => ask()));
    const faults = ends.filter(({ status }) => status === "rejected");
    expect(faults.length).toBeGreaterThan(0);
    for (const { reason } of faults as PromiseRejectedResult[]) expect(reason).toMatchObject(broken);
    // What is still given out is what the whole export gives.
    const sound = await openTiles(readerOf(whole), keys);
    const wanted = [await sound.prove(6), await sound.consistency(31, 600), await sound.consistency(31, 257)];
    for (const [at, end] of ends.entries()) if (end.status === "fulfilled") expect(end.value).toEqual(wanted[at]);
  });

  it("are not given out over a tile or bundle that is missing, cut or too long", async () => {
    for (const path of ["tile/0/000", "tile/entries/000"]) {
      const bytes = whole.get(path) ?? expect.fail(path);
      for (const wrong of [undefined, bytes.slice(0, -1), Uint8Array.of(...bytes, 0)]) {
        const files = new Map(whole);
        if (wrong === undefined) files.delete(path);
        else files.set(path, wrong);
        const tiles = await openTiles(readerOf(files), keys);
        await expect(tiles.prove(6)).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
      }
    }
  });

  it("are not given out for sizes and entries that the checkpoint does not have", async () => {
    const tiles = await openTiles(readerOf(whole), keys);
    const range = { code: "EXO_LOG_RANGE" };
    for (const index of [-1, 600, 0.5, 2 ** 53]) await expect(tiles.prove(index)).rejects.toMatchObject(range);
    for (const [old, next] of [
      [0, 1],
      [2, 1],
      [1, 601],
      [-1, 5],
      [0.5, 5],
    ] as const)
      await expect(tiles.consistency(old, next)).rejects.toMatchObject(range);
  });

  it("are not made under a checkpoint that no named key signed", async () => {
    const by = new Map([...whole, ["checkpoint", text((await logOf(600, { by: otherSigner })).checkpoint)]]);
    await expect(openTiles(readerOf(by), keys)).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    await expect(openTiles(readerOf(whole), [])).rejects.toMatchObject({ code: "EXO_TRUST" });
    await expect(openTiles(readerOf(new Map()), keys)).rejects.toMatchObject({ code: "EXO_NOTE" });
    await expect(openTiles(readerOf(new Map([["checkpoint", text("x")]])))).rejects.toMatchObject({ code: "EXO_NOTE" });
  });
});
