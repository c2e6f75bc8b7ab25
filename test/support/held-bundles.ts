import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { Trust } from "../../src/contracts/trust.js";
import { encodeBase64Url, encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import type { Signer } from "../../src/ports.js";
import { Forge, type Loose } from "./forge.js";
import { draft, openRig, type Rig, requestOf } from "./rig.js";
import { grant } from "./sign.js";
import { keys } from "./world.js";

/** Seconds of the hold. */
const holdSeconds = 60;

const rules: readonly PolicyRule[] = [
  {
    id: "remove-is-held",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    obligations: { approvals: 2, roles: ["approver"], narrow: { fs_remove: { paths: ["{target}"] } }, holdSeconds },
  },
];

/** Bundles of actions that were approved and held. */
export type HeldBundles = {
  readonly trust: Trust;
  /** Started when the hold was over. */
  readonly started: Uint8Array;
  /** Denied by carol while it was held. */
  readonly stopped: Uint8Array;
};

/** A grant that is the same in every run. */
async function decide(rig: Rig, request: ApprovalRequest, id: string, signer: Signer, more = {}): Promise<void> {
  const nonce = encodeBase64Url(sha256(encodeUtf8(`${request.requestId} ${id}`)));
  await rig.pipeline.decide(await grant(request, id, signer, { nonce, ...more }));
}

/** Makes them through the pipeline. The same in every run. */
export async function heldBundles(): Promise<HeldBundles> {
  const rig = await openRig({ rules, seed: "held" });
  const { pipeline, clock } = rig;
  for (const name of ["a", "b"]) rig.disk.files.set(`data/${name}.txt`, name);
  const ask = async (name: string): Promise<ApprovalRequest> => {
    clock.advance(1000);
    const request = requestOf(
      await pipeline.execute(draft("fs.remove", `data/${name}.txt`, { correlationId: `held-${name}` })),
    );
    clock.advance(1000);
    await decide(rig, request, "alice", keys.alice);
    await decide(rig, request, "bob", keys.bob);
    return request;
  };
  const bytesOf = (intentId: string): Uint8Array => {
    const bundle = pipeline.bundle(intentId);
    if (bundle === undefined) throw new Error(`intent ${intentId} has no bundle`);
    return bundle.bytes();
  };
  const [first, second] = [await ask("a"), await ask("b")];
  clock.advance(1000);
  await decide(rig, second, "carol", keys.carol, { decision: "deny", reason: "not this one" });
  clock.set(Date.parse(first.notBefore ?? ""));
  await pipeline.resumeHeld();
  await pipeline.idle();
  return { trust: rig.trust, started: bytesOf(first.intentId), stopped: bytesOf(second.intentId) };
}

/** Changes what the request says, in its document, in its event, and in what approvers signed. */
export async function changeRequest(forge: Forge, change: (request: Loose) => void): Promise<Forge> {
  await forge.edit("approval_request", change);
  return await forge.payload("approval_requested", ({ request }) => change(request));
}

/** The bundle as a policy with another hold, or none, would have made it: policy, decisions and request agree. */
export async function withHold(bytes: Uint8Array, seconds: number | null): Promise<Forge> {
  const forge = new Forge(bytes);
  const oblige = (obligations: Loose): void => {
    if (seconds === null) delete obligations.holdSeconds;
    else obligations.holdSeconds = seconds;
  };
  await forge.edit("policy", ({ rules: [rule] }) => oblige(rule.obligations));
  await forge.resign("policy_envelope", keys.author, ({ rules: [rule] }) => oblige(rule.obligations));
  const decisions = forge.headers().filter(({ eventType }) => eventType === "policy_evaluated").length;
  for (let at = 0; at < decisions; at += 1) {
    await forge.payload("policy_evaluated", ({ decision }) => oblige(decision.obligations), at);
  }
  return await changeRequest(forge, (request) => {
    if (seconds === null) delete request.notBefore;
    else request.notBefore = new Date(Date.parse(request.requestedAt) + seconds * 1000).toISOString();
  });
}
