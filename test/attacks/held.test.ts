import { beforeAll, describe, expect, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { blobKey } from "../../src/pipeline/store-keys.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { heldForgeries } from "../conformance/held.js";
import { type HeldBundles, heldBundles } from "../support/held-bundles.js";
import { checkStore, draft, endOf, openRig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, startMs } from "../support/world.js";

const rule: PolicyRule = {
  id: "ask",
  match: { action: "fs.remove" },
  verdict: "require_approval",
  obligations: { approvals: 1, roles: ["approver"], holdSeconds: 60 },
};
const remove = draft("fs.remove", "data/orders.csv");

let all: HeldBundles;
beforeAll(async () => {
  all = await heldBundles();
});

describe("a bundle", () => {
  test.each(heldForgeries)(
    "a runtime that starts early cannot show an honest bundle: %s",
    async (_about, of, code, make) => {
      const { trust } = all;
      expect(verifyBundle(all[of], { trust }).result).toBe("pass");
      const report = verifyBundle(await (await make(all[of])).pack(), { trust });
      expect(report.checks.filter(({ state }) => state === "fail").map(({ id, code: found }) => [id, found])).toEqual([
        ["approvals", code],
      ]);
    },
  );
});

describe("live", () => {
  test("a grant for the request without its hold does not approve the held one", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(remove));
    const { notBefore: _hold, ...bare } = request;
    for (const other of [bare, { ...request, notBefore: request.requestedAt }] as ApprovalRequest[]) {
      await expect(rig.pipeline.decide(await grant(other, "alice", keys.alice))).rejects.toMatchObject({
        code: "EXO_APPROVAL_UNKNOWN",
      });
    }
    rig.clock.set(startMs + 60_000);
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, endOf(rig.pipeline.status(request.intentId))]).toEqual([0, "approval_pending"]);
  });

  test("a clock set forward and back starts it once, and not before a time that was recorded", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(remove));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    for (const at of [startMs - 60_000, startMs + 59_999, startMs, startMs + 60_000, startMs, startMs + 120_000]) {
      rig.clock.set(at);
      await rig.pipeline.resumeHeld();
      await rig.pipeline.idle();
    }
    expect(rig.sandbox.starts).toBe(1);
    const started = rig.pipeline.trace(request.intentId).find(({ eventType }) => eventType === "execution_started");
    expect(started?.recordedAt).toBe(request.notBefore);
    checkStore(rig);
  });

  test("a store in which the hold was cut out of the request is refused", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(remove));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    const digest = rig.pipeline.approvals()[0]?.record.digest ?? "";
    const { notBefore: _hold, ...bare } = parseCanonical(rig.store.get(blobKey(digest)) as Uint8Array) as {
      notBefore: string;
    };
    await rig.ledger.transact((tx) => tx.put(blobKey(digest), canonicalize(bare)));
    await expect(rig.pipeline.resumeHeld()).rejects.toMatchObject({ code: "EXO_STORE_DAMAGED" });
    await rig.pipeline.idle();
    expect([rig.sandbox.starts, rig.disk.done]).toEqual([0, []]);
  });
});
