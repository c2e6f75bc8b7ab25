import { type CanonicalEvent, terminalEventTypes } from "../contracts/event.js";
import { endStates } from "../contracts/lifecycle.js";
import { formerVkeys, type Trust } from "../contracts/trust.js";
import { type ErrorCode, ExoArmurError, isExoArmurError } from "../errors.js";
import { auditTree, readLedger } from "../log/audit.js";
import { openCheckpoint } from "../log/checkpoint.js";
import { readLeaf } from "../log/leaf.js";
import { type IntentRecord, readState, type StoredBundle } from "../pipeline/documents.js";
import { presentBundle } from "../pipeline/present.js";
import { chainHeads, chainLength, headGoesOn, readEvent, storedEvents } from "../pipeline/recorder.js";
import { bundleKey, intentKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";
import type { CheckState, Engines } from "../verify/report.js";
import { verifyBundle } from "../verify/verify-bundle.js";
import { auditKeys } from "./audit-keys.js";
import { auditMaterials } from "./audit-materials.js";
import { type OpenRun, openRunOf } from "./open-runs.js";
import { eventDigestOf, replayChain } from "./replay-events.js";
import { Findings } from "./report.js";

/** One check of a whole log. */
export type LogCheck = {
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  readonly code?: ErrorCode;
  readonly message: string;
};

/** An intent that has not ended, where it stands, and what is known of its run if it has one. */
export type OpenIntent = { readonly intentId: string; readonly state: string; readonly run?: OpenRun };

/** Outcome of auditing a store (spec/log.md, `log check`). */
export type LogAudit = {
  readonly schema: "exoarmur.log-audit/v1";
  readonly result: "pass" | "fail" | "unable";
  readonly size: number;
  readonly checks: readonly LogCheck[];
  readonly counts: { readonly events: number; readonly bundles: number; readonly intents: number };
  readonly open: readonly OpenIntent[];
};

/** Whose log is audited. */
export type LogAuditOptions = { readonly origin: string; readonly vkey: string; readonly trust: Trust } & Engines;

/** Everything the checks read, gathered in one pass over the store. */
type Gathered = {
  readonly leaves: {
    readonly events: ReadonlySet<string>;
    readonly bundles: ReadonlySet<string>;
    readonly problems: readonly string[];
  };
  readonly events: readonly CanonicalEvent[];
  readonly chains: Findings;
  readonly records: readonly IntentRecord[];
  /** State documents that cannot be read. */
  readonly unreadable: readonly string[];
};

type Finding = { readonly code: ErrorCode; readonly problems: readonly string[]; readonly passed: string };

const shown = 5;

function result(id: string, title: string, { code, problems, passed }: Finding): LogCheck {
  if (problems.length === 0) return { id, title, state: "pass", message: passed };
  const more = problems.length > shown ? `; and ${problems.length - shown} more` : "";
  return { id, title, state: "fail", code, message: problems.slice(0, shown).join("; ") + more };
}

/**
 * Audits a whole store: the tree, its checkpoint's signature, that the log holds exactly the stored events and bundles,
 * every event chain, that each approval was spent once and each intent ended once, that every material is there or was
 * dropped by order, and every bundle. What a single bundle cannot show is shown here. Reports instead of throwing; safe beside the owner.
 */
export function auditStore(store: StoreReader, options: LogAuditOptions): LogAudit {
  const tree = auditTree(store);
  const checks: LogCheck[] = [
    result("tree", "Merkle tree recomputed", {
      code: "EXO_STORE_DAMAGED",
      problems: tree.problems,
      passed: `${tree.size} leaves, ${tree.nodes} nodes`,
    }),
    checkSignature(store, options),
  ];
  const gathered = gather(store);
  checks.push(
    result("leaves", "every leaf is known, once", {
      code: "EXO_STORE_DAMAGED",
      problems: gathered.leaves.problems,
      passed: "event and bundle leaves only",
    }),
    result("state", "state documents are readable", {
      code: "EXO_STORE_DAMAGED",
      problems: gathered.unreadable,
      passed: `${gathered.records.length} intents`,
    }),
    checkMembers(
      "events",
      "every logged event is stored, and the reverse",
      gathered.leaves.events,
      new Set(gathered.events.map(eventDigestOf)),
    ),
    checkMembers(
      "bundles",
      "every logged bundle is stored, and the reverse",
      gathered.leaves.bundles,
      storedBundles(store, gathered.records),
    ),
    checkChains(gathered),
    checkEnds(gathered),
    checkSpent(gathered),
    checkMaterials(store, gathered),
    checkKeys(store, gathered),
    checkBundles(store, options, gathered.records),
  );
  const states = new Set(checks.map((check) => check.state));
  const open = gathered.records.filter((record) => !endStates.has(record.state));
  return {
    schema: "exoarmur.log-audit/v1",
    result: states.has("fail") ? "fail" : states.has("unable") ? "unable" : "pass",
    size: tree.size,
    checks,
    counts: { events: gathered.events.length, bundles: gathered.leaves.bundles.size, intents: gathered.records.length },
    open: open.map((record): OpenIntent => {
      const run = readable([], () => openRunOf(store, record, gathered.events));
      return { intentId: record.intentId, state: record.state, ...(run === undefined ? {} : { run }) };
    }),
  };
}

function checkSignature(store: StoreReader, { origin, vkey, trust }: LogAuditOptions): LogCheck {
  const about = { id: "checkpoint", title: "checkpoint signature" };
  try {
    const { checkpoint, size } = readLedger(store, origin);
    // Until its first commit after a rotation, a log stands under a key it had before.
    openCheckpoint(checkpoint, [vkey, ...formerVkeys(trust, { origin, vkey })]);
    return { ...about, state: "pass", message: `log ${origin}, size ${size}` };
  } catch (error) {
    if (isExoArmurError(error)) return { ...about, state: "fail", code: error.code, message: error.message };
    throw error;
  }
}

function gather(store: StoreReader): Gathered {
  const chains = new Findings();
  const events: CanonicalEvent[] = [];
  const unreadable: string[] = [];
  for (const { tenantId, correlationId } of readable(unreadable, () => chainHeads(store)) ?? []) {
    try {
      const stored = storedEvents(store, tenantId, correlationId);
      const inputs = stored.map(readEvent);
      events.push(...replayChain(chains, inputs, chainLength(store, tenantId, correlationId)).events);
      if (!headGoesOn(store, tenantId, correlationId, stored.at(-1))) {
        throw new ExoArmurError("EXO_STORE_DAMAGED", "the chain's head does not go on from its last event");
      }
    } catch (error) {
      const code = isExoArmurError(error) ? error.code : "EXO_STORE_DAMAGED";
      const about = { level: "structure", intentId: null, id: "chain", title: "event chain" } as const;
      chains.add({ ...about, state: "fail", code, message: `${correlationId}: ${damageOf(error)}` });
    }
  }
  const records: IntentRecord[] = [];
  for (const [key] of store.range(intentKeys.all)) {
    const record = readable(unreadable, () => readRecord(store, key));
    if (record !== undefined) records.push(record);
  }
  return { leaves: gatherLeaves(store), events, chains, records, unreadable };
}

function gatherLeaves(store: StoreReader): Gathered["leaves"] {
  const kinds = { event: new Set<string>(), bundle: new Set<string>() };
  const problems: string[] = [];
  for (const [key, bytes] of store.range({ gte: "l/", lt: "l0" })) {
    const leaf = readLeaf(bytes);
    if (leaf === undefined || leaf.kind === "shadow") {
      problems.push(`${key} is of no known kind`);
      continue;
    }
    if (kinds[leaf.kind].has(leaf.digest)) problems.push(`${leaf.digest} is in the log again at ${key}`);
    kinds[leaf.kind].add(leaf.digest);
  }
  return { events: kinds.event, bundles: kinds.bundle, problems };
}

/** What a read gives, or undefined with the damage noted. */
function readable<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    problems.push(damageOf(error));
    return undefined;
  }
}

/** What a store's content broke. State documents have no schema: one of another shape breaks whatever reads it. */
function damageOf(error: unknown): string {
  if (isExoArmurError(error)) return `${error.code}: ${error.message}`;
  return `a stored document has another shape: ${error instanceof Error ? error.message : String(error)}`;
}

function readRecord(store: StoreReader, key: string): IntentRecord {
  const record = readState<IntentRecord>(store, key);
  if (record !== undefined && intentKeys.one(record.intentId) === key && Array.isArray(record.materials)) return record;
  throw new ExoArmurError("EXO_STORE_DAMAGED", `the state document ${key} is not of its intent`);
}

function checkMembers(id: string, title: string, logged: ReadonlySet<string>, stored: ReadonlySet<string>): LogCheck {
  const problems = [
    ...[...logged].filter((digest) => !stored.has(digest)).map((digest) => `${digest} is in the log and not stored`),
    ...[...stored].filter((digest) => !logged.has(digest)).map((digest) => `${digest} is stored and not in the log`),
  ];
  return result(id, title, { code: "EXO_STORE_DAMAGED", problems, passed: `${logged.size}` });
}

function storedBundles(store: StoreReader, records: readonly IntentRecord[]): Set<string> {
  const digests = records.map(
    ({ intentId }) => readable([], () => readState<StoredBundle>(store, bundleKey(intentId)))?.digest,
  );
  return new Set(digests.filter((digest) => digest !== undefined));
}

function checkChains({ chains, events }: Gathered): LogCheck {
  const problems = chains.checks.filter((check) => check.state === "fail").map((check) => check.message);
  return result("chains", "event chains", { code: "EXO_CHECK_FAILED", problems, passed: `${events.length} events` });
}

/** Exactly one end for every intent that says it ended, and none for the others. */
function checkEnds({ events, records }: Gathered): LogCheck {
  const ends = new Map<string, number>();
  for (const { intentId, eventType } of events) {
    if (intentId !== null && terminalEventTypes.has(eventType)) ends.set(intentId, (ends.get(intentId) ?? 0) + 1);
  }
  const problems = records.flatMap(({ intentId, state }) => {
    const expected = endStates.has(state) ? 1 : 0;
    const found = ends.get(intentId) ?? 0;
    return found === expected ? [] : [`intent ${intentId} (${state}) has ${found} terminal events`];
  });
  const known = new Set(records.map((record) => record.intentId));
  for (const intentId of ends.keys())
    if (!known.has(intentId)) problems.push(`intent ${intentId} has events and no state`);
  return result("ends", "one terminal event per intent", {
    code: "EXO_CHECK_FAILED",
    problems,
    passed: `${ends.size} ended`,
  });
}

/** No approval request is spent by two starts. */
function checkSpent({ events }: Gathered): LogCheck {
  const spent = new Map<string, string>();
  const problems: string[] = [];
  for (const event of events) {
    const { spent: request } = event.payload;
    if (event.eventType !== "execution_started" || typeof request !== "string") continue;
    const before = spent.get(request);
    if (before !== undefined) problems.push(`${request} was spent by ${before} and by ${event.eventId}`);
    spent.set(request, event.eventId);
  }
  return result("spent", "approvals spent once", { code: "EXO_CHECK_FAILED", problems, passed: `${spent.size} spent` });
}

function checkMaterials(store: StoreReader, { events, records }: Gathered): LogCheck {
  const { problems, named, dropped } = auditMaterials(store, events, records);
  const passed = `${named} materials${dropped === 0 ? "" : `, ${dropped} of them dropped by order`}`;
  return result("materials", "materials present", { code: "EXO_MATERIAL_DIGEST", problems, passed });
}

/** Stored keys and values are what the completed runs left. */
function checkKeys(store: StoreReader, { events, leaves, records }: Gathered): LogCheck {
  const byDigest = new Map(events.map((event) => [eventDigestOf(event), event]));
  const { problems, keys, spaces } = auditKeys(store, byDigest, leaves.events, records, damageOf);
  const passed = `${keys} keys of ${spaces} executors`;
  return result("keys", "keys and values are what completed runs wrote", {
    code: "EXO_STORE_DAMAGED",
    problems,
    passed,
  });
}

/** Every bundle verifies under the home's own trust. */
function checkBundles(
  store: StoreReader,
  { origin, trust, ...engines }: LogAuditOptions,
  records: readonly IntentRecord[],
): LogCheck {
  const problems: string[] = [];
  let [count, notMade] = [0, 0];
  for (const { intentId, state, dropped = [] } of records) {
    if (!endStates.has(state)) continue;
    try {
      const { checkpoint, prove } = readLedger(store, origin);
      const bundle = presentBundle(store, { checkpoint: () => checkpoint, prove }, intentId);
      if (bundle === undefined) continue;
      count += 1;
      const failed = verifyBundle(bundle.bytes(), { trust, ...engines }).checks.filter(
        (check) => check.state === "fail" || check.state === "unable",
      );
      for (const check of failed) {
        // What is missing without an order is found where the materials are compared.
        const lacks = dropped.length > 0 && check.state === "unable" && check.code === "EXO_MATERIAL_MISSING";
        if (lacks) notMade += 1;
        else problems.push(`${intentId}: ${check.title}: ${check.message}`);
      }
    } catch (error) {
      problems.push(`${intentId}: ${damageOf(error)}`);
    }
  }
  const passed = `${count} bundles${notMade === 0 ? "" : `; ${notMade} checks not made, what they read was dropped`}`;
  return result("verify", "bundles verify", { code: "EXO_CHECK_FAILED", problems, passed });
}
