import { formatTime, parseTime } from "../canonical/time.js";
import type { Notice, StoreReader } from "../ports.js";
import { openApproval, readRequest } from "./approvals.js";
import { type IntentRecord, readState } from "./documents.js";
import { shown } from "./notices.js";
import { keptIntent } from "./present.js";
import { intentKeys } from "./store-keys.js";

/** Parts of a request's life after which it is reminded of while nobody decided. */
const remindAfter = [0.5, 0.9] as const;

/**
 * The reminders that are due of requests that still wait for people, one for each: the last of its schedule that has
 * passed. Made from the store alone, so a restart finds the same again. `now` in milliseconds.
 */
export function dueReminders(reader: StoreReader, now: number): Notice[] {
  const due: Notice[] = [];
  for (const [key] of reader.range(intentKeys.opens)) {
    const intent = readState<IntentRecord>(reader, intentKeys.one(key.slice("o/".length)));
    const approval = intent === undefined ? null : openApproval(reader, intent);
    if (intent === undefined || approval?.state.status !== "pending") continue;
    const request = readRequest(reader, approval.digest);
    const [from, until] = [parseTime(request.requestedAt), parseTime(request.expiresAt)];
    const times = remindAfter.map((part) => Math.round(from + (until - from) * part)).filter((time) => time <= now);
    const at = times.at(-1);
    if (at === undefined || now > until) continue;
    const action = keptIntent(reader, intent)?.action;
    due.push({
      schema: "exoarmur.notification/v1",
      id: `approval_reminder/${request.requestId}/${times.length}`,
      event: "approval_reminder",
      at: formatTime(at),
      cellId: request.cellId,
      tenantId: request.tenantId,
      intentId: request.intentId,
      ...(action === undefined ? {} : { action }),
      ...shown(request),
    });
  }
  return due;
}
