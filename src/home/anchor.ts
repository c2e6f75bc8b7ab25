import { readFileSync } from "node:fs";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { compareCheckpoint } from "../log/audit.js";
import { readCheckpoint } from "../log/checkpoint.js";
import { CHECKPOINT_KEY } from "../log/store-layout.js";
import type { StoreReader } from "../ports.js";
import { writeAtomic } from "./atomic.js";
import { errnoOf, type HomePaths } from "./paths.js";

/** Timers of the anchor writer; the default ones do not keep the process alive. */
export type Timers = {
  set(run: () => void, ms: number): unknown;
  clear(handle: unknown): void;
};

/** Writes the newest checkpoint beside the store. */
export type AnchorWriter = {
  /** Notes a signed checkpoint; written within `intervalMs`. One that is not larger than what is known is ignored. */
  offer(checkpointNote: string): void;
  /** Writes what was offered and resolves when it is durable. Rejects with the fault of a write that failed. */
  flush(): Promise<void>;
};

/**
 * The signed checkpoint in the home's anchor file, or undefined when there is none (spec/log.md). Not verified.
 * EXO_HOME_DAMAGED when the file is no signed checkpoint.
 */
export function readAnchor(paths: HomePaths): string | undefined {
  let text: string;
  try {
    text = readFileSync(paths.anchor, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw damaged(paths, `could not be read: ${errnoOf(error) ?? "an unknown error"}`);
  }
  sizeOf(paths, text);
  return text;
}

/**
 * Keeps the anchor file at the newest checkpoint offered: written at most once in `intervalMs` (default 250) and at
 * flush, atomically, never a smaller size over a larger one. Offers that were not flushed are lost in a crash: that
 * window is documented. EXO_HOME_DAMAGED when the present anchor cannot be read.
 */
export function createAnchorWriter(
  paths: HomePaths,
  options: { readonly intervalMs?: number; readonly timers?: Timers } = {},
): AnchorWriter {
  const { intervalMs = 250, timers = systemTimers } = options;
  const present = readAnchor(paths);
  let known = present === undefined ? -1 : sizeOf(paths, present);
  let waiting: string | undefined;
  let timer: { readonly handle: unknown } | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = (): Promise<void> => {
    if (timer !== undefined) timers.clear(timer.handle);
    timer = undefined;
    const step = async (): Promise<void> => {
      const note = waiting;
      if (note === undefined) return;
      waiting = undefined;
      try {
        await writeAtomic(paths.anchor, note);
      } catch (error) {
        // Kept for the next try, unless a newer one came meanwhile.
        waiting ??= note;
        throw error;
      }
    };
    // One write at a time, so that an older one cannot end last.
    writing = writing.then(step, step);
    return writing;
  };

  return {
    offer(note) {
      const size = sizeOf(paths, note);
      if (size <= known) return;
      known = size;
      waiting = note;
      // A failed write is told by the next flush, and tried again with the next offer.
      timer ??= { handle: timers.set(() => void write().catch(() => undefined), intervalMs) };
    },
    flush: write,
  };
}

const systemTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms).unref(),
  clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

function sizeOf(paths: HomePaths, note: string): number {
  try {
    return readCheckpoint(note).size;
  } catch {
    throw damaged(paths, "is no signed checkpoint");
  }
}

function damaged({ anchor }: HomePaths, what: string): ExoArmurError {
  return new ExoArmurError("EXO_HOME_DAMAGED", `${anchor} ${what}`, { file: anchor });
}

/**
 * Refuses a store that is behind what the home's anchor shows, EXO_STORE_ROLLED_BACK, or that has another log,
 * EXO_STORE_DAMAGED. A store without a log is behind every anchor.
 */
export function requireAnchored(store: StoreReader, paths: HomePaths): void {
  const anchor = readAnchor(paths);
  if (anchor === undefined) return;
  const stored = store.get(CHECKPOINT_KEY);
  const standing = stored === undefined ? "behind" : compareCheckpoint(store, anchor);
  if (standing === "consistent") return;
  const sizeOfNote = (note: string): string => note.split("\n")[1] ?? "?";
  const size = stored === undefined ? "0" : sizeOfNote(decodeUtf8(stored) ?? "");
  throw new ExoArmurError(
    standing === "behind" ? "EXO_STORE_ROLLED_BACK" : "EXO_STORE_DAMAGED",
    standing === "behind"
      ? `the store has ${size} log entries, ${paths.anchor} shows ${sizeOfNote(anchor)} were published: it was rolled back to an older copy`
      : `the store's log is not the one that ${paths.anchor} was published from`,
    { file: paths.anchor },
  );
}
