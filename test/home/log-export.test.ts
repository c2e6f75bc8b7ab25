import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { parseVkey } from "../../src/crypto/note-key.js";
import { exportLog } from "../../src/home/log-export.js";
import { exportReader } from "../../src/home/tile-folder.js";
import type { LogView } from "../../src/log/audit.js";
import { auditTiles } from "../../src/log/tiles-audit.js";
import { witnessCheckpoint } from "../../src/log/witness.js";
import { ORIGIN, otherSigner, VKEY } from "../log/fixtures.js";
import { filesOf, logOf } from "../log/tree-of.js";
import { contents, faultOf, freshFolder } from "./support.js";

const keys = [parseVkey(VKEY)];
let dir: string;

beforeEach(() => {
  dir = join(freshFolder(), "public");
});

const write = (view: LogView, into = dir): ReturnType<typeof exportLog> =>
  exportLog(into, { view, origin: ORIGIN, vkey: VKEY });

const sorted = (files: Map<string, Uint8Array>): Map<string, Uint8Array> =>
  new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));

describe("an export", () => {
  it("is the log's tiles, bundles and checkpoint, and nothing else", async () => {
    const view = await logOf(300);
    expect(await write(view)).toEqual({ from: 0, size: 300, written: 6 });
    expect(contents(dir)).toEqual(sorted(filesOf(view)));
    expect(await auditTiles(exportReader(dir), { keys })).toMatchObject({ ok: true, entries: 300 });
  });

  it("grows, and leaves what is there alone", async () => {
    const sizes = [100, 256, 257, 600];
    const all = new Map<string, Uint8Array>();
    for (const size of sizes) {
      const view = await logOf(size);
      await write(view);
      for (const [path, bytes] of filesOf(view)) all.set(path, bytes);
      expect(contents(dir)).toEqual(sorted(all));
      expect(await auditTiles(exportReader(dir), { keys })).toMatchObject({ ok: true, entries: size });
    }
    expect(await write(await logOf(600))).toEqual({ from: 600, size: 600, written: 0 });
  });

  it("of a log without entries is its checkpoint", async () => {
    expect(await write(await logOf(0))).toEqual({ from: 0, size: 0, written: 1 });
    expect(contents(dir).size).toBe(1);
    expect(await write(await logOf(3))).toMatchObject({ from: 0, written: 3 });
    expect(await auditTiles(exportReader(dir), { keys })).toMatchObject({ ok: true, entries: 3 });
  });

  it("that was interrupted anywhere is completed", async () => {
    const view = await logOf(300);
    const whole = filesOf(view);
    const paths = [...whole.keys()].filter((path) => path !== "checkpoint");
    for (const done of [0, 1, 4, paths.length]) {
      const part = join(dir, "..", `part-${done}`);
      for (const path of paths.slice(0, done)) {
        mkdirSync(join(part, path, ".."), { recursive: true });
        writeFileSync(join(part, path), whole.get(path) ?? "");
      }
      expect((await write(view, part)).written).toBe(paths.length - done + 1);
      expect(contents(part)).toEqual(sorted(whole));
    }
  });

  it("keeps the cosignatures its checkpoint has", async () => {
    const view = await logOf(10);
    await write(view);
    const note = view.checkpoint;
    const by = { name: "w.example", signer: otherSigner, seconds: 1 };
    const cosigned = await witnessCheckpoint({ note, logKeys: keys, last: undefined, proof: [] }, by);
    writeFileSync(join(dir, "checkpoint"), cosigned);
    expect((await write(view)).written).toBe(0);
    expect(readFileSync(join(dir, "checkpoint"), "utf8")).toBe(cosigned);
  });
});

describe("an export is refused", () => {
  const refused = async (view: LogView, code: string): Promise<void> => {
    const before = contents(dir);
    expect(await faultOf(() => write(view))).toMatchObject({ code });
    expect(contents(dir)).toEqual(before);
  };

  it("over one of another log, a larger one, or one that is not its beginning", async () => {
    await write(await logOf(300));
    await refused(await logOf(299), "EXO_LOG_FORK");
    await refused(await logOf(300, { name: "fork" }), "EXO_LOG_FORK");
    await refused(await logOf(400, { name: "fork" }), "EXO_LOG_FORK");
    const foreign = await logOf(10, { origin: "example.org/other" });
    writeFileSync(join(dir, "checkpoint"), foreign.checkpoint);
    await refused(await logOf(300), "EXO_LOG_FORK");
  });

  it("over a checkpoint that the log did not sign, or that is none", async () => {
    await write(await logOf(10));
    writeFileSync(join(dir, "checkpoint"), (await logOf(10, { by: otherSigner })).checkpoint);
    await refused(await logOf(20), "EXO_SIGNATURE");
    writeFileSync(join(dir, "checkpoint"), "");
    await refused(await logOf(20), "EXO_NOTE");
  });

  it("over a tile with other bytes, whether full or partial, cut or too long", async () => {
    const view = await logOf(300);
    const whole = filesOf(view);
    for (const path of ["tile/0/000", "tile/0/001.p/44", "tile/entries/000"]) {
      const bytes = whole.get(path) ?? new Uint8Array();
      for (const other of [bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte)), bytes.slice(1), new Uint8Array()]) {
        rmSync(dir, { recursive: true, force: true });
        mkdirSync(join(dir, path, ".."), { recursive: true });
        writeFileSync(join(dir, path), other);
        expect(await faultOf(() => write(view))).toMatchObject({ code: "EXO_LOG_FORK" });
        expect(Uint8Array.from(readFileSync(join(dir, path)))).toEqual(other);
        expect(contents(dir).has("checkpoint")).toBe(false);
      }
    }
    writeFileSync(join(dir, "tile/entries/000"), new Uint8Array(256 * 65_537 + 1));
    expect(await faultOf(() => write(view))).toMatchObject({ code: "EXO_FILE" });
  });

  it("through a link, which would lead out of its folder", async () => {
    const outside = freshFolder();
    mkdirSync(dir);
    for (const [path, link] of [
      ["tile", outside],
      ["checkpoint", join(outside, "file")],
    ] as const) {
      writeFileSync(join(outside, "file"), (await logOf(1)).checkpoint);
      symlinkSync(link, join(dir, path));
      expect(await faultOf(async () => write(await logOf(300)))).toMatchObject({ code: "EXO_FILE" });
      expect(readdirSync(outside)).toEqual(["file"]);
      rmSync(join(dir, path));
    }
    await write(await logOf(300));
    rmSync(join(dir, "tile/0/000"));
    symlinkSync(join(outside, "file"), join(dir, "tile/0/000"));
    expect(await auditTiles(exportReader(dir), { keys })).toMatchObject({ ok: false });
  });

  it("into a file, and where there is no folder above", async () => {
    writeFileSync(dir, "");
    expect(await faultOf(async () => write(await logOf(1)))).toMatchObject({ code: "EXO_FILE" });
    expect(await faultOf(async () => write(await logOf(1), join(dir, "..", "none", "public")))).toMatchObject({
      code: "EXO_FILE",
    });
  });

  it("reading one that is no folder finds no checkpoint", async () => {
    expect(await auditTiles(exportReader(join(dir, "none")), { keys })).toMatchObject({
      problems: [{ code: "EXO_NOTE" }],
    });
    mkdirSync(join(dir, "checkpoint"), { recursive: true });
    expect(await auditTiles(exportReader(dir), { keys })).toMatchObject({ problems: [{ code: "EXO_NOTE" }] });
  });
});
