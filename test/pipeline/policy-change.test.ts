import { RE2JS } from "re2js";
import { describe, expect, it, vi } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { plainMaterial } from "../../src/contracts/material.js";
import { type PolicyDocument, type PolicyRule, policySchema } from "../../src/contracts/policy.js";
import { appendSystemEvent } from "../../src/pipeline/orders.js";
import { policyChange } from "../../src/pipeline/policy-change.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import { blobKey } from "../../src/pipeline/store-keys.js";
import type { PipelinePorts } from "../../src/pipeline/types.js";
import { diffPolicies } from "../../src/policy/diff.js";
import type { StoreReader } from "../../src/ports.js";
import { auditStore, type LogCheck } from "../../src/replay/audit-log.js";
import { TamperedStore } from "../replay/support.js";
import { openRig, type Rig, usualRules } from "../support/rig.js";
import { keys, origin, seededIds, trusted, usualKeys } from "../support/world.js";

const [read, write, remove, list] = usualRules as [PolicyRule, PolicyRule, PolicyRule, PolicyRule];

const changes = ({ store }: { store: StoreReader }): { [name: string]: unknown }[] =>
  storedEvents(store, "system", "system")
    .concat(storedEvents(store, "default", "system"))
    .map(readEvent)
    .filter(({ eventType }) => eventType === "policy_changed")
    .map(({ payload }) => payload as { [name: string]: unknown });

const audited = (rig: Rig, store: StoreReader = rig.store): LogCheck | undefined =>
  auditStore(store, { origin, vkey: rig.trust.logs[0]?.vkey ?? "", trust: rig.trust }).checks.find(
    ({ id }) => id === "policies",
  );

/** A rule whose predicates are on parameters, of which nothing is proven. */
const asks = (pattern: string): PolicyRule => ({
  id: "asks",
  match: { action: "fs.read", parameters: { "/n": { matches: pattern } } },
  verdict: "allow",
});

describe("policy_changed", () => {
  it("says nothing of the first policy, and no check is made of what is not told", async () => {
    const rig = await openRig();
    expect(changes(rig)).toHaveLength(1);
    expect(changes(rig)[0]).not.toHaveProperty("change");
    expect(audited(rig)).toBeUndefined();
  });

  it.each<[string, readonly PolicyRule[], readonly PolicyRule[], object]>([
    ["narrows", usualRules, [read], { result: "narrows", classes: [] }],
    ["the other order of the same", [read, write], [write, read], { result: "equal", classes: [] }],
    ["a new action", [read], [read, write], { result: "widens", classes: ["new_action"] }],
    [
      "a new target",
      [read],
      [{ ...read, match: { action: "fs.read" } }],
      { result: "widens", classes: ["new_target"] },
    ],
    [
      "fewer approvals and a new grant",
      [{ ...remove, obligations: { ...remove.obligations, approvals: 2 } }],
      [{ ...remove, obligations: { approvals: 1, roles: ["approver"] } }],
      { result: "widens", classes: ["fewer_approvals", "new_grant"] },
    ],
    ["a pattern", [asks("^[a-f]{8}$")], [asks("^[a-g]{8}$")], { result: "undecided", classes: [] }],
  ])("%s", async (_, before, after, expected) => {
    const rig = await openRig({ rules: before });
    await rig.activate(after, 2);
    const [, second] = changes(rig);
    expect(second?.["change"]).toMatchObject({ revision: 1, ...expected });
    expect(second?.["change"]).toHaveProperty("result");
    expect(audited(rig)).toMatchObject({ state: "pass", message: "1" });
  });

  it("is equal when the same policy comes under a new signature", async () => {
    const trustKeys = [...usualKeys, trusted("policy-author", "author-2", keys.otherAuthor)];
    const rig = await openRig({ trustKeys });
    await rig.activate(usualRules, 1, keys.otherAuthor);
    const [first, second, more] = changes(rig);
    expect(more).toBeUndefined();
    expect(second?.["policyDigest"]).toBe(first?.["policyDigest"]);
    expect(second?.["change"]).toEqual({ revision: 1, result: "equal", classes: [] });
  });
});

describe("telling how a policy differs", () => {
  /** A store of two policies. */
  function stored(before: readonly PolicyRule[], after: readonly PolicyRule[]) {
    const [a, b] = [before, after].map((rules, at) =>
      plainMaterial(canonicalize({ schema: "exoarmur.policy/v1", policyId: "p", version: at + 1, rules })),
    ) as [ReturnType<typeof plainMaterial>, ReturnType<typeof plainMaterial>];
    const values = new Map([a, b].map(({ digest, bytes }) => [blobKey(digest), bytes]));
    return { reader: { get: (key: string) => values.get(key) }, values, a: a.digest, b: b.digest };
  }

  const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

  /** Rules about the same many names, so that all their combinations have to be looked at. */
  const many = (count: number, verdict: PolicyRule["verdict"]): PolicyRule[] =>
    names("r", count).map((id) => ({
      id,
      match: {
        tenant: names("t", 20),
        actor: { id: names("a", 20), type: names("c", 5) },
        executor: names("e", 5),
        target: [{ prefix: `${id}/` }, { url: { host: `${id}.example` } }],
      },
      verdict,
    }));

  it("ends where its budget does, the same every time, and says so", () => {
    const { reader, a, b } = stored(many(40, "allow"), many(40, "deny"));
    const told = policyChange(reader, a, b);
    expect(told).toEqual({
      revision: 1,
      result: "undecided",
      classes: [],
      undecided: "more than 500000 steps; the rest was not tried",
    });
    expect(policyChange(reader, a, b)).toEqual(told);
  });

  it("counts looking for names among many rules, which is most of the work where few rules are left", () => {
    const [before, after] = (["allow", "require_approval"] as const).map((verdict) =>
      policySchema.parse({
        schema: "exoarmur.policy/v1",
        policyId: "p",
        version: 1,
        rules: names("t", 500).map((tenant) => ({ id: tenant, match: { tenant, action: "a.b" }, verdict })),
      }),
    ) as [PolicyDocument, PolicyDocument];
    expect(diffPolicies(before, after, 60_000)).toMatchObject({ result: "same_or_narrower", tried: 500 });
    // 501 names times 1000 rules, a sixteenth of a step each: the names alone are more than half of it.
    expect(diffPolicies(before, after, 40_000)).toMatchObject({
      result: "undecided",
      undecided: ["more than 40000 steps; the rest was not tried"],
    });
  });

  it("does not begin with patterns that take long to compile", () => {
    const repeats = (rest: string): PolicyRule[] =>
      names("r", 100).map((id) => ({ ...asks(`${"(a|b|c){1,100}".repeat(20)}${rest}`), id }));
    const { reader, a, b } = stored(repeats("x"), repeats("y"));
    const patterns = RE2JS.compile;
    const compiled: string[] = [];
    const spy = vi.spyOn(RE2JS, "compile").mockImplementation((...args) => {
      compiled.push(args[0]);
      return patterns.apply(RE2JS, args);
    });
    try {
      expect(policyChange(reader, a, b)).toMatchObject({
        result: "undecided",
        undecided: "more than 500000 steps; the rest was not tried",
      });
      expect(compiled).toEqual([]);
      // The same rules without repeats are compared.
      const plain = stored([asks("^[a-f]{8}$")], [asks("^[a-g]{8}$")]);
      policyChange(plain.reader, plain.a, plain.b);
      expect(compiled).toContain("^[a-g]{8}$");
    } finally {
      spy.mockRestore();
    }
  });

  it("does not begin with a document that is too large", () => {
    const { reader, a, b } = stored([{ ...read, rationale: "x".repeat(2000) }], many(1500, "allow"));
    expect(policyChange(reader, a, b)).toMatchObject({
      result: "undecided",
      undecided: "a policy of more than 262144 bytes",
    });
  });

  it.each<[string, (values: Map<string, Uint8Array>, key: string) => unknown, RegExp]>([
    ["is not kept", (values, key) => values.delete(key), /^the policy sha256:\w+ is not kept$/],
    ["was altered", (values, key) => values.set(key, new Uint8Array(3)), /is not kept$/],
  ])("is undecided when the earlier policy %s", (_, change, message) => {
    const { reader, values, a, b } = stored(usualRules, [read]);
    change(values, blobKey(a));
    expect(policyChange(reader, a, b)).toMatchObject({
      result: "undecided",
      undecided: expect.stringMatching(message),
    });
  });

  it("is undecided when the earlier policy is not one of rules, or does not compile any more", () => {
    const other = plainMaterial(canonicalize({ schema: "other/v1" }));
    const { reader, values, b } = stored(usualRules, [read]);
    values.set(blobKey(other.digest), other.bytes);
    expect(policyChange(reader, other.digest, b)).toMatchObject({ result: "undecided" });
    const bad = stored([asks("(")], [read]);
    expect(policyChange(bad.reader, bad.a, bad.b)).toMatchObject({
      result: "undecided",
      undecided: "the comparison failed",
    });
  });
});

describe("log check compares the policies again", () => {
  /** A store in which a runtime that lies recorded a change of its own words. */
  async function lying(change: object | undefined, previous?: null): Promise<Rig> {
    const rig = await openRig();
    await rig.activate([list], 2);
    const [first, second] = changes(rig);
    const ports = {
      ids: seededIds(rig.clock, "liar"),
      clock: rig.clock,
      saltKey: new Uint8Array(32),
      deployment: { cellId: "local", defaultTenant: "default" },
    };
    await rig.ledger.transact((tx) => {
      const payload = {
        ...second,
        ...(previous === null ? { previous } : { previous: first?.["policyDigest"] }),
        change,
      };
      appendSystemEvent(tx, ports as unknown as PipelinePorts, "policy_changed", payload as never, {
        id: "runtime",
        type: "runtime",
      });
    });
    return rig;
  }

  it.each<[string, object]>([
    ["narrower than it is not", { revision: 1, result: "equal", classes: [] }],
    ["wider", { revision: 1, result: "widens", classes: ["new_action"] }],
    ["other classes", { revision: 1, result: "narrows", classes: ["new_grant"] }],
    ["undecided without need", { revision: 1, result: "undecided", classes: [], undecided: "no reason" }],
  ])("and fails on what is told as %s", async (_, change) => {
    const check = audited(await lying(change));
    expect(check).toMatchObject({ state: "fail", code: "EXO_CHECK_FAILED" });
    expect(check?.message).toMatch(/^test version 2 is recorded as .*, the policies say narrows$/);
  });

  it("and is unable to judge another revision's word, which is no pass", async () => {
    const check = audited(await lying({ revision: 2, result: "widens", classes: [] }));
    const message = "2; 1 made under another revision, which this build does not know";
    expect(check).toMatchObject({ state: "unable", code: "EXO_REVISION", message });
  });

  it("and fails on a difference from a policy that never was", async () => {
    const check = audited(await lying({ revision: 1, result: "equal", classes: [] }, null));
    expect(check?.message).toBe("test version 2 is told to differ from a policy before it, and there was none");
  });

  it("and fails when a policy is gone", async () => {
    const rig = await openRig();
    await rig.activate([read], 2);
    const store = new TamperedStore(rig.store);
    store.put(blobKey(changes(rig)[0]?.["policyDigest"] as string), null);
    expect(audited(rig, store)?.message).toMatch(/cannot be compared again: the policy sha256:\w+ is not kept$/);
  });
});
