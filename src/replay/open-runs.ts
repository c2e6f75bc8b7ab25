import { clipText } from "../canonical/clip-text.js";
import type { CanonicalEvent } from "../contracts/event.js";
import type { HostCall } from "../contracts/execution.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { readIntent } from "../pipeline/present.js";
import type { StoreReader } from "../ports.js";
import { mapOf, storedCalls } from "./stored-runs.js";

/**
 * A write-effect that was journaled by a run which has not ended. `says`: the plain members of its request, without
 * content, null where the process died before the call was recorded. `outcome`: the recorded one, null likewise.
 */
export type OpenEffect = {
  readonly seq: number;
  readonly capability: string;
  readonly effectId: string;
  readonly requestDigest: string;
  readonly startedAt: string;
  readonly says: Readonly<Record<string, string | number>> | null;
  readonly outcome: HostCall["outcome"] | null;
};

/**
 * A started intent without an end. `cause`: why it is in doubt, `interrupted` where the process died, null while it is
 * not. `resolve`: the command that closes it, null likewise.
 */
export type OpenRun = {
  readonly tenantId: string;
  readonly action: string;
  readonly executor: string | null;
  readonly target: string | null;
  readonly startedAt: string | null;
  readonly cause: string | null;
  readonly effects: readonly OpenEffect[];
  readonly resolve: string | null;
};

/** What is known of a run that has not ended; undefined for an intent that has none under way. Throws what reading throws. */
export function openRunOf(
  store: StoreReader,
  record: IntentRecord,
  events: readonly CanonicalEvent[],
): OpenRun | undefined {
  const { intentId, tenantId, state } = record;
  if (state !== "started" && state !== "in_doubt") return undefined;
  const { action, executor, target } = readIntent(store, record);
  const own = events.filter((event) => event.intentId === intentId);
  const doubt = own.find(({ eventType }) => eventType === "execution_in_doubt");
  const calls = new Map([...storedCalls(store, record)].map((call) => [call.seq, call]));
  return {
    tenantId,
    action,
    executor: executor?.name ?? null,
    target: target ?? null,
    startedAt: own.find(({ eventType }) => eventType === "execution_started")?.recordedAt ?? null,
    cause: doubt === undefined ? null : textOf(doubt.payload["cause"]),
    effects: own.filter(({ eventType }) => eventType === "effect_started").map((event) => effectOf(event, calls)),
    resolve:
      state === "in_doubt"
        ? `exoarmur resolve ${intentId} --outcome committed|not_executed|unknown --evidence FILE`
        : null,
  };
}

function effectOf({ payload, recordedAt }: CanonicalEvent, calls: ReadonlyMap<number, HostCall>): OpenEffect {
  const seq = Number(payload["seq"]);
  const call = calls.get(seq);
  return {
    seq,
    capability: textOf(payload["capability"]),
    effectId: textOf(payload["effectId"]),
    requestDigest: textOf(payload["requestDigest"]),
    startedAt: recordedAt,
    says: call === undefined ? null : plainMembers(call),
    outcome: call?.outcome ?? null,
  };
}

/** Texts and numbers of a request: content is bytes, and maps such as headers may hold what is nobody's business. */
function plainMembers({ request }: HostCall): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [member, value] of Object.entries(mapOf(request) ?? {})) {
    if (typeof value === "string") plain[member] = clipText(value, 200);
    else if (typeof value === "number") plain[member] = value;
  }
  return plain;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
