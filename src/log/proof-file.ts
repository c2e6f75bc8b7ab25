import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { readCheckpoint, readDecimal } from "./checkpoint.js";
import { HASH_BYTES, isCount } from "./tree.js";

/** A log proof: a leaf's place, its inclusion proof and the signed checkpoint the proof leads to. */
export type ProofFile = {
  readonly index: number;
  /** 32-byte hashes from the leaf's sibling up; at most 53. */
  readonly proof: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
  /** Unauthenticated bytes of the application, not empty. */
  readonly extra?: Uint8Array;
};

const HEADER = "c2sp.org/tlog-proof@v1";

/** Levels of a tree of 2^53-1 leaves. */
const MAX_HASHES = 53;

/**
 * The text of a log proof (C2SP tlog-proof@v1, spec/log.md). EXO_LOG_PROOF for an index outside the checkpoint, too many
 * hashes, a hash that is not 32 bytes or empty extra data; EXO_NOTE for a malformed checkpoint.
 */
export function formatProofFile(file: ProofFile): string {
  const { index, proof, checkpoint, extra } = file;
  if (proof.length > MAX_HASHES) throw malformed(`has more than ${MAX_HASHES} hashes`);
  if (proof.some((hash) => hash.length !== HASH_BYTES)) throw malformed("has a hash that is not 32 bytes");
  if (extra?.length === 0) throw malformed("has empty extra data, which is left out instead");
  const { size } = readCheckpoint(checkpoint);
  if (!isCount(index) || index >= size) throw malformed(`is about leaf ${String(index)} of a tree of ${size} leaves`);
  const lines = [
    HEADER,
    ...(extra ? [`extra ${encodeBase64(extra)}`] : []),
    `index ${index}`,
    ...proof.map(encodeBase64),
  ];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

/**
 * Reads a log proof. EXO_LOG_PROOF or EXO_NOTE unless it is what formatProofFile writes, byte for byte; nothing is
 * verified by being read.
 */
export function parseProofFile(text: string): ProofFile {
  const split = text.indexOf("\n\n");
  if (split < 0) throw malformed("has no empty line before its checkpoint");
  const [header, ...lines] = text.slice(0, split).split("\n");
  if (header !== HEADER) throw malformed(`does not begin with ${HEADER}`);
  const extraText = lines[0]?.startsWith("extra ") ? lines.shift()?.slice("extra ".length) : undefined;
  const index = readIndex(lines.shift());
  const file = {
    index,
    proof: lines.map((line) => decode(line, "hash")),
    checkpoint: text.slice(split + 2),
    ...(extraText === undefined ? {} : { extra: decode(extraText, "extra data") }),
  };
  formatProofFile(file);
  return file;
}

function readIndex(line: string | undefined): number {
  const index = line?.startsWith("index ") ? readDecimal(line.slice("index ".length)) : undefined;
  if (index === undefined) throw malformed("has no line `index N` with a decimal N up to 2^53-1");
  return index;
}

function decode(line: string, what: string): Uint8Array {
  const bytes = decodeBase64(line);
  if (bytes === undefined) throw malformed(`has ${what} that is not standard base64`);
  return bytes;
}

function malformed(what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_PROOF", `The log proof ${what}.`);
}
