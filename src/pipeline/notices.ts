import { formatTime, parseTime } from "../canonical/time.js";
import type { ApprovalRequest } from "../contracts/approval.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { Notice } from "../ports.js";
import { readRequest } from "./approvals.js";
import { type ApprovalRecord, writeState } from "./documents.js";
import type { IntentWork } from "./intent-work.js";
import { noticeKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

type Told = Omit<Notice, "schema" | "at" | "cellId">;

/** Keeps a notice with what it is about, in the same transaction, where a notifier is configured. `now` in milliseconds. */
export function recordNotice(tx: LedgerTx, { notices, deployment }: PipelinePorts, told: Told, now: number): void {
  if (notices === undefined) return;
  const { cellId } = deployment;
  const notice: Notice = { schema: "exoarmur.notification/v1", at: formatTime(now), cellId, ...told };
  writeState(tx, noticeKeys.one(now, notice.id), notice);
  tx.onSealed(() => notices.recorded());
}

/** Tells that a request waits for people. */
export function tellWaiting(tx: LedgerTx, { record, intent, ports }: IntentWork, request: ApprovalRequest): void {
  const about = { tenantId: record.tenantId, intentId: record.intentId, action: intent.action };
  const id = `approval_waiting/${request.requestId}`;
  recordNotice(
    tx,
    ports,
    { id, event: "approval_waiting", ...about, ...shown(request) },
    parseTime(request.requestedAt),
  );
}

/** Tells that a request was decided or closed; nothing while it still waits for people. */
export function tellDecided(
  tx: LedgerTx,
  work: IntentWork,
  { requestId, digest, state }: ApprovalRecord,
  now: number,
): void {
  const { status } = state;
  const { record, intent, ports } = work;
  if (status === "pending" || ports.notices === undefined) return;
  const about = { tenantId: record.tenantId, intentId: record.intentId, action: intent.action };
  const id = `approval_decided/${requestId}/${status}`;
  const times = status === "approved" ? shown(readRequest(tx, digest)) : { requestId };
  recordNotice(tx, ports, { id, event: "approval_decided", ...about, ...times, status }, now);
}

/** Tells that an intent is in doubt, which an operator has to close. */
export function tellDoubt(tx: LedgerTx, { record, intent, ports }: IntentWork, now: number): void {
  const { intentId, tenantId } = record;
  recordNotice(
    tx,
    ports,
    { id: `in_doubt/${intentId}`, event: "in_doubt", tenantId, intentId, action: intent.action },
    now,
  );
}

/** What a notice shows of a request. */
export function shown({
  requestId,
  notBefore,
  expiresAt,
}: ApprovalRequest): Pick<Notice, "requestId" | "notBefore" | "expiresAt"> {
  return { requestId, ...(notBefore === undefined ? {} : { notBefore }), expiresAt };
}
