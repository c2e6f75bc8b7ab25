import { open, unlink } from "node:fs/promises";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { readBounded, writeAtomic } from "./atomic.js";
import { errnoOf, writeFault } from "./paths.js";

const maxNoteBytes = 1_048_576;

/**
 * Replaces the last cosigned checkpoint of one log in `file` by what `next` makes of it, and returns that once it is
 * durable. One witness at a time: `file.lock` is there meanwhile, and one left by a crash has to be removed by hand.
 * `first` says that there is none yet. EXO_FILE when `file` is there and must not be or the reverse, or is no text;
 * EXO_WITNESS_BUSY; what `next` throws, which leaves the file as it was (spec/log.md).
 */
export async function updateWitnessState(
  file: string,
  first: boolean,
  next: (last: string | undefined) => Promise<string>,
): Promise<string> {
  const lock = `${file}.lock`;
  await takeLock(lock);
  try {
    const read = await readBounded(file, { maxBytes: maxNoteBytes, follow: false });
    if (first && read !== undefined)
      throw new ExoArmurError("EXO_FILE", `${file} exists: this is not the first checkpoint of its log`, { file });
    if (!first && read === undefined)
      throw new ExoArmurError("EXO_FILE", `${file} does not exist; --first begins to witness a log`, { file });
    const last = read === undefined ? undefined : decodeUtf8(read.bytes);
    if (read !== undefined && last === undefined)
      throw new ExoArmurError("EXO_FILE", `${file} is not UTF-8 text`, { file });
    const note = await next(last);
    await writeAtomic(file, note);
    return note;
  } finally {
    await unlink(lock).catch(() => undefined);
  }
}

async function takeLock(lock: string): Promise<void> {
  try {
    await (await open(lock, "wx", 0o600)).close();
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw writeFault(error, lock);
    const message = `${lock} exists: another witness is at work; remove it if none is running`;
    throw new ExoArmurError("EXO_WITNESS_BUSY", message, { file: lock });
  }
}
