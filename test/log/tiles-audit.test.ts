import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { parseVkey } from "../../src/crypto/note-key.js";
import { readCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { formatEntries } from "../../src/log/tiles.js";
import { auditTiles, type TilesAudit, type TilesAuditOptions } from "../../src/log/tiles-audit.js";
import { ORIGIN, OTHER_VKEY, otherSigner, text, VKEY } from "./fixtures.js";
import { filesOf, logOf, readerOf } from "./tree-of.js";

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

describe("an export", () => {
  it("of every size near a tile's edge is found whole", async () => {
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 513]) {
      const made = await logOf(size);
      const found = await auditTiles(readerOf(filesOf(made)), { keys });
      expect(found).toMatchObject({ ok: true, signed: true, entries: size, problems: [] });
      expect(found.checkpoint).toEqual({ origin: ORIGIN, size, root: made.root });
    }
    expect(await audit({})).toMatchObject({ ok: true, entries: SIZE, tiles: 4, note: view.checkpoint });
  });

  it("is audited without a key, and says that nobody's signature was looked at", async () => {
    const unsigned = encodeUtf8(await signCheckpoint({ origin: ORIGIN, size: SIZE, root: view.root }, otherSigner));
    expect(await audit({ checkpoint: unsigned }, {})).toMatchObject({ ok: true, signed: false });
  });

  it("begins with every earlier checkpoint of its log", async () => {
    for (const size of [0, 1, 255, 256, 300, 512, SIZE]) {
      const since = readCheckpoint((await logOf(size)).checkpoint);
      expect(codesOf(await audit({}, { keys, since }))).toEqual([]);
    }
  });
});

