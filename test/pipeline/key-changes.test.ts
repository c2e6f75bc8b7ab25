import { describe, expect, it } from "vitest";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { openRig } from "../support/rig.js";
import { keys, usualKeys } from "../support/world.js";

type Store = ReturnType<typeof createMemoryStore>;

/** The changes of keys that the log holds, in order. */
function changes(store: Store): unknown[] {
  return storedEvents(store, "default", "system")
    .map(readEvent)
    .filter(({ eventType }) => eventType === "key_rotated" || eventType === "key_revoked")
    .map(({ eventType, payload }) => ({ eventType, ...payload }));
}

async function start(store: Store, trustKeys: readonly TrustedKey[]): Promise<unknown[]> {
  const rig = await openRig({ store, trustKeys });
  await rig.pipeline.open();
  return changes(store);
}

const entry = (over: Partial<TrustedKey> = {}): TrustedKey => ({
  role: "approver",
  id: "zoe",
  publicKey: encodeBase64(keys.bob.publicKey),
  from: null,
  until: null,
  ...over,
});

const zoe = { role: "approver", id: "zoe", keyId: keys.bob.keyId };
const base = usualKeys.filter(({ publicKey }) => publicKey !== entry().publicKey);

describe("changes of the trust file's keys", () => {
  it("are no events while nothing changes, from the first start on", async () => {
    const store = createMemoryStore();
    expect(await start(store, [...base, entry()])).toEqual([]);
    expect(await start(store, [...base, entry()])).toEqual([]);
    expect(await start(store, [entry(), ...base])).toEqual([]);
  });

  it("a key that comes in, ends, ends earlier and is gone is recorded once each", async () => {
    const store = createMemoryStore();
    await start(store, base);
    const came = { eventType: "key_rotated", ...zoe, from: 3, previous: null };
    const ends = (until: number) => ({ eventType: "key_revoked", ...zoe, until });
    expect(await start(store, [...base, entry({ from: 3 })])).toEqual([came]);
    expect(await start(store, [...base, entry({ from: 3, until: 90 })])).toEqual([came, ends(90)]);
    expect(await start(store, [...base, entry({ from: 3, until: 90 })])).toHaveLength(2);
    expect(await start(store, [...base, entry({ from: 3, until: 50 })])).toEqual([came, ends(90), ends(50)]);
    expect(await start(store, base)).toEqual([came, ends(90), ends(50), ends(0)]);
  });

  it("the reason of an end is recorded with it, and is no change of its own", async () => {
    const store = createMemoryStore();
    await start(store, [...base, entry()]);
    const stolen = { eventType: "key_revoked", ...zoe, until: 90, reason: "stolen" };
    expect(await start(store, [...base, entry({ until: 90, reason: "stolen" })])).toEqual([stolen]);
    expect(await start(store, [...base, entry({ until: 90, reason: "lost" })])).toEqual([stolen]);
    const earlier = { eventType: "key_revoked", ...zoe, until: 50, reason: "lost" };
    expect(await start(store, [...base, entry({ until: 50, reason: "lost" })])).toEqual([stolen, earlier]);
  });

  it("a key in the place of another of its role and id names it", async () => {
    const store = createMemoryStore();
    const next = entry({ publicKey: encodeBase64(keys.carol.publicKey), from: 7 });
    await start(store, [...base, entry()]);
    expect(await start(store, [...base, entry({ until: 7 }), next])).toEqual([
      { eventType: "key_revoked", ...zoe, until: 7 },
      { eventType: "key_rotated", ...zoe, keyId: keys.carol.keyId, from: 7, previous: zoe.keyId },
    ]);
  });

  it("an end that is put off is a key that comes in again", async () => {
    const store = createMemoryStore();
    await start(store, [...base, entry({ until: 5 })]);
    expect(await start(store, [...base, entry({ until: 500 })])).toEqual([
      { eventType: "key_rotated", ...zoe, from: null, previous: null },
    ]);
    expect(await start(store, [...base, entry()])).toHaveLength(2);
  });
});
