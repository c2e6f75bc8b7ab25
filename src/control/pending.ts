import type { ApprovalHead } from "../contracts/control.js";
import { readRequest } from "../pipeline/decide.js";
import { type ApprovalRecord, type IntentRecord, readState } from "../pipeline/documents.js";
import { openIntents } from "../pipeline/recovery.js";
import { approvalKeys, intentKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";
import type { Desk } from "./desk.js";
import type { Page } from "./pages.js";
import { approvalHead } from "./views.js";

type Asked = {
  readonly shown: (tenantId: string) => boolean;
  readonly limit: number;
  readonly cursor: string | undefined;
};

/**
 * The approval requests that wait, newest first: those of the intents that have not ended, however many others there are.
 * EXO_SCHEMA for a cursor of another list.
 */
export function pagePending({ store, cursors }: Desk, { shown, limit, cursor }: Asked): Page<ApprovalHead> {
  const list = "pending approvals";
  const after = cursor === undefined ? undefined : cursors.open(list, cursor);
  const items: ApprovalHead[] = [];
  for (const requestId of waitingRequests(store)) {
    if (after !== undefined && requestId >= after) continue;
    const record = readState<ApprovalRecord>(store, approvalKeys.one(requestId));
    if (record?.state.status !== "pending") continue;
    const request = readRequest(store, record.digest);
    if (!shown(request.tenantId)) continue;
    const last = items.at(-1)?.request.requestId;
    if (items.length === limit && last !== undefined) return { items, nextCursor: cursors.seal(list, last) };
    items.push(approvalHead(record, request));
  }
  return { items, nextCursor: null };
}

/** Ids of the open requests of pending intents, newest first. */
function waitingRequests(store: StoreReader): string[] {
  const ids: string[] = [];
  for (const intentId of openIntents(store)) {
    if (readState<string>(store, intentKeys.open(intentId)) !== "pending") continue;
    const approval = readState<IntentRecord>(store, intentKeys.one(intentId))?.approval;
    if (approval !== undefined && approval !== null) ids.push(approval.requestId);
  }
  return ids.sort().reverse();
}
