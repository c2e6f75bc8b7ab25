import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseTime } from "../canonical/time.js";
import type { EventPayload } from "../contracts/event.js";
import type { Ledger } from "../log/ledger-types.js";
import { type KillSwitchState, readState } from "../pipeline/documents.js";
import { positions } from "../pipeline/positions.js";
import { intentKeys, stateKeys } from "../pipeline/store-keys.js";
import type { Clock, StoreReader } from "../ports.js";
import type { FedEvent, Feed } from "./feed.js";
import type { FamilyName, Metrics, Sample, Samples } from "./metrics.js";

/** What an event type counts as, and under which label; its payload is read where the label or a sum is in it. */
const plainCounts: Readonly<Record<string, readonly [FamilyName, readonly string[]]>> = {
  intent_received: ["intents_received_total", []],
  approval_requested: ["approvals_total", ["requested"]],
  approval_granted: ["approvals_total", ["granted"]],
  approval_denied: ["approvals_total", ["denied"]],
  approval_expired: ["approvals_total", ["expired"]],
  intent_denied: ["intents_ended_total", ["denied"]],
  execution_completed: ["intents_ended_total", ["completed"]],
  execution_failed: ["intents_ended_total", ["failed"]],
  execution_in_doubt: ["intents_ended_total", ["in_doubt"]],
  execution_resolved: ["intents_ended_total", ["resolved"]],
};

const runEnds: ReadonlySet<string> = new Set(["execution_completed", "execution_failed", "execution_in_doubt"]);

/** Has what is recorded counted. */
export function countEvents(feed: Feed, metrics: Metrics): void {
  feed.follow(({ eventType }, read) => {
    metrics.add("events_total", [eventType]);
    const plain = plainCounts[eventType];
    if (plain !== undefined) metrics.add(...plain);
    if (eventType === "verdict_resolved") {
      metrics.add("verdicts_total", [payloadOf<"verdict_resolved">(read()).final.verdict]);
    }
    if (runEnds.has(eventType)) countRun(metrics, payloadOf<"execution_in_doubt">(read()).execution);
  });
}

function countRun(metrics: Metrics, execution: EventPayload<"execution_in_doubt">["execution"]): void {
  if (execution === null) return;
  metrics.add("executions_total", [execution.status]);
  metrics.add("fuel_used_total", [], execution.fuel.used);
  metrics.add("host_calls_total", [], execution.transcript.size);
}

function payloadOf<T extends "verdict_resolved" | "execution_in_doubt">({ payload }: FedEvent): EventPayload<T> {
  return JSON.parse(payload) as EventPayload<T>;
}

/** Where the numbers that move are looked up. Times in milliseconds. */
export type GaugePorts = {
  readonly store: StoreReader;
  readonly ledger: Pick<Ledger, "size">;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly killed: () => boolean;
  readonly live: { readonly count: number };
  readonly auth: { readonly sessions: { list(): readonly unknown[] } };
  readonly openedAt: number;
};

/** The numbers that move. */
export class Gauges {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor() {
    this.#delay.enable();
  }

  /** The numbers as they are now. */
  read({ store, ledger, feed, clock, killed, live, auth, openedAt }: GaugePorts): Samples {
    const switches = readState<KillSwitchState>(store, stateKeys.killSwitch) ?? { global: true, tenants: {}, epoch: 0 };
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const now = clock.now();
    return {
      intents_open: openByState(store),
      kill_switch_global: one(switches.global ? 1 : 0),
      kill_switch_tenants: one(Object.values(switches.tenants).filter((on) => on).length),
      kill_file: one(killed() ? 1 : 0),
      log_size: one(ledger.size),
      checkpoint_age_seconds: one(Math.max(0, now - (lastTime(store, feed, ledger.size) ?? now)) / 1000),
      live_streams: one(live.count),
      sessions_open: one(auth.sessions.list().length),
      process_resident_memory_bytes: one(rss),
      process_heap_bytes: one(heapUsed),
      process_cpu_seconds_total: one((user + system) / 1e6),
      process_start_time_seconds: one(openedAt / 1000),
      event_loop_delay_seconds: this.#delays(),
    };
  }

  /** Ends measuring. */
  close(): void {
    this.#delay.disable();
  }

  #delays(): Sample[] {
    const seconds = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0);
    const { mean, max } = this.#delay;
    const p99 = this.#delay.percentile(99);
    this.#delay.reset();
    return [
      [["mean"], seconds(mean)],
      [["p99"], seconds(p99)],
      [["max"], seconds(max)],
    ];
  }
}

function one(value: number): Sample[] {
  return [[[], value]];
}

/** Intents that have not ended: the store keeps a list of those alone. */
function openByState(store: StoreReader): Sample[] {
  const counts = new Map([
    ["pending", 0],
    ["started", 0],
    ["in_doubt", 0],
  ]);
  for (const [key] of store.range(intentKeys.opens)) {
    const state = readState<string>(store, key) ?? "";
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return [...counts].map(([state, count]) => [[state], count]);
}

/** Time of the newest event, in milliseconds; a checkpoint is signed with the commit that holds it. */
function lastTime(store: StoreReader, feed: Feed, size: number): number | undefined {
  for (const position of positions(store, { from: 0, until: size, reverse: true })) {
    return parseTime(feed.read(position).head.recordedAt);
  }
  return undefined;
}
