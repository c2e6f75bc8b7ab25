import type { CanonicalEvent } from "../../src/contracts/event.js";
import { type ReplayReport, replayReportSchema } from "../../src/contracts/replay-report.js";
import type { Trust } from "../../src/contracts/trust.js";
import type { SandboxHost, StoreChange, StoreRange, StoreReader } from "../../src/ports.js";
import { eventAuditSource } from "../../src/replay/audit-source.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";

/** Replays a bundle, with or without a sandbox; the report is one of the published schema. */
export async function replay(bytes: Uint8Array, trust: Trust, sandbox?: SandboxHost): Promise<ReplayReport> {
  const engine = new ReplayEngine(sandbox === undefined ? { trust } : { trust, sandbox });
  return replayReportSchema.parse(await engine.replayBundle(bytes));
}

/** Replays events alone. */
export async function replayEvents(correlationId: string, events: readonly unknown[]): Promise<ReplayReport> {
  const auditStore = eventAuditSource(events as CanonicalEvent[]);
  return replayReportSchema.parse(await new ReplayEngine({ auditStore }).replayCorrelation(correlationId));
}

/** A copy of a store that can be changed behind everybody's back. */
export class TamperedStore implements StoreReader {
  readonly entries: Map<string, Uint8Array>;

  constructor(store: StoreReader, changes: readonly StoreChange[] = []) {
    this.entries = new Map(store.range({ gte: " ", lt: "~" }));
    for (const { key, value } of changes) this.put(key, value);
  }

  put(key: string, value: Uint8Array | null): void {
    if (value === null) this.entries.delete(key);
    else this.entries.set(key, value);
  }

  /** Changes one byte of an entry. */
  flip(key: string, at: number): void {
    const value = this.entries.get(key)?.slice();
    if (value === undefined) throw new Error(`no entry ${key}`);
    const place = at < 0 ? value.length + at : at;
    value[place] = (value[place] ?? 0) ^ 1;
    this.entries.set(key, value);
  }

  keys(prefix: string): string[] {
    return [...this.entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }

  *range({ gte, lt, limit, reverse }: StoreRange): Generator<readonly [string, Uint8Array]> {
    const found = [...this.entries].filter(([key]) => key >= gte && key < lt).sort(([a], [b]) => (a < b ? -1 : 1));
    if (reverse === true) found.reverse();
    yield* found.slice(0, limit ?? found.length);
  }
}
