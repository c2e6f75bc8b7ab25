import { isPast } from "../approval/state.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { readRequest } from "./approvals.js";
import { expireIfPast } from "./decide.js";
import { type ApprovalRecord, type IntentRecord, readState } from "./documents.js";
import { doubtReason, settleRun } from "./execute.js";
import { IntentWork } from "./intent-work.js";
import { tellDoubt } from "./notices.js";
import { chainTime } from "./recorder.js";
import { approvalKeys, intentKeys } from "./store-keys.js";
import type { Admission } from "./submit.js";
import type { PipelinePorts } from "./types.js";

/** Ids of the intents that have not ended. */
export function openIntents(reader: StoreReader): string[] {
  const ids: string[] = [];
  for (const [key] of reader.range(intentKeys.opens)) ids.push(key.slice("o/".length));
  return ids;
}

/**
 * Marks a started intent that nobody runs any more as in doubt: the process died between start and outcome. It is never
 * run again by itself. The whole reserved fuel counts as used, and the effect key stays held.
 *
 * @returns whether the intent was such a one
 */
export function markInDoubt(tx: LedgerTx, intentId: string, ports: PipelinePorts): boolean {
  const work = IntentWork.load(tx, intentId, ports);
  const { record } = work;
  const started = record.events.find((event) => event.eventType === "execution_started");
  if (record.state !== "started" || started === undefined) return false;
  const now = chainTime(tx, record, ports.clock.now());
  settleRun(tx, work, record.reserved?.fuel ?? 0, "unknown", now);
  record.reason = doubtReason(intentId);
  work.append(
    tx,
    "execution_in_doubt",
    { startedDigest: started.digest, cause: "interrupted", effects: record.effects, execution: null },
    now,
  );
  tellDoubt(tx, work, now);
  work.save(tx);
  return true;
}

/** True when an intent waits for an approval whose request has expired. `now` in milliseconds. */
export function isApprovalPast(reader: StoreReader, intentId: string, now: number): boolean {
  const intent = readState<IntentRecord>(reader, intentKeys.one(intentId));
  if (intent?.state !== "pending" || intent.approval === null) return false;
  return isPast(readRequest(reader, intent.approval.digest), now);
}

/** Ends a pending intent whose approval request has expired, or null. */
export async function expirePending(tx: LedgerTx, intentId: string, ports: PipelinePorts): Promise<Admission | null> {
  const work = IntentWork.load(tx, intentId, ports);
  const { approval } = work.record;
  const record = approval === null ? undefined : readState<ApprovalRecord>(tx, approvalKeys.one(approval.requestId));
  if (record === undefined) return null;
  const now = chainTime(tx, work.record, ports.clock.now());
  return await expireIfPast(tx, record, readRequest(tx, record.digest), work, now);
}
