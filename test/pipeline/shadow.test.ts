import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { readLeaf } from "../../src/log/leaf.js";
import { blobKey } from "../../src/pipeline/store-keys.js";
import type { ExecutionResult, ShadowPolicy } from "../../src/pipeline/types.js";
import type { Logger } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { CountingStore } from "../support/counting-store.js";
import { draft, openRig, type Rig, requestOf } from "../support/rig.js";
import { allowAll, candidateOf, denyAll, storedShadows } from "../support/shadow.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const leaves = ({ ledger }: Rig) => Array.from({ length: ledger.size }, (_, at) => readLeaf(ledger.leaf(at)));
const shadowLeaves = (rig: Rig) => leaves(rig).filter((leaf) => leaf?.kind === "shadow");

/** Digest of a bundle without its place in the log. */
const withoutPlace = (bytes: Uint8Array): string => {
  const { logProof: _, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as { logProof: string };
  return digestOf(canonicalize(rest));
};

const throwing = (): never => {
  throw new Error("broken candidate");
};

/** Candidates that no compilation gives. Each is asked through the very fields that asking reads. */
const broken: readonly [string, ShadowPolicy][] = [
  ["whose rules throw", { ...allowAll, compiled: { ...allowAll.compiled, rulesFor: throwing } }],
  [
    "whose tables throw",
    {
      ...allowAll,
      compiled: {
        ...allowAll.compiled,
        get pointers(): never {
          return throwing();
        },
      },
    },
  ],
  [
    "without a name",
    {
      ...allowAll,
      compiled: {
        ...allowAll.compiled,
        get document(): never {
          return throwing();
        },
      },
    },
  ],
  [
    "whose words are no text",
    {
      ...allowAll,
      compiled: {
        ...allowAll.compiled,
        rulesFor: () => [
          {
            rule: { id: "all", match: {}, verdict: "allow", rationale: 1n as never },
            matchesAction: () => true,
            members: [],
          },
        ],
      },
    },
  ],
];

/** A denied, a refused, an executed, an approved and an ended-by-a-person action, and their bundles without their places. */
async function story(
  shadow?: ShadowPolicy,
): Promise<{ rig: Rig; bundles: Record<string, string>; bytes: Uint8Array[] }> {
  const rig = await openRig(shadow === undefined ? {} : { shadow });
  const { pipeline, clock } = rig;
  const ended: ExecutionResult[] = [];
  for (const [action, path] of [
    ["fs.read", "data/orders.csv"],
    ["fs.list", "data"],
    ["fs.nothing", "data"],
    ["fs.write", "data/new.txt"],
  ] as const) {
    clock.advance(1000);
    ended.push(await pipeline.execute(draft(action, path, { parameters: { text: "x" } })));
  }
  for (const [at, decision] of (["approve", "deny"] as const).entries()) {
    clock.advance(1000);
    const pending = await pipeline.execute(draft("fs.remove", "data/orders.csv", { idempotencyKey: decision }));
    const nonce = String(at).repeat(43);
    const more = decision === "deny" ? { nonce, decision, reason: "no" } : { nonce };
    ended.push(await pipeline.decide(await grant(requestOf(pending), "alice", keys.alice, more)));
  }
  const bytes = ended.map(({ intentId }) => pipeline.bundle(intentId)?.bytes() ?? new Uint8Array());
  const bundles = Object.fromEntries(
    ended.map(({ status }, at) => [`${at} ${status}`, withoutPlace(bytes[at] as Uint8Array)]),
  );
  return { rig, bundles, bytes };
}

describe("a candidate beside the policy in force", () => {
  it.each<[string, ShadowPolicy]>([
    ["that allows everything", allowAll],
    ["that denies everything", denyAll],
    ...broken,
  ])("%s leaves every bundle byte for byte what it is, but for its place in the log", async (_, shadow) => {
    const [plain, beside] = [await story(), await story(shadow)];
    expect(Object.keys(plain.bundles)).toEqual([
      "0 executed",
      "1 denied",
      "2 denied",
      "3 executed",
      "4 executed",
      "5 denied",
    ]);
    expect(beside.bundles).toEqual(plain.bundles);
    const enforced = ({ rig }: { rig: Rig }) => leaves(rig).filter((leaf) => leaf?.kind !== "shadow");
    expect(enforced(beside)).toEqual(enforced(plain));
    for (const bytes of beside.bytes) {
      const failed = verifyBundle(bytes, { trust: beside.rig.trust }).checks.filter(({ state }) => state === "fail");
      expect(failed).toEqual([]);
    }
  });

  it("is recorded under its own leaf kind, once for each judgement, beside the enforced decision", async () => {
    const rig = await openRig({ shadow: denyAll });
    const ran = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(ran.status).toBe("executed");
    const [stored, more] = storedShadows(rig.store);
    if (stored === undefined) throw new Error("nothing was recorded");
    expect(more).toBeUndefined();
    const [, evaluated] = rig.pipeline.trace(ran.intentId);
    expect(stored.statement.predicateType).toBe("urn:exoarmur:predicate:shadow-decision:v1");
    expect(stored.statement.predicate).toMatchObject({
      intentId: ran.intentId,
      candidate: { policyId: "candidate", version: 9, digest: denyAll.document.digest },
      inputDigest: ran.decision?.inputDigest,
      enforced: { sequence: evaluated?.sequence },
      evaluatedAt: evaluated?.recordedAt,
      verdict: "deny",
      ruleIds: ["default"],
    });
    expect(shadowLeaves(rig)).toEqual([{ kind: "shadow", digest: digestOf(stored.bytes) }]);
    expect(rig.store.get(blobKey(denyAll.document.digest))).toEqual(denyAll.document.bytes);
  });

  it("is asked again when the enforced policy is, after an approval", async () => {
    const rig = await openRig({ shadow: allowAll });
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    expect(pending.status).toBe("approval_pending");
    expect(storedShadows(rig.store)).toHaveLength(1);
    const done = await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
    expect(done.status).toBe("executed");
    const verdicts = storedShadows(rig.store).map(({ statement }) => statement.predicate.verdict);
    expect(verdicts).toEqual(["allow", "allow"]);
    expect(new Set(shadowLeaves(rig).map((leaf) => leaf?.digest)).size).toBe(2);
  });

  it("lets nothing run that the policy denies, and is not asked what was refused before policy", async () => {
    const rig = await openRig({ shadow: allowAll });
    const denied = await rig.pipeline.execute(draft("fs.list", "data"));
    expect(denied).toMatchObject({ status: "denied", decision: { verdict: "defer" } });
    const unknown = await rig.pipeline.execute(draft("fs.nothing", "data"));
    expect([unknown.status, unknown.decision]).toEqual(["denied", null]);
    expect(storedShadows(rig.store).map(({ statement }) => statement.predicate.intentId)).toEqual([denied.intentId]);
    expect(rig.sandbox.jobs).toHaveLength(0);
  });

  it("says nothing twice for a request handed in again", async () => {
    const rig = await openRig({ shadow: denyAll });
    const intent = draft("fs.read", "data/orders.csv", { idempotencyKey: "once" });
    await rig.pipeline.execute(intent);
    await rig.pipeline.execute(intent);
    expect(shadowLeaves(rig)).toHaveLength(1);
  });

  it.each(broken.slice(2))("%s is a warning and no record; the action runs", async (_, shadow) => {
    const said: string[] = [];
    const logger: Logger = { log: (level, message) => void said.push(`${level} ${message}`) };
    const rig = await openRig({ shadow, logger });
    const ran = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(ran.status).toBe("executed");
    expect(said).toEqual([`warn the shadow decision about ${ran.intentId} was not made`]);
    expect([storedShadows(rig.store), shadowLeaves(rig)]).toEqual([[], []]);
  });

  it.each(broken.slice(0, 2))("%s is recorded as a deny with an evaluation error", async (_, shadow) => {
    const rig = await openRig({ shadow });
    expect((await rig.pipeline.execute(draft("fs.read", "data/orders.csv"))).status).toBe("executed");
    const [stored] = storedShadows(rig.store);
    expect(stored?.statement.predicate).toMatchObject({
      verdict: "deny",
      rationale: "evaluation error: broken candidate",
    });
  });

  it("costs no commit of its own", async () => {
    const commits = async (shadow?: ShadowPolicy): Promise<number> => {
      const store = new CountingStore(createMemoryStore());
      const rig = await openRig(shadow === undefined ? { store } : { store, shadow });
      return (await store.during(() => rig.pipeline.execute(draft("fs.read", "data/orders.csv")))).commits;
    };
    expect(await commits(candidateOf([]))).toBe(await commits());
  });
});
