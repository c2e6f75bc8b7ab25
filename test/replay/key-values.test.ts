import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { decodeBase64Url, encodeBase64Url } from "../../src/crypto/encoding.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { Forge } from "../support/forge.js";
import { kvGrants } from "../support/kv.js";
import { realPool } from "../support/real.js";
import { openRig, pluginAt, type Rig, verified } from "../support/rig.js";
import { replay } from "./support.js";

const sandbox = realPool({ size: 1 });
const bundles = new Map<string, Uint8Array>();
let rig: Rig;

/** Runs of the shipped executor, whose store is gone before anything is replayed. */
beforeAll(async () => {
  const store = createMemoryStore();
  rig = await openRig({
    store,
    sandbox,
    plugins: [pluginAt("plugins/kv")],
    grants: kvGrants(["kv"]),
    rules: [{ id: "all", match: {}, verdict: "allow" }],
  });
  const act = async (name: string, action: string, parameters: object): Promise<void> => {
    const result = await rig.pipeline.execute({ actor: "a", action, parameters } as never);
    if (result.status !== "executed") throw new Error(JSON.stringify(result));
    bundles.set(name, result.bundle.bytes());
  };
  await act("put", "kv.put", { key: "n", json: { count: 1 } });
  await act("lost", "kv.put", { key: "n", json: 2, expect: 7 });
  await act("got", "kv.get", { key: "n" });
  await act("listed", "kv.list", { prefix: "n" });
  await act("deleted", "kv.delete", { key: "n", expect: 1 });
  await act("gone", "kv.get", { key: "n" });
  await rig.ledger.close();
  await store.close();
});

const bundle = (name: string): Uint8Array => bundles.get(name) ?? new Uint8Array();

describe("bundles of runs on keys and values", () => {
  it.each(["put", "lost", "got", "listed", "deleted", "gone"])(
    "%s: verifies, and is the same again without any store",
    async (name) => {
      expect(() => rig.store.get("m/checkpoint")).toThrow(expect.objectContaining({ code: "EXO_CLOSED" }));
      verified(bundle(name), rig.trust);
      const report = await replay(bundle(name), rig.trust, sandbox);
      expect(report.failures).toEqual([]);
      expect(report.levels).toEqual({ structure: "pass", governance: "pass", execution: "pass" });
      expect(report.executions[0]?.replayed).toEqual(report.executions[0]?.recorded);
      expect(report.executions[0]?.recorded).toMatchObject({ status: "completed", hostCalls: 1 });
    },
  );

  it("an answer altered by whoever holds every key leads the guest elsewhere, which replay finds", async () => {
    const forge = new Forge(bundle("got"));
    await forge.edit("host_call", (call) => {
      const answer = decodeAbi(decodeBase64Url(call.response) ?? new Uint8Array()) as { ok: { version: number } };
      const forged = encodeAbi({ ok: { ...answer.ok, version: 9 } });
      call.response = encodeBase64Url(forged);
      call.responseDigest = digestOf(forged);
    });
    await forge.retranscribe();
    const bytes = await forge.pack();
    verified(bytes, rig.trust);
    const report = await replay(bytes, rig.trust, sandbox);
    expect(report.result).not.toBe("success");
    expect(report.divergence).toMatchObject({ level: "execution" });
  });
});
