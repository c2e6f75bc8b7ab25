import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { parseVkey } from "../../src/crypto/note-key.js";
import { readCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { auditTiles } from "../../src/log/tiles-audit.js";
import { ORIGIN, otherSigner, VKEY } from "./fixtures.js";
import { filesOf, logOf, readerOf } from "./tree-of.js";

const keys = [parseVkey(VKEY)];
const SIZE = 600;
const view = await logOf(SIZE);
const whole = filesOf(view);

describe("an export", () => {
  it("of every size near a tile's edge is found whole", async () => {
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 513]) {
      const made = await logOf(size);
      const found = await auditTiles(readerOf(filesOf(made)), { keys });
      expect(found).toMatchObject({ ok: true, signed: true, entries: size, problems: [] });
      expect(found.checkpoint).toEqual({ origin: ORIGIN, size, root: made.root });
    }
    expect(await auditTiles(readerOf(whole), { keys: [VKEY] })).toMatchObject({
      ok: true,
      entries: SIZE,
      tiles: 4,
      note: view.checkpoint,
    });
  });

  it("is audited without a key, and says that nobody's signature was looked at", async () => {
    const unsigned = encodeUtf8(await signCheckpoint({ origin: ORIGIN, size: SIZE, root: view.root }, otherSigner));
    expect(await auditTiles(readerOf(new Map([...whole, ["checkpoint", unsigned]])))).toMatchObject({
      ok: true,
      signed: false,
    });
  });

  it("begins with every earlier checkpoint of its log", async () => {
    for (const size of [0, 1, 255, 256, 300, 512, SIZE]) {
      const since = readCheckpoint((await logOf(size)).checkpoint);
      expect((await auditTiles(readerOf(whole), { keys, since })).problems).toEqual([]);
    }
  });

  it("is not audited under a verifier key that is none", async () => {
    const audit = auditTiles(readerOf(whole), { keys: ["x"] });
    await expect(audit).rejects.toMatchObject({ code: "EXO_KEY" });
  });
});
