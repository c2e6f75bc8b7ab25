import { concatBytes, decodeUtf8 } from "../crypto/encoding.js";
import { type NoteSignature, parseNote, verifyNote } from "../crypto/note.js";
import type { NoteKey } from "../crypto/note-key.js";
import { isExoArmurError } from "../errors.js";
import { readDecimal } from "../log/checkpoint.js";
import { type AddCheckpointBody, formatAddCheckpoint } from "../log/witness-request.js";

/** One request to a witness (c2sp.org/tlog-witness, `POST <url>/add-checkpoint`). */
export type AddCheckpoint = AddCheckpointBody & {
  /** Submission prefix of the witness, without `/add-checkpoint`. */
  readonly url: string;
  /** Its verifier key, of type 4. */
  readonly key: NoteKey;
  readonly signal: AbortSignal;
};

/**
 * What a witness answered. `cosigned`: its verified line. `conflict`: it knows another size, or the same with another
 * root. `unproven`: it knows a tree that ours does not begin with. `failed`: anything else, with what was wrong.
 */
export type WitnessAnswer =
  | { readonly kind: "cosigned"; readonly line: NoteSignature }
  | { readonly kind: "conflict"; readonly size: number }
  | { readonly kind: "unproven" }
  | { readonly kind: "failed"; readonly why: string };

/** Bytes of an answer that are read: some dozen signature lines. */
const maxAnswerBytes = 16_384;

/** Asks a witness to cosign. Never rejects: what goes wrong is `failed`. Redirects are not followed. */
export async function addCheckpoint(request: AddCheckpoint): Promise<WitnessAnswer> {
  const { url, old, proof, checkpoint, signal } = request;
  const body = formatAddCheckpoint({ old, proof, checkpoint });
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/add-checkpoint`, {
      method: "POST",
      headers: { "content-type": "text/plain; charset=utf-8" },
      body,
      redirect: "manual",
      signal,
    });
    const text = await readAnswer(response);
    if (text === undefined)
      return failed(`more than ${maxAnswerBytes} bytes, or no UTF-8 text, with ${response.status}`);
    return judge(request, response.status, text);
  } catch (error) {
    if (signal.aborted) return failed("no answer in time");
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return failed(cause instanceof Error ? cause.message : "the connection failed");
  }
}

function judge(request: AddCheckpoint, status: number, text: string): WitnessAnswer {
  if (status === 200) return readLine(request, text);
  if (status === 422) return { kind: "unproven" };
  if (status !== 409) return failed(`status ${status}`);
  const size = readDecimal(text.replace(/\n$/, ""));
  return size === undefined ? failed("status 409 without the size that it knows") : { kind: "conflict", size };
}

/** The line by the witness's key over this very checkpoint, if the answer is signature lines alone. */
function readLine({ checkpoint, key }: AddCheckpoint, text: string): WitnessAnswer {
  try {
    const note = parseNote(checkpoint + text);
    if (note.text !== parseNote(checkpoint).text) return failed("an answer that is not signature lines alone");
    const verified = verifyNote(note, [key]);
    if (!verified.ok) return failed(verified.error.message);
    const [line] = verified.value;
    if (line?.time === undefined || line.time === 0) return failed("a cosignature without a time");
    const { name, keyHash, signature } = line;
    return { kind: "cosigned", line: { name, keyHash, signature } };
  } catch (error) {
    if (isExoArmurError(error)) return failed(error.message);
    throw error;
  }
}

/** The answer's text; undefined when it is too long or no text. */
async function readAnswer(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array;
    length += bytes.length;
    // Leaving the loop ends the transfer.
    if (length > maxAnswerBytes) return undefined;
    parts.push(bytes);
  }
  return decodeUtf8(concatBytes(...parts));
}

function failed(why: string): WitnessAnswer {
  return { kind: "failed", why };
}
