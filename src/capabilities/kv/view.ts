import { compareBytes, concatBytes, decodeHex, decodeUtf8, encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { Overlay } from "../../log/overlay.js";
import type { StoreReader } from "../../ports.js";
import { directoryRange, placeOf, readPlace, segmentBytes, walkStart } from "./places.js";

/** What is known of a space without reading it: the last version given, keys, bytes of all keys and values. */
export type SpaceHead = { readonly version: number; readonly entries: number; readonly bytes: number };

/** The head of a space nobody has written to. */
export const emptySpace: SpaceHead = { version: 0, entries: 0, bytes: 0 };

/** An entry without its value. `size` is the value's, in bytes. */
export type KeyEntry = { readonly version: number; readonly size: number };

/** How a write ended: `done` false for a lost compare-and-set, with the version that is there, 0 for none. */
export type KeyWrite = { readonly done: boolean; readonly version: number };

/** Caps of a space, as the run's grant has them. */
export type SpaceCaps = { readonly maxEntries: number; readonly maxTotalBytes: number };

/** One page of a listing, sorted by the bytes of the keys. */
export type KeyPage = { readonly entries: readonly ({ readonly key: string } & KeyEntry)[]; readonly more: boolean };

const marker = Uint8Array.of(1);
const metaBytes = 12;

/** An entry as it is stored: version in 8 bytes, the value's size in 4, both big-endian. */
export function packEntry({ version, size }: KeyEntry): Uint8Array {
  const packed = new Uint8Array(metaBytes);
  const view = new DataView(packed.buffer);
  view.setBigUint64(0, BigInt(version));
  view.setUint32(8, size);
  return packed;
}

function unpackEntry(packed: Uint8Array): KeyEntry {
  if (packed.length !== metaBytes) throw damaged();
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return { version: Number(view.getBigUint64(0)), size: view.getUint32(8) };
}

/**
 * The keys and values of one space as one run sees them: what is committed, under the run's own writes. Nothing reaches
 * the store; whoever records the run's outcome puts `changes` into the same transaction. Versions go on from the head's.
 * Every call either happens whole or throws EXO_STORE_DAMAGED and changes nothing.
 */
export class KeyValueView {
  readonly #space: string;
  readonly #overlay: Overlay;
  #head: SpaceHead;
  #changed = false;

  constructor(reader: StoreReader, space: string, head: SpaceHead) {
    this.#space = space;
    this.#overlay = new Overlay(reader);
    this.#head = head;
  }

  /** The head with the run's own writes. */
  get head(): SpaceHead {
    return this.#head;
  }

  /** Store changes of the run's writes; `null` deletes. */
  get changes(): ReadonlyMap<string, Uint8Array | null> {
    return this.#overlay.changes;
  }

  /** Whether the run put or deleted anything, even if nothing is left of it. */
  get changed(): boolean {
    return this.#changed;
  }

  /** An entry without its value. */
  find(key: string): KeyEntry | undefined {
    return this.#entry(placeOf(this.#space, encodeUtf8(key)).entry);
  }

  /** The value of an entry that is there. */
  value(key: string, { size }: KeyEntry): Uint8Array {
    const value = this.#overlay.get(placeOf(this.#space, encodeUtf8(key)).value);
    if (value?.length !== size) throw damaged();
    return value;
  }

  /**
   * Puts a value, which is given away. `expect` is the version that must be there, 0 for none. Gives `full` when the
   * space would grow beyond its caps; what makes it smaller is always done.
   */
  put(key: string, value: Uint8Array, expect: number | undefined, caps: SpaceCaps): KeyWrite | "full" {
    const bytes = encodeUtf8(key);
    const place = placeOf(this.#space, bytes);
    const present = this.#entry(place.entry);
    if (isLost(present, expect)) return { done: false, version: present?.version ?? 0 };
    const grown = present === undefined ? bytes.length + value.length : value.length - present.size;
    const head = {
      version: this.#head.version + 1,
      entries: this.#head.entries + (present === undefined ? 1 : 0),
      bytes: this.#head.bytes + grown,
    };
    if (present === undefined && head.entries > caps.maxEntries) return "full";
    if (grown > 0 && head.bytes > caps.maxTotalBytes) return "full";
    const missing = place.directories.filter((directory) => this.#overlay.get(directory.marker) === undefined);
    for (const directory of missing) this.#overlay.set(directory.marker, marker);
    this.#overlay.set(place.entry, packEntry({ version: head.version, size: value.length }));
    this.#overlay.set(place.value, value);
    this.#head = head;
    this.#changed = true;
    return { done: true, version: head.version };
  }

  /** Deletes a key; `version` is the one that is gone, 0 when there was none, which is no failure. */
  delete(key: string, expect: number | undefined): KeyWrite {
    const bytes = encodeUtf8(key);
    const place = placeOf(this.#space, bytes);
    const present = this.#entry(place.entry);
    const version = present?.version ?? 0;
    if (isLost(present, expect)) return { done: false, version };
    if (present === undefined) return { done: true, version };
    this.#overlay.set(place.entry, null);
    this.#overlay.set(place.value, null);
    // A directory goes with the last key in it, so that a listing never walks empty ones.
    for (const directory of place.directories.toReversed()) {
      if (!isEmpty(this.#overlay, directory.content)) break;
      this.#overlay.set(directory.marker, null);
    }
    const { version: last, entries, bytes: total } = this.#head;
    this.#head = { version: last, entries: entries - 1, bytes: total - bytes.length - present.size };
    this.#changed = true;
    return { done: true, version };
  }

  /**
   * Keys that begin with `prefix` and come after `after`, at most `limit` and at most `maxBytes` bytes of keys; null when
   * not even the first fits. Costs a step for each key that is given, and for each segment of the longest.
   */
  list(prefix: string, after: string | undefined, limit: number, maxBytes: number): KeyPage | null {
    const start = encodeUtf8(prefix);
    const last = after === undefined ? undefined : encodeUtf8(after);
    const past = last !== undefined && compareBytes(last, start) >= 0 ? last : undefined;
    const entries: ({ key: string } & KeyEntry)[] = [];
    let bytes = 0;
    for (const { key, entry } of walkKeys(this.#overlay, this.#space, past ?? start)) {
      if (past !== undefined && compareBytes(key, past) === 0) continue;
      if (compareBytes(key.subarray(0, start.length), start) !== 0) break;
      bytes += key.length;
      if (bytes > maxBytes && entries.length === 0) return null;
      if (bytes > maxBytes || entries.length === limit) return { entries, more: true };
      entries.push({ key: textOf(key), ...entry });
    }
    return { entries, more: false };
  }

  #entry(storeKey: string): KeyEntry | undefined {
    const packed = this.#overlay.get(storeKey);
    return packed === undefined ? undefined : unpackEntry(packed);
  }
}

function isLost(present: KeyEntry | undefined, expect: number | undefined): boolean {
  return expect !== undefined && expect !== (present?.version ?? 0);
}

function isEmpty(reader: StoreReader, content: { readonly gte: string; readonly lt: string }): boolean {
  for (const _entry of reader.range({ ...content, limit: 1 })) return false;
  return true;
}

/** Entries of a space in the order of their keys' bytes, from the first key that is not below `from`. */
function* walkKeys(
  reader: StoreReader,
  space: string,
  from: Uint8Array,
  path: Uint8Array = new Uint8Array(),
): Generator<{ readonly key: Uint8Array; readonly entry: KeyEntry }> {
  const content = directoryRange(space, path);
  const first = walkStart(content, from);
  for (const [storeKey, stored] of reader.range({ gte: first, lt: content.lt })) {
    const { segment, directory } = readPlace(content, storeKey);
    const key = concatBytes(path, decodeHex(segment) ?? new Uint8Array());
    if (!directory) yield { key, entry: unpackEntry(stored) };
    // Only the directory that `from` itself leads through is entered in the middle.
    else if (storeKey === first) yield* walkKeys(reader, space, from.subarray(segmentBytes), key);
    else yield* walkKeys(reader, space, new Uint8Array(), key);
  }
}

function textOf(key: Uint8Array): string {
  const text = decodeUtf8(key);
  if (text === undefined || text === "") throw damaged();
  return text;
}

function damaged(): ExoArmurError {
  return new ExoArmurError("EXO_STORE_DAMAGED", "a stored key or value is not of its form");
}
