import { openHomeView } from "../../../src/cli/home-view.js";
import type { Trust } from "../../../src/contracts/trust.js";
import { openCheckpoint } from "../../../src/log/checkpoint.js";
import { verifyConsistency } from "../../../src/log/tree.js";
import { type IntentRecord, readState } from "../../../src/pipeline/documents.js";
import { presentBundle, readIntent } from "../../../src/pipeline/present.js";
import { readEvent, storedEvents } from "../../../src/pipeline/recorder.js";
import { intentKeys } from "../../../src/pipeline/store-keys.js";
import { auditStore, type LogAudit } from "../../../src/replay/audit-log.js";
import { verifyBundle } from "../../../src/verify/verify-bundle.js";
import { kvState } from "../../support/kv.js";

/** An intent as the store has it. */
export type StoredIntent = { readonly key: string; readonly record: IntentRecord };

/** What lies in a home that nobody owns, read without changing it. */
export type DeadHome = {
  readonly trust: Trust;
  /** Number of log entries; 0 while nothing was recorded. */
  readonly size: number;
  /** By idempotency key. */
  readonly intents: ReadonlyMap<string, StoredIntent>;
  /** Keys and values of the executor `kv`: key, text, version. */
  readonly keys: readonly [string, string, number][];
  /** How many versions of plugins were ever admitted. */
  readonly admissions: number;
  /** Digest of an ended intent's bundle; the bundle is verified with the home's trust where `verify` is set. */
  digestOf(intentId: string, verify: boolean): string | undefined;
  /** Whether a checkpoint that was told earlier is signed by the log and of a beginning of the log as it is now. */
  isConsistent(note: string): boolean;
  audit(): LogAudit;
};

/** Opens a home that nobody owns, does `work` and closes it again. */
export async function withDeadHome<T>(home: string, work: (dead: DeadHome) => T): Promise<T> {
  const view = await openHomeView(home);
  try {
    const { store, home: opened } = view;
    const { log, trust } = opened;
    const present = view.log();
    const intents = new Map<string, StoredIntent>();
    for (const [stored] of store.range(intentKeys.all)) {
      const record = readState<IntentRecord>(store, stored);
      if (record === undefined) continue;
      const key = readIntent(store, record).idempotencyKey;
      intents.set(key, { key, record });
    }
    return work({
      trust,
      size: present?.size ?? 0,
      intents,
      keys: kvState(store),
      admissions: storedEvents(store, "default", "system").filter(
        (packed) => readEvent(packed).eventType === "plugin_admitted",
      ).length,
      digestOf: (intentId, verify) => {
        const bundle = presentBundle(store, view.prover, intentId);
        if (bundle === undefined || !verify) return bundle?.digest;
        const report = verifyBundle(bundle.bytes(), { trust });
        if (report.result === "pass" && report.trustMode === "pinned") return bundle.digest;
        const failed = report.checks.filter(({ state }) => state === "fail" || state === "unable");
        throw new Error(`bundle of ${intentId}: ${JSON.stringify(failed)}`);
      },
      isConsistent: (note) => {
        const old = openCheckpoint(note, [log.vkey]);
        if (present === undefined || old.origin !== log.origin || old.size > present.size) return false;
        const sizes = { oldSize: old.size, newSize: present.size };
        const proof = present.consistency(old.size, present.size);
        return verifyConsistency({ ...sizes, oldRoot: old.root, newRoot: present.root, proof });
      },
      audit: () => auditStore(store, { ...log, trust }),
    });
  } finally {
    await view.close();
  }
}

/** What an audit found wrong, in words; empty when it passed. */
export function auditProblems({ result, checks }: LogAudit): string[] {
  const problems = checks.filter(({ state }) => state !== "pass").map((check) => `${check.title}: ${check.message}`);
  return result === "pass" ? problems : [result, ...problems];
}
