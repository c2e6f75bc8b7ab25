import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatNote, noteSignature, parseNote } from "../../src/crypto/note.js";
import { formatVkey, noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { openCheckpoint, readCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { emptyRoot } from "../../src/log/tree.js";
import { type WitnessRequest, type WitnessSigner, witnessCheckpoint } from "../../src/log/witness.js";
import { ORIGIN, OTHER_VKEY, otherSigner, signer, VKEY } from "./fixtures.js";
import { logOf } from "./tree-of.js";

const logKeys = [parseVkey(VKEY)];
const witness: WitnessSigner = {
  name: "witness.example/w1",
  signer: signerFromSeed(new Uint8Array(32).fill(9)),
  seconds: 1_700_000_000,
};
const WITNESS_VKEY = formatVkey(noteKey(witness.name, witness.signer.publicKey, 4));
const log = await logOf(40);
const fork = await logOf(40, { name: "fork" });
const noteOf = async (size: number, from = ""): Promise<string> => (await logOf(size, { name: from })).checkpoint;

/** Cosigns the checkpoint of `size` leaves after that of `last`. */
async function cosign(request: Partial<WitnessRequest>, by = witness): Promise<string> {
  return await witnessCheckpoint({ note: log.checkpoint, logKeys, last: undefined, proof: [], ...request }, by);
}

const cosigned = async (size: number, from = ""): Promise<string> => await cosign({ note: await noteOf(size, from) });

describe("a witness", () => {
  it("cosigns the first checkpoint of a log, under its time", async () => {
    const note = await cosign({});
    expect(note.startsWith(log.checkpoint)).toBe(true);
    expect(note.slice(log.checkpoint.length)).toMatch(/^— witness\.example\/w1 [A-Za-z0-9+/]{101,104}=*\n$/);
    const { signatures } = openCheckpoint(note, [VKEY, WITNESS_VKEY]);
    expect(signatures.map(({ name, time }) => [name, time])).toEqual([
      [ORIGIN, undefined],
      [witness.name, 1_700_000_000],
    ]);
  });

  it("cosigns every growth that is proven, and the same tree again", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), async (one, other) => {
        const [from, size] = [Math.min(one, other), Math.max(one, other)];
        const last = await cosigned(from);
        const note = await cosign({ note: await noteOf(size), last, proof: log.consistency(from, size) });
        expect(openCheckpoint(note, [WITNESS_VKEY]).size).toBe(size);
        const refused = cosign({ note: await noteOf(size, "fork"), last, proof: fork.consistency(from, size) });
        await expect(refused).rejects.toMatchObject({ code: "EXO_LOG_FORK" });
        if (from === size) return;
        const back = cosign({ note: await noteOf(from), last: await cosigned(size), proof: [] });
        await expect(back).rejects.toMatchObject({
          code: "EXO_LOG_FORK",
          message: `The checkpoint is of ${from} leaves, the last one was of ${size}.`,
        });
      }),
      { numRuns: 25 },
    );
  });

  it("keeps lines of others as they are, and replaces its own", async () => {
    const text = log.checkpoint.slice(0, log.checkpoint.indexOf("\n\n") + 1);
    const unknown = await noteSignature(text, "unknown.example", otherSigner);
    const other = { ...witness, name: "witness.example/w2", signer: otherSigner, seconds: 5 };
    const lined = formatNote(text, [...parseNote(log.checkpoint).signatures, unknown]);
    const once = await cosign({ note: await cosign({ note: lined }, other) });
    const twice = await cosign({ note: once, last: once }, { ...witness, seconds: 1_700_000_060 });
    expect(twice.split("\n").length).toBe(once.split("\n").length);
    expect(twice.slice(0, twice.indexOf(witness.name))).toBe(once.slice(0, once.indexOf(witness.name)));
    expect(openCheckpoint(twice, [WITNESS_VKEY]).signatures[0]?.time).toBe(1_700_000_060);
    expect(parseNote(twice).signatures.map(({ name }) => name)).toEqual([
      ORIGIN,
      "unknown.example",
      "witness.example/w2",
      witness.name,
    ]);
  });

  it("goes from the empty tree to any without a proof", async () => {
    const last = await cosigned(0);
    expect(openCheckpoint(await cosign({ last }), [WITNESS_VKEY]).size).toBe(40);
    await expect(cosign({ last, proof: log.consistency(1, 40) })).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
    const wrong = await signCheckpoint({ origin: ORIGIN, size: 0, root: log.root }, signer);
    await expect(cosign({ note: wrong })).rejects.toMatchObject({ code: "EXO_LOG_FORK" });
    const right = await signCheckpoint({ origin: ORIGIN, size: 0, root: emptyRoot() }, signer);
    expect(await cosign({ note: right, last })).toContain(witness.name);
  });
});

describe("a witness does not cosign", () => {
  it("growth without its proof, with another one, or with a bit of it changed", async () => {
    const last = await cosigned(7);
    const proof = log.consistency(7, 40);
    await expect(cosign({ last })).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
    const bent = proof.map((hash, at) => (at === 1 ? hash.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) : hash));
    for (const wrong of [proof.slice(1), [...proof, log.root], log.consistency(8, 40), log.consistency(7, 39), bent])
      await expect(cosign({ last, proof: wrong })).rejects.toMatchObject({ code: "EXO_LOG_FORK" });
    const again = cosign({ note: await noteOf(7), last, proof });
    await expect(again).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
    await expect(cosign({ proof })).rejects.toMatchObject({ code: "EXO_LOG_PROOF" });
  });

  it("what the log did not sign", async () => {
    const forged = (await logOf(40, { by: otherSigner })).checkpoint;
    await expect(cosign({ note: forged })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    const changed = log.checkpoint.replace("\n40\n", "\n41\n");
    await expect(cosign({ note: changed })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    await expect(cosign({ note: log.checkpoint.slice(1) })).rejects.toMatchObject({ code: "EXO_TRUST" });
    await expect(cosign({ note: "" })).rejects.toMatchObject({ code: "EXO_NOTE" });
    await expect(cosign({ logKeys: [parseVkey(OTHER_VKEY)] })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    await expect(cosign({ logKeys: [] })).rejects.toMatchObject({ code: "EXO_TRUST" });
  });

  it("a checkpoint whose only signature is a cosignature by the log's key", async () => {
    const own = noteKey(ORIGIN, signer.publicKey, 4);
    const note = await cosign({}, { ...witness, name: ORIGIN, signer });
    const bare = note.replace(/^— .*\n/m, "");
    await expect(cosign({ note: bare, logKeys: [own] })).rejects.toMatchObject({ code: "EXO_TRUST" });
    await expect(cosign({ note: bare })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
  });

  it("after a state that it did not write, or of another log", async () => {
    const last = await cosigned(7);
    const proof = log.consistency(7, 40);
    await expect(cosign({ last: await noteOf(7), proof })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    const shrunk = last.replace("\n7\n", "\n6\n");
    await expect(cosign({ last: shrunk, proof })).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    await expect(cosign({ last: "", proof })).rejects.toMatchObject({ code: "EXO_NOTE" });
    const origin = "example.org/cell-2";
    const other = await logOf(7, { origin });
    const keys = [...logKeys, noteKey(origin, signer.publicKey)];
    const foreign = await cosign({ note: other.checkpoint, logKeys: keys });
    await expect(cosign({ last: foreign, proof, logKeys: keys })).rejects.toMatchObject({ code: "EXO_LOG_FORK" });
    const renamed = cosign({ last, proof }, { ...witness, name: "witness.example/w2" });
    await expect(renamed).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
  });

  it.each(["", "a b", "a+b", "a\nb"])("under the name %j", async (name) => {
    await expect(cosign({}, { ...witness, name })).rejects.toMatchObject({ code: "EXO_KEY" });
  });

  it.each([-1, 0.5, 2 ** 53])("at the time %d", async (seconds) => {
    await expect(cosign({}, { ...witness, seconds })).rejects.toMatchObject({ code: "EXO_NOTE" });
  });
});

describe("published texts of other implementations", () => {
  it("a witness's verifier key (transparency-dev/formats, BSD-3-Clause) has the hash that we compute", () => {
    const vkey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    const { name, keyHash, algorithm, publicKey } = parseVkey(vkey);
    expect([name, keyHash, algorithm]).toEqual(["remora.n621.de", "da77ade7", 4]);
    expect(formatVkey(noteKey(name, publicKey, 4))).toBe(vkey);
  });

  it("the cosigned checkpoint of C2SP tlog-cosignature is read, its cosigner unknown", () => {
    const note = [
      "example.com/behind-the-sofa",
      "20852163",
      "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
      "",
      "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
      "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==",
      "",
    ].join("\n");
    const { origin, size, note: parsed } = readCheckpoint(note);
    expect([origin, size]).toEqual(["example.com/behind-the-sofa", 20852163]);
    const [, line] = parsed.signatures;
    expect([line?.name, line?.keyHash, line?.signature.length]).toEqual(["witness.example.com/w1", "8d66cf3f", 72]);
    expect(new DataView(line?.signature.slice(0, 8).buffer ?? new ArrayBuffer(8)).getBigUint64(0)).toBe(1679315147n);
    expect(() => openCheckpoint(note, [WITNESS_VKEY])).toThrow(expect.objectContaining({ code: "EXO_SIGNATURE" }));
  });
});
