import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeHex } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { Clock, Entropy } from "../ports.js";
import { describeHolder, type Holder, heartbeatMs, isLive, readHolder } from "./owner-holder.js";
import { errnoOf, type HomePaths, writeFault } from "./paths.js";

/** A folder that one process at a time may work on, and where its lock is. */
export type OwnedPaths = Pick<HomePaths, "home" | "ownerLock">;

/** What the lock needs to know of the process that takes it. */
export type OwnerPorts = { readonly pid: number; readonly clock: Clock; readonly entropy: Entropy };

/** The home is owned by this process until `release`. */
export type OwnerLock = {
  /** Gives the home up; a second call does nothing. Never removes another owner's lock. */
  release(): Promise<void>;
};

/** Takers of takers of takers: each level is a process that died in the middle of a take-over. */
const maxDepth = 8;

/** A live process in the middle of a take-over needs microseconds. */
const maxAttempts = 400;
const retryMs = 5;

/**
 * Takes the home's owner lock (spec/home.md): `owner.lock` appears whole, by a hard link, and only where there is none.
 * A lock whose owner is dead is taken over; of any number of takers exactly one gets it. EXO_HOME_LOCKED names the
 * process that owns the home; EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function acquireOwner(paths: OwnedPaths, ports: OwnerPorts): Promise<OwnerLock> {
  const token = encodeHex(ports.entropy.bytes(16));
  const text = `${JSON.stringify(describeHolder(ports.pid, token))}\n`;
  const self: Self = { ports, token, file: `${paths.ownerLock}.new-${token}`, text };
  try {
    const found = await take(self, paths.ownerLock, 0);
    if (found !== undefined) throw locked(paths, found);
  } catch (error) {
    throw writeFault(error, paths.ownerLock);
  } finally {
    remove(self.file);
  }
  removeLeftovers(paths, self);
  const beat = setInterval(() => touch(paths, self), heartbeatMs).unref();
  let released = false;
  return {
    async release() {
      if (released) return;
      released = true;
      clearInterval(beat);
      await giveUp(paths, self);
    },
  };
}

/** True when a live process owns the home. */
export function isOwned(paths: OwnedPaths, clock: Clock): boolean {
  return readOwner(paths, clock) !== undefined;
}

/** Process id of the live owner (0 when its lock does not say), or undefined when nobody owns the home. */
export function readOwner(paths: OwnedPaths, clock: Clock): { readonly pid: number } | undefined {
  const holder = readHolder(paths.ownerLock);
  return holder !== undefined && isLive(holder, clock) ? { pid: holder.pid } : undefined;
}

type Self = { readonly ports: OwnerPorts; readonly token: string; readonly file: string; readonly text: string };

/**
 * Takes the lock at `path`; undefined when it is ours, else its live holder. Only the holder of the claim
 * `<path>.<token>` may replace or remove the lock that carries that token, and a claim is a lock like any other. So
 * what a taker judged dead is still what it replaces.
 */
async function take(self: Self, path: string, depth: number): Promise<Holder | undefined> {
  for (let attempt = 0; ; attempt++) {
    if (linkNew(self, path)) return undefined;
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (isLive(holder, self.ports.clock) || depth >= maxDepth) return holder;
    const claim = `${path}.${holder.token}`;
    const rival = await take(self, claim, depth + 1);
    if (rival === undefined) {
      const replaced = replace(self, path, holder);
      remove(claim);
      if (replaced) return undefined;
    } else if (attempt >= maxAttempts) return rival;
    await sleep(retryMs);
  }
}

/** Puts our lock in the place of `holder`'s, whose claim we hold; false when that lock is no longer there. */
function replace(self: Self, path: string, holder: Holder): boolean {
  if (readHolder(path)?.token !== holder.token) return false;
  const file = `${self.file}-over`;
  writeDurably(file, self.text);
  renameSync(file, path);
  return true;
}

/** Makes the lock whole and only where there is none. */
function linkNew(self: Self, path: string): boolean {
  for (;;) {
    try {
      linkSync(self.file, path);
      return true;
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return false;
      if (errnoOf(error) !== "ENOENT") throw error;
      writeDurably(self.file, self.text);
    }
  }
}

function writeDurably(file: string, text: string): void {
  const fd = openSync(file, "w", 0o644);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Removes our lock under its own claim, so that nobody takes it over in between. On a full disk there is no room for a
 * claim: our heartbeat has to keep others away for that moment, or the lock would stay as long as this process.
 */
async function giveUp(paths: OwnedPaths, self: Self): Promise<void> {
  const claim = `${paths.ownerLock}.${self.token}`;
  try {
    const rival = await take(self, claim, 1).catch((error: unknown) => {
      if (errnoOf(error) === "ENOSPC") return undefined;
      throw error;
    });
    if (rival !== undefined) return;
    if (readHolder(paths.ownerLock)?.token === self.token) unlinkSync(paths.ownerLock);
    remove(claim);
  } catch (error) {
    throw writeFault(error, paths.ownerLock);
  } finally {
    remove(self.file);
  }
}

/** Claims and unused locks of dead processes: harmless, but they would pile up. What cannot be removed stays. */
function removeLeftovers(paths: OwnedPaths, { ports }: Self): void {
  const name = `${basename(paths.ownerLock)}.`;
  try {
    for (const entry of readdirSync(paths.home)) {
      if (!entry.startsWith(name)) continue;
      const file = join(paths.home, entry);
      const holder = readHolder(file);
      if (holder !== undefined && !isLive(holder, ports.clock)) remove(file);
    }
  } catch {
    // The lock is ours by now; a leftover is no reason to refuse it.
  }
}

function touch(paths: OwnedPaths, { ports, token }: Self): void {
  const seconds = ports.clock.now() / 1000;
  try {
    if (readHolder(paths.ownerLock)?.token === token) utimesSync(paths.ownerLock, seconds, seconds);
  } catch {
    // Without a heartbeat the lock may be taken over; the store's epoch then stops the next commit.
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function locked({ home, ownerLock }: OwnedPaths, { pid }: Holder): ExoArmurError {
  const who = pid === 0 ? "a process that its lock does not name" : `process ${pid}`;
  return new ExoArmurError("EXO_HOME_LOCKED", `${home} is owned by ${who}`, { file: ownerLock });
}
