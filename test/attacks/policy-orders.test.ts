import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { PolicyActivation } from "../../src/contracts/order.js";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import { decodeBase64, encodeBase64 } from "../../src/crypto/encoding.js";
import { type Proposal, readState, writeState } from "../../src/pipeline/documents.js";
import { proposalKeys } from "../../src/pipeline/store-keys.js";
import type { Signer, Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { type Answer, codeOf, openPlane, type Plane, type PlaneOptions } from "../control/support.js";
import { CrashStore } from "../support/crash-store.js";
import { policyOf, usualRules } from "../support/rig.js";
import { activation, freshNonce, killOrder, signedPolicy } from "../support/sign.js";
import { keys, startMs, trusted, usualKeys } from "../support/world.js";

const [read, write] = usualRules as [PolicyRule, PolicyRule];
const v1 = policyOf(usualRules);
const v2 = policyOf([read], 2);
const v3 = policyOf([write], 3);
const open: Plane[] = [];

let plane: Plane;
let author: string;

/** A second author of the whole cell beside the usual one. */
const secondAuthor = trusted("policy-author", "bea", keys.publisher);

async function planeOver(options: PlaneOptions["rig"] = {}): Promise<Plane> {
  const opened = await openPlane({ rig: options });
  open.push(opened);
  return opened;
}

beforeEach(async () => {
  plane = await planeOver();
  author = await plane.login("author");
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const propose = async (body: unknown, token = author): Promise<Answer> =>
  await plane.ask("/v1/policies", { token, body });

const activate = async (policy: PolicyDocument, body: unknown, token = author): Promise<Answer> =>
  await plane.ask(`/v1/policies/${digestOfJson(policy)}/activate`, { token, body });

/** A signed order to activate version 2 over version 1. */
const order = async (more: Partial<PolicyActivation> = {}, signer: Signer = keys.author): Promise<Envelope> =>
  await activation(digestOfJson(v2), digestOfJson(v1), more, signer);

const inForce = async (): Promise<unknown> =>
  (await plane.ask("/v1/policy", { token: plane.token({ kind: "viewer" }) })).json["version"];

const proposals = async (): Promise<unknown> =>
  (await plane.ask("/v1/policies", { token: plane.token({ kind: "viewer" }) })).json["items"];

/** A policy of so many canonical bytes. */
function sized(bytes: number): PolicyDocument {
  const rules = (lengths: readonly number[]): PolicyDocument =>
    policyOf(
      lengths.map((length, index) => ({ ...read, id: `r${index}`, rationale: "x".repeat(length) })),
      2,
    );
  const lengths = Array.from({ length: 200 }, () => 1000);
  let missing = bytes - canonicalize(rules(lengths)).length;
  const filled = lengths.map((length) => {
    const more = Math.min(1000, missing);
    missing -= more;
    return length + more;
  });
  return rules(filled);
}

/** The envelope with one byte of its signature changed. */
function forged(envelope: Envelope): Envelope {
  const [signature, ...others] = envelope.signatures;
  if (signature === undefined) throw new Error("no signature");
  const bytes = decodeBase64(signature.sig)?.slice() ?? new Uint8Array();
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  return { ...envelope, signatures: [{ ...signature, sig: encodeBase64(bytes) }, ...others] };
}

describe("a policy that is proposed", () => {
  it.each<[string, () => Promise<Envelope>]>([
    ["under a forged signature", async () => forged(await signedPolicy(v2))],
    [
      "with a document changed after it was signed",
      async () => ({ ...(await signedPolicy(v2)), payload: (await signedPolicy(v3)).payload }),
    ],
    ["by an operator's key", async () => await signedPolicy(v2, keys.operator)],
    ["by an approver's key", async () => await signedPolicy(v2, keys.alice)],
    ["by the runtime's own key", async () => await signedPolicy(v2, keys.runtime)],
    ["by a key nobody knows", async () => await signedPolicy(v2, keys.bob)],
    ["by an author of one tenant", async () => await signedPolicy(v2, keys.otherAuthor)],
    [
      "by an author of the cell and by one of a tenant",
      async () => {
        const [one, other] = [await signedPolicy(v2), await signedPolicy(v2, keys.otherAuthor)];
        return { ...one, signatures: [...one.signatures, ...other.signatures] };
      },
    ],
    ["under the type of another document", async () => await signedPolicy(v2, keys.author, payloadTypes.manifest)],
  ])("%s is refused and not kept", async (_name, envelope) => {
    const body = await envelope();
    expect(codeOf(await propose(body))).toBe("422 EXO_POLICY_UNSIGNED");
    expect(codeOf(await propose(body, await plane.login("otherAuthor")))).toBe("422 EXO_POLICY_UNSIGNED");
    expect(await proposals()).toEqual([]);
  });

  it("by a session that is no author's is refused at the door, whoever signed it", async () => {
    const body = await signedPolicy(v2);
    for (const who of ["admin", "approver"] as const) {
      expect(codeOf(await propose(body, await plane.login(who)))).toBe("403 EXO_FORBIDDEN");
    }
    expect(await proposals()).toEqual([]);
  });

  it("larger than what can be compared is not kept", async () => {
    const at = sized(262_144);
    const over = sized(262_145);
    expect(codeOf(await propose(await signedPolicy(over)))).toBe("413 EXO_JSON_SIZE");
    expect((await propose(await signedPolicy(at))).status).toBe(201);
    const refused = await propose(await signedPolicy(sized(300_000)));
    expect([codeOf(refused), refused.json["detail"]]).toEqual([
      "413 EXO_JSON_SIZE",
      "the body has at most 393216 bytes on this route",
    ]);
  });
});

describe("an order to activate a policy", () => {
  beforeEach(async () => {
    expect((await propose(await signedPolicy(v2))).status).toBe(201);
  });
  afterEach(async () => {
    expect(await inForce()).toBe(1);
  });

  it.each<[string, () => Promise<Envelope>, string]>([
    ["under a forged signature", async () => forged(await order()), "422 EXO_SIGNATURE"],
    [
      "by an operator",
      async () => await order({ operator: { id: "ops", keyId: keys.operator.keyId } }, keys.operator),
      "422 EXO_TRUST",
    ],
    [
      "by an approver",
      async () => await order({ operator: { id: "alice", keyId: keys.alice.keyId } }, keys.alice),
      "422 EXO_TRUST",
    ],
    ["by a key nobody knows", async () => await order({}, keys.mallory), "422 EXO_TRUST"],
    [
      "by an author of one tenant",
      async () => await order({ operator: { id: "other-author", keyId: keys.otherAuthor.keyId } }, keys.otherAuthor),
      "400 EXO_ORDER",
    ],
    [
      "in another author's name",
      async () => await order({ operator: { id: "other-author", keyId: keys.author.keyId } }),
      "400 EXO_ORDER",
    ],
    [
      "that names another key than signed it",
      async () => await order({ operator: { id: "author", keyId: keys.otherAuthor.keyId } }),
      "400 EXO_ORDER",
    ],
    [
      "with a second signature",
      async () => {
        const same = { nonce: "A".repeat(43), operator: { id: "author", keyId: keys.author.keyId } };
        const [one, other] = [await order(same), await order(same, keys.otherAuthor)];
        return { ...one, signatures: [...one.signatures, ...other.signatures] };
      },
      "400 EXO_ORDER",
    ],
    ["for another cell", async () => await order({ cellId: "elsewhere" }), "400 EXO_ORDER"],
    [
      "for another proposal than the path's",
      async () => await activation(digestOfJson(v3), digestOfJson(v1)),
      "400 EXO_ORDER",
    ],
    [
      "signed 15 minutes and a millisecond ago",
      async () => await order({ signedAt: formatTime(startMs - 900_001) }),
      "400 EXO_ORDER",
    ],
    ["signed as much ahead", async () => await order({ signedAt: formatTime(startMs + 900_001) }), "400 EXO_ORDER"],
    [
      "signed on a day that is none",
      async () => await order({ signedAt: "2026-02-31T00:00:00.000Z" }),
      "400 EXO_SCHEMA",
    ],
    [
      "over a policy that is not in force",
      async () => await activation(digestOfJson(v2), digestOfJson(v3)),
      "409 EXO_POLICY_REPLACED",
    ],
    ["that is the policy itself", async () => await signedPolicy(v2), "400 EXO_ORDER"],
    ["that is an order of another kind", async () => await killOrder(true), "400 EXO_ORDER"],
    [
      "whose type is another order's",
      async () =>
        await signEnvelope(
          payloadTypes.killSwitch,
          decodeBase64((await order()).payload) ?? new Uint8Array(),
          keys.author,
        ),
      "422 EXO_ENVELOPE",
    ],
  ])("%s is refused", async (_name, envelope, code) => {
    expect(codeOf(await activate(v2, await envelope()))).toBe(code);
  });

  it("handed in by somebody who is no author is refused at the door", async () => {
    for (const who of ["admin", "approver"] as const) {
      expect(codeOf(await activate(v2, await order(), await plane.login(who)))).toBe("403 EXO_FORBIDDEN");
    }
  });

  it("by a swapped proposal of the store activates nothing", async () => {
    const key = proposalKeys.one(digestOfJson(v2));
    const real = readState<Proposal>(plane.rig.store, key) as Proposal;
    const swap = async (proposal: Proposal): Promise<Answer> => {
      await plane.rig.ledger.transact((tx) => writeState(tx, key, proposal));
      return await activate(v2, await order());
    };
    const other = await signedPolicy(policyOf(usualRules, 2));
    const digestOfEnvelope = (envelope: Envelope) => digestOf(canonicalize(envelope));
    // Another policy that its author signed, one signed by nobody of the role, and a signature that was cut out.
    for (const envelope of [other, { ...real.envelope, payload: other.payload }]) {
      const swapped = { ...real, envelope, envelopeDigest: digestOfEnvelope(envelope) };
      expect(codeOf(await swap(swapped))).toBe("503 EXO_STORE_DAMAGED");
      expect(codeOf(await swap({ ...swapped, digest: digestOfJson(policyOf(usualRules, 2)) }))).toBe(
        "503 EXO_STORE_DAMAGED",
      );
    }
    const unsigned = await signedPolicy(v2, keys.mallory);
    expect(codeOf(await swap({ ...real, envelope: unsigned }))).toBe("503 EXO_STORE_DAMAGED");
    const whole = { ...real, envelope: unsigned, envelopeDigest: digestOfEnvelope(unsigned) };
    expect(codeOf(await swap(whole))).toBe("422 EXO_POLICY_UNSIGNED");
    await plane.rig.ledger.transact((tx) => writeState(tx, proposalKeys.one(digestOfJson(v3)), real));
    expect(codeOf(await activate(v3, await activation(digestOfJson(v3), digestOfJson(v1))))).toBe(
      "503 EXO_STORE_DAMAGED",
    );
  });
});

describe("two orders", () => {
  it("signed over the same policy: the second is stale, and does not undo the first", async () => {
    for (const policy of [v2, v3]) await propose(await signedPolicy(policy));
    const [one, other] = [await order(), await activation(digestOfJson(v3), digestOfJson(v1))];
    const answers = await Promise.all([activate(v2, one), activate(v3, other)]);
    expect(answers.map(codeOf).sort()).toEqual(["200 undefined", "409 EXO_POLICY_REPLACED"]);
    const stale = await activate(v3, await activation(digestOfJson(v3), digestOfJson(v1)));
    expect(codeOf(stale)).toBe("409 EXO_POLICY_REPLACED");
  });

  it("at either end of the time an order has: both count", async () => {
    for (const policy of [v2, v3]) await propose(await signedPolicy(policy));
    const [early, late] = [-900_000, 900_000].map((ms) => ({ signedAt: formatTime(startMs + ms) }));
    expect((await activate(v2, await order(early))).status).toBe(200);
    expect((await activate(v3, await activation(digestOfJson(v3), digestOfJson(v2), late))).status).toBe(200);
  });

  it("under one nonce: the second is refused", async () => {
    for (const policy of [v2, v3]) await propose(await signedPolicy(policy));
    const nonce = freshNonce();
    expect((await activate(v2, await order({ nonce }))).status).toBe(200);
    const second = await activate(v3, await activation(digestOfJson(v3), digestOfJson(v2), { nonce }));
    expect(codeOf(second)).toBe("400 EXO_ORDER");
    expect(await inForce()).toBe(2);
  });
});

describe("an author whose key ends", () => {
  it("after a proposal cannot have it put in force by another", async () => {
    const until = 6;
    plane = await planeOver({
      trustKeys: [
        ...usualKeys.filter(({ role }) => role !== "policy-author"),
        trusted("policy-author", "author", keys.author, { until }),
        secondAuthor,
      ],
    });
    await plane.rig.pipeline.policies.propose(await signedPolicy(v2));
    while (plane.rig.ledger.size < until) await plane.rig.pipeline.switchKill(await killOrder(false));
    const other = await order({ operator: { id: "bea", keyId: keys.publisher.keyId } }, keys.publisher);
    await expect(plane.rig.pipeline.policies.activateProposal(other)).rejects.toThrow(
      expect.objectContaining({ code: "EXO_POLICY_UNSIGNED" }),
    );
    expect(await inForce()).toBe(1);
  });
});

describe("a process that dies", () => {
  const restarted = async (store: Store, policy: PolicyDocument): Promise<void> => {
    plane = await planeOver({ store, seed: "later", rules: policy.rules, policyVersion: policy.version });
    author = await plane.login("author");
  };

  it("between proposal and activation has the proposal after its restart", async () => {
    const store = createMemoryStore();
    plane = await planeOver({ store });
    author = await plane.login("author");
    const kept = await propose(await signedPolicy(v2));
    await restarted(store, v1);
    expect(await proposals()).toEqual([kept.json]);
    expect((await activate(v2, await order())).status).toBe(200);
    expect(await inForce()).toBe(2);
  });

  it.each(["before", "after"] as const)("at the activation, %s its commit, has all of it or nothing", async (mode) => {
    const store = createMemoryStore();
    const dying = new CrashStore(store);
    plane = await planeOver({ store: dying });
    author = await plane.login("author");
    await propose(await signedPolicy(v2));
    const body = await order();
    dying.arm(1, mode);
    expect(codeOf(await activate(v2, body))).toBe("503 EXO_STORE");
    const done = mode === "after";
    await restarted(store, done ? v2 : v1);
    expect([await inForce(), await proposals()]).toEqual([done ? 2 : 1, done ? [] : [expect.anything()]]);
    // The order goes on to count, once.
    expect((await activate(v2, body)).status).toBe(200);
    expect((await activate(v2, body)).status).toBe(200);
    expect(await inForce()).toBe(2);
  });
});
