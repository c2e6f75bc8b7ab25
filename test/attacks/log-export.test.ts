import { describe, expect, it } from "vitest";
import { parseVkey } from "../../src/crypto/note-key.js";
import { readCheckpoint } from "../../src/log/checkpoint.js";
import { formatEntries } from "../../src/log/tiles.js";
import { auditTiles, type TilesAudit, type TilesAuditOptions } from "../../src/log/tiles-audit.js";
import { ORIGIN, OTHER_VKEY, otherSigner, text, VKEY } from "../log/fixtures.js";
import { filesOf, logOf, readerOf } from "../log/tree-of.js";

const keys = [parseVkey(VKEY)];
const SIZE = 600;
const view = await logOf(SIZE);
const whole = filesOf(view);

/** Audits the files with some of them changed; undefined takes a file away. */
async function audit(
  changes: Readonly<Record<string, Uint8Array | undefined>>,
  options: TilesAuditOptions = { keys },
): Promise<TilesAudit> {
  const files = new Map(whole);
  for (const [path, bytes] of Object.entries(changes)) {
    if (bytes === undefined) expect(files.delete(path)).toBe(true);
    else files.set(path, bytes);
  }
  return await auditTiles(readerOf(files), options);
}

const bytesOf = (path: string): Uint8Array => whole.get(path) ?? expect.fail(`no file ${path}`);

function flipped(path: string, at: number): Uint8Array {
  const bytes = Uint8Array.from(bytesOf(path));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

function codesOf({ ok, problems }: TilesAudit): string[] {
  expect(ok).toBe(problems.length === 0);
  return [...new Set(problems.map(({ code }) => code))];
}

describe("an export that was tampered with", () => {
  it("one bit of any file is found", async () => {
    for (const [path, bytes] of whole) {
      if (path === "checkpoint") continue;
      for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1])
        expect(codesOf(await audit({ [path]: flipped(path, at) })), `${path} ${at}`).toContain("EXO_LOG_PROOF");
    }
  });

  it("a file that is missing is named", async () => {
    for (const path of whole.keys()) {
      if (path === "checkpoint") continue;
      const { problems } = await audit({ [path]: undefined });
      expect(problems.map(({ message }) => message).join(" ")).toContain(`${path} is missing`);
    }
    expect(await audit({ checkpoint: undefined })).toMatchObject({ ok: false, problems: [{ code: "EXO_NOTE" }] });
  });

  it("a partial tile of another width does not stand in", async () => {
    const [partial, hashes] = ["tile/0/002.p/88", bytesOf("tile/0/002.p/88")];
    for (const width of [87, 89]) {
      const other = { [`tile/0/002.p/${width}`]: hashes };
      expect(codesOf(await audit({ [partial]: undefined, ...other }))).toEqual(["EXO_LOG_PROOF"]);
    }
    expect(codesOf(await audit({ [partial]: hashes.slice(32) }))).toEqual(["EXO_LOG_PROOF"]);
    expect(codesOf(await audit({ [partial]: Uint8Array.of(...hashes, ...hashes.slice(0, 32)) }))).toEqual([
      "EXO_LOG_PROOF",
    ]);
    expect(codesOf(await audit({ [partial]: new Uint8Array() }))).toEqual(["EXO_LOG_PROOF"]);
  });

  it("a bundle that is cut, or longer, is none", async () => {
    const path = "tile/entries/001";
    const bytes = bytesOf(path);
    for (const wrong of [bytes.slice(0, -1), bytes.slice(0, 1), new Uint8Array(), Uint8Array.of(...bytes, 0, 0)]) {
      const found = await audit({ [path]: wrong });
      expect(found.problems).toContainEqual({
        code: "EXO_LOG_PROOF",
        message: `The file ${path} is not a bundle of 256 entries.`,
      });
    }
  });

  it("entries that are no leaves are refused, although tiles and root fit them", async () => {
    const files = filesOf({ ...(await logOf(2)), leaf: () => text("{}") });
    expect(codesOf(await auditTiles(readerOf(files), { keys }))).toEqual(["EXO_SCHEMA", "EXO_LOG_PROOF"]);
    expect(files.get("tile/entries/000.p/2")).toEqual(formatEntries([text("{}"), text("{}")]));
  });

  it("another log's whole export under this log's checkpoint", async () => {
    const other = filesOf(await logOf(SIZE, { name: "other" }));
    const found = await auditTiles(readerOf(other.set("checkpoint", bytesOf("checkpoint"))), { keys });
    expect(found.problems).toEqual([
      { code: "EXO_LOG_PROOF", message: "The entries do not have the root the checkpoint names." },
    ]);
  });

  it("a checkpoint of another log, key or content counts for nothing", async () => {
    const foreign = await logOf(SIZE, { origin: "example.org/other" });
    expect(codesOf(await audit({ checkpoint: text(foreign.checkpoint) }))).toEqual(["EXO_TRUST"]);
    const forged = await logOf(SIZE, { by: otherSigner });
    expect(codesOf(await audit({ checkpoint: text(forged.checkpoint) }))).toEqual(["EXO_SIGNATURE"]);
    expect(codesOf(await audit({}, { keys: [parseVkey(OTHER_VKEY)] }))).toEqual(["EXO_SIGNATURE"]);
    expect(codesOf(await audit({}, { keys: [] }))).toEqual(["EXO_TRUST"]);
    const resized = view.checkpoint.replace(`\n${SIZE}\n`, `\n${SIZE - 1}\n`);
    expect(codesOf(await audit({ checkpoint: text(resized) }))).toContain("EXO_SIGNATURE");
    expect(codesOf(await audit({ checkpoint: text(view.checkpoint.slice(0, -1)) }))).toEqual(["EXO_NOTE"]);
    expect(codesOf(await audit({ checkpoint: new Uint8Array(1_048_577) }))).toEqual(["EXO_NOTE"]);
  });

  it("a rollback, a fork of the same size and one of an earlier size contradict what was published", async () => {
    const since = async (size: number, name: string, origin = ORIGIN): Promise<string[]> =>
      codesOf(await audit({}, { keys, since: readCheckpoint((await logOf(size, { name, origin })).checkpoint) }));
    expect(await since(SIZE + 1, "")).toEqual(["EXO_STORE_ROLLED_BACK"]);
    expect(await since(SIZE, "fork")).toEqual(["EXO_LOG_FORK"]);
    expect(await since(300, "fork")).toEqual(["EXO_LOG_FORK"]);
    expect(await since(256, "fork")).toEqual(["EXO_LOG_FORK"]);
    expect(await since(300, "", "example.org/other")).toEqual(["EXO_LOG_FORK"]);
    const empty = { origin: ORIGIN, size: 0, root: new Uint8Array(32) };
    expect(codesOf(await audit({}, { keys, since: empty }))).toEqual(["EXO_LOG_FORK"]);
  });

  it("tells at most 100 problems, and passes on what its reader throws", async () => {
    const files = filesOf({ ...(await logOf(200)), leaf: () => text("{}") });
    expect((await auditTiles(readerOf(files), { keys })).problems.length).toBe(100);
    const broken = auditTiles(() => Promise.reject(new Error("gone")), { keys });
    await expect(broken).rejects.toThrow("gone");
  });
});
