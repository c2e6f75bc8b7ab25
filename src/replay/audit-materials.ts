import { digestOf } from "../canonical/digest.js";
import type { CanonicalEvent, EventPayload } from "../contracts/event.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { blobKey, blobKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";

/** What an audit of the materials found. */
export type MaterialsAudit = {
  readonly problems: readonly string[];
  /** Different materials that intents name. */
  readonly named: number;
  /** Those of them that `materials_dropped` events account for. */
  readonly dropped: number;
};

type Dropped = EventPayload<"materials_dropped">["materials"][number];

/**
 * Compares every stored material with its digest, and what intents name with what is stored: a material may be missing
 * only where a logged `materials_dropped` event says that it was dropped of this intent in this role, and then it is
 * gone and the intent's state says the same (spec/retention.md).
 */
export function auditMaterials(
  store: StoreReader,
  events: readonly CanonicalEvent[],
  records: readonly IntentRecord[],
): MaterialsAudit {
  const problems: string[] = [];
  const whole = new Set<string>();
  for (const [key, bytes] of store.range(blobKeys)) {
    whole.add(key);
    // Not only what intents name: policies and plugins lie here before the first run.
    if (blobKey(digestOf(bytes)) !== key) problems.push(`the material sha256:${key.slice(2)} has other bytes`);
  }
  const drops = droppedOf(events, whole, problems);
  const named = new Set<string>();
  let dropped = 0;
  for (const record of records) {
    const own = drops.get(record.intentId) ?? new Map<string, Dropped>();
    drops.delete(record.intentId);
    dropped += own.size;
    for (const { digest } of record.materials) named.add(digest);
    problems.push(...problemsOf(record, own, whole));
  }
  for (const intentId of drops.keys()) problems.push(`materials of ${intentId} were dropped, and it has no state`);
  return { problems, named: named.size, dropped };
}

function problemsOf(
  { intentId, materials, dropped = [] }: IntentRecord,
  own: ReadonlyMap<string, Dropped>,
  whole: ReadonlySet<string>,
): string[] {
  const of = `of intent ${intentId}`;
  const seen = new Set<string>();
  const gone = new Set<string>(dropped);
  const problems = materials.flatMap(({ digest, role }) => {
    const drop = own.get(digest);
    seen.add(digest);
    if (drop?.role === role)
      return whole.has(blobKey(digest)) ? [`${role} ${digest} ${of} was dropped and is there`] : [];
    return whole.has(blobKey(digest)) ? [] : [`${role} ${digest} ${of} is missing`];
  });
  for (const digest of own.keys()) {
    if (!seen.has(digest)) problems.push(`${digest} was dropped, and is no material ${of}`);
    if (!gone.has(digest)) problems.push(`the state ${of} does not say that ${digest} was dropped`);
  }
  for (const digest of dropped) {
    if (!own.has(digest)) problems.push(`the state ${of} says that ${digest} was dropped, and the log does not`);
  }
  return problems;
}

/** What the log says was dropped, by intent and digest. The orders behind it are kept. */
function droppedOf(
  events: readonly CanonicalEvent[],
  whole: ReadonlySet<string>,
  problems: string[],
): Map<string, Map<string, Dropped>> {
  const drops = new Map<string, Map<string, Dropped>>();
  for (const { eventType, eventId, payload } of events) {
    if (eventType !== "materials_dropped") continue;
    const { envelopeDigest, materials } = payload as EventPayload<"materials_dropped">;
    if (!whole.has(blobKey(envelopeDigest))) problems.push(`the order of ${eventId}, ${envelopeDigest}, is missing`);
    for (const drop of materials) {
      const own = drops.get(drop.intentId) ?? new Map<string, Dropped>();
      drops.set(drop.intentId, own.set(drop.digest, drop));
    }
  }
  return drops;
}
