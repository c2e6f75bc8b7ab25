import type { PolicyRule } from "../../src/contracts/policy.js";
import type { Trust } from "../../src/contracts/trust.js";
import type { SandboxHost } from "../../src/ports.js";
import { artifact, attest, attesterKey, builder, provenanceType, tester } from "./attestation.js";
import { FakeSandbox } from "./fake-sandbox.js";
import { draft, fsPlugin, openRig, type Rig, type RigOptions, requestOf, signedPlugin } from "./rig.js";
import { grant, resolution } from "./sign.js";
import { keys, testClock, trusted, usualKeys } from "./world.js";

/** Every way an intent can end, as one bundle each. */
export type Ending =
  | "denied"
  | "refused"
  | "executed"
  | "failed"
  | "written"
  | "approved"
  | "approvalDenied"
  | "expired"
  | "resolved"
  | "crashed"
  | "published"
  | "attested";

export type Bundles = {
  readonly rig: Rig;
  readonly trust: Trust;
  readonly bytes: Readonly<Record<Ending, Uint8Array>>;
  readonly intentIds: Readonly<Record<Ending, string>>;
  /** The log's checkpoint when the first five had ended; the bundles carry proofs under a later one. */
  readonly earlier: string;
};

const endingRules: readonly PolicyRule[] = [
  { id: "allow-read", match: { action: ["fs.read", "fs.list"], target: { under: "data" } }, verdict: "allow" },
  { id: "allow-write", match: { action: "fs.write", target: { under: "data" } }, verdict: "allow" },
  {
    id: "remove-needs-two",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    obligations: {
      approvals: 2,
      roles: ["approver"],
      expiresInSeconds: 600,
      narrow: { fs_remove: { paths: ["{target}"] } },
    },
  },
];

/** The rig the bundles are made on; alice has a second key, bob is bob by another name in no list. */
export async function endingRig(options: RigOptions = {}): Promise<Rig> {
  const trustKeys = [
    ...usualKeys,
    trusted("approver", "alice-2", keys.otherAuthor, { person: "alice" }),
    trusted("publisher", "acme", keys.publisher),
    trusted("publisher", "other", keys.carol),
    attesterKey(builder),
    attesterKey(tester),
  ];
  return await openRig({ rules: endingRules, trustKeys, seed: "endings", ...options });
}

function bytesOf(rig: Rig, intentId: string): Uint8Array {
  const bundle = rig.pipeline.bundle(intentId);
  if (bundle === undefined) throw new Error(`intent ${intentId} has no bundle`);
  return bundle.bytes();
}

/** A rig and an intent whose process died after the start; resolved by an operator. */
async function crash(): Promise<{ rig: Rig; intentId: string }> {
  const clock = testClock();
  let started = (): void => undefined;
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const run = async (): Promise<never> => {
    started();
    return await new Promise<never>(() => undefined);
  };
  const hanging: SandboxHost = Object.assign(new FakeSandbox(), { run });
  const first = await endingRig({ clock, sandbox: hanging, seed: "crash/1" });
  void first.pipeline
    .execute(draft("fs.write", "data/crash.txt", { parameters: { text: "x" } }))
    .catch(() => undefined);
  await running;
  const rig = await endingRig({ clock, store: first.store, seed: "crash/2" });
  const [intentId] = rig.inDoubt;
  if (intentId === undefined) throw new Error("nothing was found in doubt");
  await rig.pipeline.resolve(await resolution(intentId, "not_executed"));
  return { rig, intentId };
}

/** A rig and an intent that ran on a plugin which its publisher signed. */
async function publish(): Promise<{ rig: Rig; intentId: string }> {
  const plugin = await signedPlugin(fsPlugin(), keys.publisher);
  const rig = await endingRig({ seed: "published", requireSignatures: true, plugins: [plugin] });
  const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
  return { rig, intentId };
}

/** A rig and an intent that ran because a builder attests to its artifact. */
async function attestTo(): Promise<{ rig: Rig; intentId: string }> {
  const rule: PolicyRule = {
    id: "built-by-us",
    match: {
      action: "fs.read",
      attestation: { predicateType: provenanceType, attester: "builder", subject: { parameter: "/artifact" } },
    },
    verdict: "allow",
  };
  const rig = await endingRig({ seed: "attested", rules: [rule] });
  const intent = draft("fs.read", "data/orders.csv", { parameters: { artifact } });
  const { intentId } = await rig.pipeline.execute(intent, { attestations: [attest([builder])] });
  return { rig, intentId };
}

/** Makes the bundles through the pipeline, on a sandbox without Wasm. The same in every run. */
export async function makeBundles(): Promise<Bundles> {
  const rig = await endingRig();
  const { pipeline, clock, disk } = rig;
  for (const name of ["a", "b", "c", "d"]) disk.files.set(`data/${name}.txt`, name);
  const ids: Partial<Record<Ending, string>> = {};
  const step = async (ending: Ending, action: string, path: string, text?: string): Promise<string> => {
    clock.advance(1000);
    const parameters = text === undefined ? {} : { text };
    const result = await pipeline.execute(draft(action, path, { correlationId: `case-${ending}`, parameters }));
    ids[ending] = result.intentId;
    return result.intentId;
  };
  await step("denied", "fs.read", "secrets/x");
  await step("refused", "no.such", "data/x");
  await step("executed", "fs.read", "data/orders.csv");
  await step("failed", "fs.read", "data/missing.csv");
  await step("written", "fs.write", "data/new.txt", "hello");
  const earlier = rig.ledger.checkpoint();
  for (const ending of ["approved", "approvalDenied", "expired"] as const) {
    const request = requestOf(
      pipeline.status(await step(ending, "fs.remove", `data/${ending === "approved" ? "a" : "b"}.txt`)),
    );
    clock.advance(1000);
    if (ending === "approved") {
      await pipeline.decide(await grant(request, "alice", keys.alice));
      clock.advance(1000);
      await pipeline.decide(await grant(request, "bob", keys.bob));
    } else if (ending === "approvalDenied") {
      await pipeline.decide(await grant(request, "alice", keys.alice, { decision: "deny", reason: "not today" }));
    } else {
      clock.advance(700_000);
      await pipeline.expireApprovals();
    }
  }
  disk.onWrite = () => Promise.resolve("unknown");
  const doubtful = await step("resolved", "fs.write", "data/doubt.txt", "?");
  disk.onWrite = null;
  clock.advance(1000);
  await pipeline.resolve(await resolution(doubtful, "committed"));
  const others = { crashed: await crash(), published: await publish(), attested: await attestTo() };
  const elsewhere: Partial<Record<string, { rig: Rig; intentId: string }>> = others;
  const told = Object.entries(others).map(([ending, { intentId }]) => [ending, intentId]);
  const intentIds = { ...ids, ...Object.fromEntries(told) } as Record<Ending, string>;
  const bytes = Object.fromEntries(
    Object.entries(intentIds).map(([ending, id]) => [ending, bytesOf(elsewhere[ending]?.rig ?? rig, id)]),
  ) as Record<Ending, Uint8Array>;
  return { rig, trust: rig.trust, bytes, intentIds, earlier };
}
