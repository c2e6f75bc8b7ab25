import { formatTime } from "../canonical/time.js";
import type { AccessDenial } from "../contracts/event.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { runtimeActor } from "./intent-work.js";
import { appendSystemEvent } from "./orders.js";
import type { PipelinePorts } from "./types.js";

/** Requests that were denied between two times, in milliseconds, counted by kind. At most maxAccessDenials rows. */
export type DeniedAccess = {
  readonly since: number;
  readonly until: number;
  readonly denials: readonly AccessDenial[];
};

/** Appends what was denied before it ever became an intent. */
export function recordDeniedAccess(tx: LedgerTx, { since, until, denials }: DeniedAccess, ports: PipelinePorts): void {
  const payload = { since: formatTime(since), until: formatTime(until), denials: [...denials] };
  appendSystemEvent(tx, ports, "access_denied", payload, runtimeActor);
}
