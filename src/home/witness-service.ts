import { join } from "node:path";
import { decodeUtf8, encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { formatNote, parseNote } from "../crypto/note.js";
import { formatVkey, type NoteKey, noteKey } from "../crypto/note-key.js";
import { sha256Hex } from "../crypto/sha256.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { type Checkpoint, openCheckpoint, openLogCheckpoint, readCheckpoint } from "../log/checkpoint.js";
import { MAX_NOTE_BYTES } from "../log/tiles.js";
import { emptyRoot } from "../log/tree.js";
import { witnessCheckpoint } from "../log/witness.js";
import { type AddCheckpointBody, parseAddCheckpoint } from "../log/witness-request.js";
import type { Signer } from "../ports.js";
import { readBounded, writeAtomic } from "./atomic.js";
import { acquireOwner, type OwnerPorts } from "./owner-lock.js";
import { makeFolder, naming } from "./tile-folder.js";

/** An answer as c2sp.org/tlog-witness has it. */
export type WitnessReply = {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
};

/** A witness of several logs that is asked again and again. One process has its folder. */
export type WitnessService = {
  /** Its verifier key, of type 4. */
  readonly vkey: string;
  /** The logs it watches and the size it cosigned last, 0 for none. */
  logs(): readonly { readonly origin: string; readonly size: number }[];
  /** Answers one request. Rejects when the new state could not be made durable, and nothing was cosigned then. */
  addCheckpoint(body: Uint8Array): Promise<WitnessReply>;
  /** Waits for what is being answered, and gives the folder up. */
  close(): Promise<void>;
};

/** Who cosigns, for which logs, and where it remembers. */
export type WitnessServiceOptions = {
  /** Folder of the states; made when it is not there. */
  readonly dir: string;
  /** Begins to witness the logs that have no state yet. */
  readonly first: boolean;
  readonly name: string;
  readonly signer: Signer;
  /** Keys of logs; those of type 1 count, by their name. */
  readonly logKeys: readonly NoteKey[];
  readonly ports: OwnerPorts;
};

/** What was cosigned last of one log. `text` is the file, empty before the first checkpoint. */
type State = { readonly file: string; readonly text: string; readonly size: number; readonly root: Uint8Array };

type Ask = AddCheckpointBody & { readonly next: Checkpoint };

const plain = "text/plain; charset=utf-8";

/**
 * Opens a witness (C2SP tlog-witness; spec/log.md, A witness that serves). Each log's last cosigned checkpoint is a file
 * of the folder, flushed before a cosignature over it is given out. EXO_WITNESS_BUSY when another process has the folder;
 * EXO_FILE for a log without a state unless `first` says so; EXO_NOTE, EXO_TRUST, EXO_SIGNATURE for a state that does not
 * bear the log's signature and the witness's own; EXO_KEY, EXO_HOME_READ_ONLY.
 */
export async function openWitness(options: WitnessServiceOptions): Promise<WitnessService> {
  const { dir, logKeys, ports } = options;
  const own = noteKey(options.name, options.signer.publicKey, 4);
  await makeFolder(dir, true);
  const lock = await acquireOwner({ home: dir, ownerLock: join(dir, "witness.lock") }, ports).catch(
    (error: unknown) => {
      if (!isExoArmurError(error, "EXO_HOME_LOCKED")) throw error;
      throw new ExoArmurError("EXO_WITNESS_BUSY", `another witness is at work: ${error.message}`, error.place);
    },
  );
  const states = new Map<string, State>();
  try {
    for (const { name, algorithm } of logKeys)
      if (algorithm === 1 && !states.has(name)) states.set(name, await openState(name, options, own));
  } catch (error) {
    await lock.release();
    throw error;
  }
  /** By log: the request before, since a decision and its state are one step. */
  const turns = new Map<string, Promise<unknown>>();
  return {
    vkey: formatVkey(own),
    logs: () => [...states].map(([origin, { size }]) => ({ origin, size })),
    addCheckpoint: async (body) => {
      const ask = readAsk(body, logKeys, states);
      if ("status" in ask) return ask;
      const { origin } = ask.next;
      const turn = (turns.get(origin) ?? Promise.resolve()).then(async () => {
        const judged = await judge(ask, states.get(origin), options, own);
        if (judged.state !== undefined) states.set(origin, judged.state);
        return judged.reply;
      });
      turns.set(
        origin,
        turn.catch(() => undefined),
      );
      return await turn;
    },
    close: async () => {
      await Promise.all(turns.values());
      await lock.release();
    },
  };
}

/** The request's parts, or the answer to one that is malformed, of an unknown log, or not signed by it. */
function readAsk(body: Uint8Array, logKeys: readonly NoteKey[], known: ReadonlyMap<string, State>): Ask | WitnessReply {
  try {
    const ask = parseAddCheckpoint(body);
    const { origin } = readCheckpoint(ask.checkpoint);
    if (!known.has(origin)) return refused(404, `the log ${origin} is not known here`);
    const { size, root, note, signatures } = {
      ...readCheckpoint(ask.checkpoint),
      ...openLogCheckpoint(ask.checkpoint, logKeys),
    };
    if (ask.old > size) return refused(400, `old is ${ask.old}, the checkpoint is of ${size}`);
    // Lines of others are of no use to the state, and anybody could add them.
    return { ...ask, checkpoint: formatNote(note.text, signatures), next: { origin, size, root } };
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return refused(error.code === "EXO_SIGNATURE" ? 403 : 400, error.message);
  }
}

async function judge(
  { old, proof, checkpoint, next }: Ask,
  state: State | undefined,
  { name, signer, logKeys, ports }: WitnessServiceOptions,
  own: NoteKey,
): Promise<{ readonly reply: WitnessReply; readonly state?: State }> {
  if (state === undefined) return { reply: refused(404, `the log ${next.origin} is not known here`) };
  if (old !== state.size || (old === next.size && !equalBytes(next.root, state.root)))
    return { reply: { status: 409, contentType: "text/x.tlog.size", body: `${state.size}\n` } };
  const last = state.text === "" ? undefined : state.text;
  const seconds = Math.floor(ports.clock.now() / 1000);
  let text: string;
  try {
    text = await witnessCheckpoint({ note: checkpoint, logKeys, last, proof }, { name, signer, seconds });
  } catch (error) {
    if (!isExoArmurError(error, "EXO_LOG_FORK") && !isExoArmurError(error, "EXO_LOG_PROOF")) throw error;
    return { reply: refused(422, error.message) };
  }
  await replaceState(state, text);
  const { text: signed, signatures } = parseNote(text);
  const lines = signatures.filter((line) => line.name === own.name && line.keyHash === own.keyHash);
  const body = formatNote(signed, lines).slice(signed.length + 1);
  const { size, root } = next;
  return { reply: { status: 200, contentType: plain, body }, state: { ...state, text, size, root } };
}

/** Writes a state durably over the one it was made from. EXO_WITNESS_BUSY when the file has another by now. */
async function replaceState({ file, text }: State, next: string): Promise<void> {
  if ((await readState(file)) !== text)
    throw new ExoArmurError("EXO_WITNESS_BUSY", `${file} was written by somebody else`, { file });
  await writeAtomic(file, next);
}

async function openState(origin: string, { dir, first, logKeys }: WitnessServiceOptions, own: NoteKey): Promise<State> {
  const file = join(dir, `${sha256Hex(encodeUtf8(origin))}.checkpoint`);
  const text = await readState(file);
  if (text === undefined) {
    if (!first)
      throw new ExoArmurError("EXO_FILE", `${file} does not exist; --first begins to witness ${origin}`, { file });
    await writeAtomic(file, "");
  }
  if (text === undefined || text === "") return { file, text: "", size: 0, root: emptyRoot() };
  const { size, root } = naming(file, () => {
    const opened = openLogCheckpoint(text, logKeys);
    if (opened.origin !== origin) throw new ExoArmurError("EXO_TRUST", `is of the log ${opened.origin}, not ${origin}`);
    return openCheckpoint(text, [own]);
  });
  return { file, text, size, root };
}

async function readState(file: string): Promise<string | undefined> {
  const read = await readBounded(file, { maxBytes: MAX_NOTE_BYTES, follow: false });
  const text = read === undefined ? undefined : decodeUtf8(read.bytes);
  if (read !== undefined && text === undefined)
    throw new ExoArmurError("EXO_FILE", `${file} is not UTF-8 text`, { file });
  return text;
}

function refused(status: WitnessReply["status"], why: string): WitnessReply {
  return { status, contentType: plain, body: `${why}\n` };
}
