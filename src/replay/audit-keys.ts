import { clipText } from "../canonical/clip-text.js";
import { type Digest, digestOf } from "../canonical/digest.js";
import { isAbiMap } from "../canonical/msgpack.js";
import { kvFamilies, placeOf, spaceOf } from "../capabilities/kv/places.js";
import { packEntry, type SpaceHead } from "../capabilities/kv/view.js";
import type { CanonicalEvent } from "../contracts/event.js";
import type { HostCall } from "../contracts/execution.js";
import { encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { type IntentRecord, readState } from "../pipeline/documents.js";
import { type SpaceOwner, type SpaceRecord, writesKeys } from "../pipeline/key-values.js";
import { readIntent } from "../pipeline/present.js";
import type { StoreReader } from "../ports.js";
import { mapOf, storedCalls, storedGrants } from "./stored-runs.js";

/** What an audit of keys and values found. */
export type KeysAudit = { readonly problems: readonly string[]; readonly keys: number; readonly spaces: number };

type Entry = { readonly version: number; readonly size: number; readonly digest: Digest };

/** One space as the log tells it. Values are kept as digests: memory goes with the number of keys. */
type Space = { readonly owner: SpaceOwner; readonly entries: Map<string, Entry>; version: number };

type Run = { readonly space: Space; readonly version: number };

/**
 * Compares the stored keys and values with what the transcripts of completed runs, in the order of the log, must have
 * left: changed, missing and invented entries, heads that say something else, and answers of writes that were not what
 * the state then gave (spec/log.md). Transcripts themselves are held to the signed records by the other checks.
 *
 * @param events recorded events by digest
 * @param order digests of the logged events, in the order of the log
 */
export function auditKeys(
  store: StoreReader,
  events: ReadonlyMap<string, CanonicalEvent>,
  order: Iterable<string>,
  records: readonly IntentRecord[],
  describe: (error: unknown) => string,
): KeysAudit {
  const spaces = new Map<string, Space>();
  const problems: string[] = [];
  const runs = new Map<string, Run>();
  const byId = new Map(records.map((record) => [record.intentId, record]));
  for (const digest of order) {
    const event = events.get(digest);
    const record = byId.get(event?.intentId ?? "");
    if (event === undefined || record === undefined) continue;
    try {
      if (event.eventType === "execution_started") start(store, record, event, spaces, runs);
      else if (ends.has(event.eventType)) end(store, record, event, runs, problems);
    } catch (error) {
      problems.push(`intent ${record.intentId}: ${describe(error)}`);
    }
  }
  let keys = 0;
  for (const space of spaces.values()) {
    keys += space.entries.size;
    compareSpace(store, space, problems);
  }
  for (const { gte, lt } of [kvFamilies.entries, kvFamilies.values, kvFamilies.heads]) {
    reportStrangers(store, { gte, lt }, spaces, problems);
  }
  return { problems, keys, spaces: spaces.size };
}

const ends: ReadonlySet<string> = new Set(["execution_completed", "execution_failed", "execution_in_doubt"]);

/** Sets aside the versions of a run that may write, as its start did. */
function start(
  store: StoreReader,
  record: IntentRecord,
  { payload }: CanonicalEvent,
  spaces: Map<string, Space>,
  runs: Map<string, Run>,
): void {
  const grants = storedGrants(store, payload["grantsDigest"] as Digest);
  if (!writesKeys(grants)) return;
  const owner = { tenantId: record.tenantId, executor: readIntent(store, record).executor?.name ?? "" };
  const name = spaceOf(owner.tenantId, owner.executor);
  const space = spaces.get(name) ?? { owner, entries: new Map<string, Entry>(), version: 0 };
  spaces.set(name, space);
  runs.set(record.intentId, { space, version: space.version });
  space.version += grants.limits.hostCalls;
}

/** Goes through a run's writes; they stand if it completed, and else only the versions it gave are used up. */
function end(
  store: StoreReader,
  record: IntentRecord,
  { eventType, payload }: CanonicalEvent,
  runs: Map<string, Run>,
  problems: string[],
): void {
  const run = runs.get(record.intentId);
  if (run === undefined || payload["execution"] === null) return;
  const written = new Map<string, Entry | null>();
  let { version } = run;
  for (const call of storedCalls(store, record)) {
    if (call.outcome !== "ok" || (call.capability !== "kv_put" && call.capability !== "kv_delete")) continue;
    const next = writeOf(
      call,
      (key) => written.get(key) ?? (written.has(key) ? undefined : run.space.entries.get(key)),
      version,
    );
    if (next.problem !== null) problems.push(`intent ${record.intentId} call ${call.seq}: ${next.problem}`);
    if (next.entry !== undefined) written.set(next.key, next.entry);
    version = Math.max(version, next.entry?.version ?? 0);
  }
  run.space.version = version;
  if (eventType !== "execution_completed") return;
  for (const [key, entry] of written) {
    if (entry === null) run.space.entries.delete(key);
    else run.space.entries.set(key, entry);
  }
}

type Write = { readonly key: string; readonly entry: Entry | null | undefined; readonly problem: string | null };

/** What one recorded write did, `undefined` for nothing, and whether that is what the state gave. */
function writeOf(call: HostCall, presentOf: (key: string) => Entry | undefined, last: number): Write {
  const { key, value, expect } = mapOf(call.request) ?? {};
  const answer = mapOf(call.response)?.["ok"];
  const { done, version } = isAbiMap(answer) ? answer : {};
  if (typeof key !== "string" || typeof version !== "number" || typeof done !== "boolean") {
    return { key: "", entry: undefined, problem: `is no ${call.capability} with its answer` };
  }
  const present = presentOf(key);
  const there = present?.version ?? 0;
  const puts = call.capability === "kv_put";
  const lost = expect !== undefined && expect !== there;
  const expected = puts && !lost ? last + 1 : there;
  const told = `${done ? "done" : "lost"} at version ${version}`;
  const problem =
    done === !lost && version === expected ? null : `was ${told}, not ${lost ? "lost" : "done"} at version ${expected}`;
  if (!done) return { key, entry: undefined, problem };
  if (!puts) return { key, entry: present === undefined ? undefined : null, problem };
  const bytes = value instanceof Uint8Array ? value : new Uint8Array();
  return { key, entry: { version, size: bytes.length, digest: digestOf(bytes) }, problem };
}

function compareSpace(store: StoreReader, { owner, entries, version }: Space, problems: string[]): void {
  const name = spaceOf(owner.tenantId, owner.executor);
  const of = `of executor ${owner.executor} in tenant ${owner.tenantId}`;
  let bytes = 0;
  const expected = new Map<string, { readonly what: string; readonly fits: (stored: Uint8Array) => boolean }>();
  for (const [key, { digest, ...entry }] of entries) {
    const text = encodeUtf8(key);
    const place = placeOf(name, text);
    const what = `the key ${clipText(JSON.stringify(key), 100)} ${of}`;
    bytes += text.length + entry.size;
    expected.set(place.entry, { what, fits: (stored) => equalBytes(stored, packEntry(entry)) });
    expected.set(place.value, { what: `the value of ${what}`, fits: (stored) => digestOf(stored) === digest });
    for (const { marker } of place.directories) {
      expected.set(marker, { what: `a directory above ${what}`, fits: (stored) => stored.length === 1 });
    }
  }
  for (const family of ["v", "x"]) {
    for (const [key, stored] of store.range({ gte: `${family}/${name}/`, lt: `${family}/${name}0` })) {
      const found = expected.get(key);
      if (found === undefined) problems.push(`no completed run left ${key} ${of}`);
      else if (!found.fits(stored)) problems.push(`${found.what} is not as the last completed run left it`);
      expected.delete(key);
    }
  }
  for (const { what } of expected.values()) problems.push(`${what} is missing`);
  compareHead(store, owner, { version, entries: entries.size, bytes }, problems);
}

function compareHead(store: StoreReader, owner: SpaceOwner, head: SpaceHead, problems: string[]): void {
  const key = kvFamilies.head(spaceOf(owner.tenantId, owner.executor));
  const stored = readState<SpaceRecord>(store, key) ?? { ...owner, version: 0, entries: 0, bytes: 0 };
  const of = `of executor ${owner.executor} in tenant ${owner.tenantId}`;
  for (const [member, value] of Object.entries({ ...owner, ...head })) {
    const found = stored[member as keyof SpaceRecord];
    if (found !== value) problems.push(`the head ${of} says ${member} ${String(found)}, the log ${value}`);
  }
}

/** Store keys of no space that the log knows; one step for each space. */
function reportStrangers(
  store: StoreReader,
  { gte, lt }: { readonly gte: string; readonly lt: string },
  spaces: ReadonlyMap<string, Space>,
  problems: string[],
): void {
  for (let from = gte; ; ) {
    const [first] = [...store.range({ gte: from, lt, limit: 1 })];
    if (first === undefined) return;
    const [key] = first;
    const name = key.slice(gte.length, gte.length + 64);
    const base = `${gte}${name}`;
    const isHead = gte === kvFamilies.heads.gte;
    const inside = isHead ? key === base : key.startsWith(`${base}/`);
    if (!inside || !spaces.has(name)) problems.push(`no run could have written ${key}`);
    // What lies inside a space was compared already; the next key there can be is the one a blank longer.
    from = inside && !isHead ? `${base}0` : `${key} `;
  }
}
