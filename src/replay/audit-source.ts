import type { CanonicalEvent } from "../contracts/event.js";
import type { LogProver } from "../log/cosigned.js";
import { presentBundle } from "../pipeline/present.js";
import { chainHeads, chainLength, readEvent, storedEvents } from "../pipeline/recorder.js";
import type { StoreReader } from "../ports.js";

/** Events of one chain, in any order. `next`: how many the chain is known to have. */
export type AuditChain = {
  readonly tenantId: string;
  readonly events: readonly unknown[];
  readonly next: number | null;
};

/** A correlation of a source that can list them; its chains are read when they are asked for. */
export type AuditCorrelation = { readonly id: string; chains(): readonly AuditChain[] };

/** Where a replay finds recorded events and, where they are kept, bundles. */
export type AuditStore = {
  /** The chains of a correlation: one per tenant that used the id. Empty when nothing is recorded. */
  chains(correlationId: string): readonly AuditChain[];
  /** Every correlation there is at the time, sorted by id; absent where the source cannot list them. */
  correlations?(): readonly AuditCorrelation[];
  /** The bundle of an ended intent, as a file's bytes; undefined when there is none. */
  bundle?(intentId: string): Uint8Array | undefined;
};

/** An audit store over plain events, such as a recorded stream. */
export function eventAuditSource(events: readonly CanonicalEvent[]): AuditStore {
  return {
    chains: (correlationId) => {
      const tenants = new Map<string, CanonicalEvent[]>();
      for (const event of events) {
        if (event.correlationId !== correlationId) continue;
        tenants.set(event.tenantId, [...(tenants.get(event.tenantId) ?? []), event]);
      }
      const sorted = [...tenants].sort(([a], [b]) => (a < b ? -1 : 1));
      return sorted.map(([tenantId, found]) => ({ tenantId, events: found, next: null }));
    },
  };
}

/** An audit store over a runtime's own store and log, open or read beside its owner. */
export function storeAuditSource(store: StoreReader, log: LogProver): AuditStore {
  const chain = (tenantId: string, correlationId: string): AuditChain => ({
    tenantId,
    events: storedEvents(store, tenantId, correlationId).map(readEvent),
    next: chainLength(store, tenantId, correlationId),
  });
  return {
    chains: (correlationId) =>
      chainHeads(store)
        .filter((head) => head.correlationId === correlationId)
        .map(({ tenantId }) => chain(tenantId, correlationId)),
    correlations: () => {
      const tenants = new Map<string, string[]>();
      for (const { tenantId, correlationId } of chainHeads(store)) {
        tenants.set(correlationId, [...(tenants.get(correlationId) ?? []), tenantId]);
      }
      const sorted = [...tenants].sort(([a], [b]) => (a < b ? -1 : 1));
      return sorted.map(([id, names]) => ({ id, chains: () => names.map((tenantId) => chain(tenantId, id)) }));
    },
    bundle: (intentId) => presentBundle(store, log, intentId)?.bytes(),
  };
}
