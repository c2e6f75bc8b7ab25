import { decodeBase64, decodeUtf8, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { readDecimal } from "./checkpoint.js";
import { HASH_BYTES } from "./tree.js";

/** What a witness is asked by `POST <prefix>/add-checkpoint` (c2sp.org/tlog-witness). */
export type AddCheckpointBody = {
  /** Size of the tree that the witness is said to know, 0 for none. */
  readonly old: number;
  /** Consistency proof from `old` to the checkpoint; 32-byte hashes. */
  readonly proof: readonly Uint8Array[];
  /** The log's signed checkpoint, a C2SP note. */
  readonly checkpoint: string;
};

/** Proof lines a request may have. */
const maxProofLines = 63;

/** The text of a request. */
export function formatAddCheckpoint({ old, proof, checkpoint }: AddCheckpointBody): string {
  return [`old ${old}`, ...proof.map(encodeBase64), "", checkpoint].join("\n");
}

/** Reads a request; its checkpoint is not looked at. EXO_LOG_PROOF when it has another form. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpointBody {
  const text = decodeUtf8(body) ?? "";
  const split = text.indexOf("\n\n");
  const [first = "", ...lines] = split < 0 ? [] : text.slice(0, split).split("\n");
  const old = first.startsWith("old ") ? readDecimal(first.slice("old ".length)) : undefined;
  if (old === undefined) throw malformed("does not begin with a line `old N` and an empty line after the proof");
  if (lines.length > maxProofLines)
    throw malformed(`has ${lines.length} proof lines, at most ${maxProofLines} are read`);
  const proof = lines.map((line) => {
    const hash = decodeBase64(line);
    if (hash?.length === HASH_BYTES) return hash;
    throw malformed("has a proof line that is not a 32-byte hash in standard base64");
  });
  return { old, proof, checkpoint: text.slice(split + 2) };
}

function malformed(what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_PROOF", `The request ${what}.`);
}
