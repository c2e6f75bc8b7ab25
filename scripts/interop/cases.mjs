/** What the checkers are asked: the evidence as it is, which they must accept, and altered, which they must refuse. */
import { cosignature, formatNote, parseNote } from "../../dist/crypto/note.js";
import { formatVkey, noteKey } from "../../dist/crypto/note-key.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { parseCheckpoint, signCheckpoint } from "../../dist/log/checkpoint.js";
import { formatProofFile, parseProofFile } from "../../dist/log/proof-file.js";

const witnessName = "witness.example/interop";
const witness = signerFromSeed(Buffer.alloc(32, 7));
const stranger = signerFromSeed(Buffer.alloc(32, 9));
const seconds = 1_800_000_000;

/** Cases of every check, for `judge` of table.mjs. `evidence` is that of evidence.mjs, `tiles` the cases of tiles.mjs. */
export async function casesOf(evidence, tiles) {
  const all = {
    checkpoint: checkpointCases(evidence),
    cosignature: await cosignatureCases(evidence),
    inclusion: inclusionCases(evidence),
    consistency: await consistencyCases(evidence),
    dsse: dsseCases(evidence),
    page: pageCases(evidence),
    tiles,
  };
  const named = (check, list) => list.map(([what, input]) => ({ what, input: { check, ...input } }));
  return Object.fromEntries(
    Object.entries(all).map(([check, { accept, refuse }]) => [
      check,
      { accept: named(check, accept), refuse: named(check, refuse) },
    ]),
  );
}

function checkpointCases({ checkpoints, vkey }) {
  const { checkpoint, size } = checkpoints.at(-1);
  const other = formatVkey(noteKey(parseNote(checkpoint).signatures[0].name, stranger.publicKey));
  return {
    accept: checkpoints.map((one) => [`the checkpoint of size ${one.size}`, { note: one.checkpoint, vkey }]),
    refuse: [
      ...alteredSignatures(checkpoint, 0).map(([what, note]) => [what, { note, vkey }]),
      ...alteredTexts(checkpoint).map(([what, note]) => [what, { note, vkey }]),
      ["a checkpoint with another's signature", { note: resigned(checkpoint, checkpoints[0].checkpoint), vkey }],
      [`the checkpoint of size ${size} under another key`, { note: checkpoint, vkey: other }],
    ],
  };
}

async function cosignatureCases({ checkpoints, cosigned: byCommand, vkey }) {
  const { checkpoint } = checkpoints.at(-1);
  const note = parseNote(checkpoint);
  const line = await cosignature(note.text, witnessName, witness, seconds);
  const cosigned = formatNote(note.text, [...note.signatures, line]);
  const key = (signer) => formatVkey(noteKey(witnessName, signer.publicKey, 4));
  const unbound = {
    ...line,
    signature: Buffer.concat([line.signature.subarray(0, 8), await witness.sign(note.signed)]),
  };
  const time = { ...line, signature: flip(line.signature, 7) };
  const ask = (what, text, signer = witness) => [what, { note: text, vkey, witness: key(signer) }];
  return {
    accept: [
      ask("a cosigned checkpoint", cosigned),
      ...byCommand.map((one) => ["what log witness printed", { vkey, ...one }]),
    ],
    refuse: [
      ...alteredSignatures(cosigned, 1).map(([what, text]) => ask(what, text)),
      ...alteredTexts(cosigned).map(([what, text]) => ask(what, text)),
      ask("a cosignature of another time", formatNote(note.text, [...note.signatures, time])),
      ask("a signature that does not cover its time", formatNote(note.text, [...note.signatures, unbound])),
      ask("a checkpoint without a cosignature", checkpoint),
      ask("a cosignature under another key", cosigned, stranger),
    ],
  };
}

function inclusionCases({ proofs, vkey }) {
  const middle = Math.floor(proofs.length / 2);
  const { leaf, proof } = proofs[middle];
  const file = parseProofFile(proof);
  const ask = (what, change, other = leaf) => [
    what,
    { proof: formatProofFile({ ...file, ...change }), leaf: other, vkey },
  ];
  const hashes = (change) => ({ proof: change([...file.proof]) });
  const bytes = Buffer.from(leaf, "base64");
  return {
    accept: proofs.map((one) => [`the proof of entry ${one.index}`, { proof: one.proof, leaf: one.leaf, vkey }]),
    refuse: [
      ...file.proof.map((_, at) =>
        ask(
          `a proof with hash ${at} altered`,
          hashes((all) => altered(all, at)),
        ),
      ),
      ask(
        "a proof with a hash too few",
        hashes((all) => all.slice(1)),
      ),
      ask(
        "a proof with a hash too many",
        hashes((all) => [...all, all[0]]),
      ),
      ask("a proof of the next index", { index: middle + 1 }),
      ask("an altered leaf", {}, flip(bytes, bytes.length - 1).toString("base64")),
      ask("another entry's leaf", {}, proofs[middle + 1].leaf),
      ...alteredSignatures(file.checkpoint, 0).map(([what, checkpoint]) => ask(`${what} in a proof`, { checkpoint })),
    ],
  };
}

async function consistencyCases({ consistency, vkey, logSeed }) {
  const [{ older, newer, proof }] = consistency.filter(({ proof: text }) => text !== "").slice(-1);
  const lines = proof.trimEnd().split("\n");
  const hashes = lines.map((line) => Buffer.from(line, "base64"));
  const text = (all) => all.map((hash) => `${hash.toString("base64")}\n`).join("");
  const ask = (what, change) => [what, { old: older.checkpoint, new: newer.checkpoint, proof, vkey, ...change }];
  const fork = async (of) => {
    const claimed = parseCheckpoint(parseNote(of.checkpoint).text);
    return await signCheckpoint({ ...claimed, root: flip(claimed.root, 31) }, signerFromSeed(logSeed));
  };
  return {
    accept: consistency.map((one) => [
      `the proof from ${one.older.size} to ${one.newer.size}`,
      { old: one.older.checkpoint, new: one.newer.checkpoint, proof: one.proof, vkey },
    ]),
    refuse: [
      ...hashes.map((_, at) => ask(`a proof with hash ${at} altered`, { proof: text(altered(hashes, at)) })),
      ask("a proof with a hash too few", { proof: text(hashes.slice(1)) }),
      ask("a proof with a hash too many", { proof: text([...hashes, hashes[0]]) }),
      ask("a forked older tree, signed by the log", { old: await fork(older) }),
      ask("a forked newer tree, signed by the log", { new: await fork(newer) }),
      ask("a proof from the newer to the older", { old: newer.checkpoint, new: older.checkpoint }),
    ],
  };
}

function dsseCases({ envelopes }) {
  // One of each kind is altered; all are accepted.
  const kinds = new Map(envelopes.map((one) => [one.payloadType, one]));
  const changes = (one) => {
    const change = (name, at) => {
      const bytes = Buffer.from(one[name], "base64");
      return { ...one, [name]: flip(bytes, at < 0 ? bytes.length + at : at).toString("base64") };
    };
    return [
      ["first byte of the payload", change("payload", 0)],
      ["last byte of the payload", change("payload", -1)],
      ["first byte of the signature", change("signature", 0)],
      ["last byte of the signature", change("signature", -1)],
      ["payload type", { ...one, payloadType: one.payloadType.replace("json", "jsom") }],
      ["key", { ...one, publicKey: Buffer.from(stranger.publicKey).toString("base64") }],
    ].map(([what, input]) => [`${one.what} with another ${what}`, input]);
  };
  return {
    accept: envelopes.map((one) => [`the ${one.what}`, one]),
    refuse: [...kinds.values()].flatMap(changes),
  };
}

/** Alterations that every program of the page must refuse, whether it looks at the envelope or at the log. */
function pageCases({ bundles, trust }) {
  const [first] = bundles;
  const bundle = JSON.parse(first);
  const payload = flip(Buffer.from(bundle.envelope.payload, "base64"), 40).toString("base64");
  const others = JSON.parse(trust);
  for (const key of others.keys) key.publicKey = Buffer.from(stranger.publicKey).toString("base64");
  for (const log of others.logs) log.vkey = formatVkey(noteKey(log.origin, stranger.publicKey));
  return {
    accept: bundles.map((one, at) => [`bundle ${at}`, { bundle: one, trust }]),
    refuse: [
      [
        "a bundle with another statement",
        { bundle: JSON.stringify({ ...bundle, envelope: { ...bundle.envelope, payload } }), trust },
      ],
      ["a bundle under other keys", { bundle: first, trust: JSON.stringify(others) }],
    ],
  };
}

/** One bit of the first, a middle and a late byte of one signature line's signature. */
function alteredSignatures(text, line) {
  const note = parseNote(text);
  const { length } = note.signatures[line].signature;
  return [length - 64, length - 32, length - 2].map((at) => {
    const change = (one) => ({ ...one, signature: flip(one.signature, at) });
    const lines = note.signatures.map((one, index) => (index === line ? change(one) : one));
    return [`a checkpoint with byte ${at} of a signature altered`, formatNote(note.text, lines)];
  });
}

/** The same signatures over another size, another root. */
function alteredTexts(text) {
  const note = parseNote(text);
  const [origin, size, root] = note.text.split("\n");
  const changed = flip(Buffer.from(root, "base64"), 0).toString("base64");
  return [
    ["a checkpoint of another size", `${origin}\n${Number(size) + 1}\n${root}\n`],
    ["a checkpoint of another root", `${origin}\n${size}\n${changed}\n`],
  ].map(([what, other]) => [what, formatNote(other, note.signatures)]);
}

function resigned(text, from) {
  return formatNote(parseNote(text).text, parseNote(from).signatures);
}

function altered(hashes, at) {
  return hashes.map((hash, index) => (index === at ? flip(hash, 0) : hash));
}

/** A copy with the lowest bit of one byte flipped. */
function flip(bytes, at) {
  const copy = Buffer.from(bytes);
  copy[at] ^= 1;
  return copy;
}
