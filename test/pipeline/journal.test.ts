import { describe, expect, test } from "vitest";
import { digestOfJson } from "../../src/canonical/digest.js";
import type { Effect } from "../../src/contracts/event.js";
import { type CapabilityName, capabilityNames, isOutsideWrite } from "../../src/contracts/imports.js";
import { blobKey } from "../../src/pipeline/store-keys.js";
import type { AbiValue, EffectCall, Performer, Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore } from "../support/crash-store.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import { checkStore, draft, endOf, openRig, type Plugin, pluginAt, type Rig, stubModule } from "../support/rig.js";

const outside = capabilityNames.filter(isOutsideWrite);
const bytes = new Uint8Array(1);
const requests: Readonly<Partial<Record<CapabilityName, AbiValue>>> = {
  fs_write: { path: "data/a", bytes, mode: "replace" },
  fs_remove: { path: "data/a" },
  fs_append: { path: "data/a", bytes },
  fs_mkdir: { path: "data/a" },
  fs_rename: { path: "data/a", to: "data/b", mode: "replace" },
  http_request: { method: "POST", url: "https://api.example.com/v1/x", headers: {}, body: bytes },
};

function plugin(effectKey?: string[]): Plugin {
  const { manifest } = pluginAt("plugins/fs");
  const all = outside.map((name) => ({ name }));
  const functions = [
    { name: "write", action: "fs.write", target: "/path", effects: "write" as const, ...(effectKey && { effectKey }) },
  ];
  return { manifest: { ...manifest, functions, capabilities: all }, wasm: stubModule(["write"]) };
}

const allow = [{ scheme: "https", host: "api.example.com", port: 443, methods: ["POST"], pathPrefix: "/v1" }] as never;
const grants = {
  fs: Object.fromEntries(outside.map((name) => [name, name === "http_request" ? { allow } : { roots: ["data"] }])),
};

/** A rig whose performers note what the store held, durably, when each was called. */
async function journalRig(store: Store, durable: Store, effectKey?: string[]) {
  const seen: { capability: CapabilityName; effect: EffectCall | undefined; journaled: Effect[] }[] = [];
  const journaled = (): Effect[] => {
    const found: Effect[] = [];
    for (const [, packed] of durable.range({ gte: "e/", lt: "e0" })) {
      const text = new TextDecoder().decode(packed);
      if (!text.includes('"eventType":"effect_started"')) continue;
      found.push(JSON.parse(text.slice(text.lastIndexOf('{"capability"'))) as Effect);
    }
    return found;
  };
  const performer = (capability: CapabilityName): Performer => ({
    perform: (_request, _constraints, _signal, effect) => {
      seen.push({ capability, effect, journaled: journaled() });
      return { outcome: "ok", value: {} };
    },
  });
  const rig = await openRig({
    store,
    sandbox: new FakeSandbox({
      write: async (guest) => {
        for (const name of outside) await guest.call(name, requests[name] ?? {});
        return {};
      },
    }),
    plugins: [plugin(effectKey)],
    grants,
    performers: Object.fromEntries(outside.map((name) => [name, performer(name)])),
  });
  return { rig, seen };
}

const write = (rig: Rig, more = {}) => rig.pipeline.execute(draft("fs.write", "data/a", more));

describe("every write outside the runtime", () => {
  test("is known to this test", () => {
    expect(Object.keys(requests).sort()).toEqual([...outside].sort());
  });

  test("is journaled, durably, before it is performed, under an id of its own", async () => {
    const store = createMemoryStore();
    const { rig, seen } = await journalRig(store, store);
    const result = await write(rig);
    expect(endOf(result)).toBe("executed");
    expect(seen.map(({ capability }) => capability)).toEqual(outside);
    const intent = rig.pipeline.trace(result.intentId)[0]?.payload["intentDigest"] as string;
    expect(store.get(blobKey(intent))).toBeDefined();
    for (const [seq, { capability, effect, journaled }] of seen.entries()) {
      expect(journaled).toHaveLength(seq + 1);
      const own = journaled.find((one) => one.seq === seq);
      const effectId = digestOfJson([intent, seq]);
      expect(own).toMatchObject({ capability, effectId });
      expect(effect?.effectId).toBe(effectId);
    }
    expect(new Set(seen.map(({ effect }) => effect?.effectId)).size).toBe(outside.length);
    checkStore(rig);
  });

  test("has the same id in a retry under the same effect key, another under another", async () => {
    const ids: string[][] = [];
    for (const [seed, more] of [
      ["one", { idempotencyKey: "first" }],
      ["two", { idempotencyKey: "second", actor: "somebody-else" }],
      ["three", { parameters: { order: "2" } }],
    ] as const) {
      const store = createMemoryStore();
      const { rig, seen } = await journalRig(store, store, ["/path", "/order"]);
      const given = { parameters: { order: "1" }, ...more };
      expect(endOf(await write(rig, given)), seed).toBe("executed");
      ids.push(seen.map(({ effect }) => effect?.effectId ?? ""));
    }
    expect(ids[1]).toEqual(ids[0]);
    expect(ids[2]?.some((id) => ids[0]?.includes(id))).toBe(false);
  });

  test.each(outside.map((name, at) => [name, at] as const))(
    "%s is not performed when its journal's commit fails, whether the record reached the disk or not",
    async (_name, at) => {
      for (const mode of ["before", "after"] as const) {
        const durable = createMemoryStore();
        const store = new CrashStore(durable);
        const { rig, seen } = await journalRig(store, durable);
        // The start is one commit, each journal record another.
        store.arm(2 + at, mode);
        await expect(write(rig)).rejects.toMatchObject({ code: "EXO_STORE" });
        expect(seen.map(({ capability }) => capability)).toEqual(outside.slice(0, at));
        expect(seen.at(-1)?.journaled.length ?? 0).toBe(at);
      }
    },
  );
});
