import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import { PolicyTrials } from "../../src/control/policy-trials.js";
import { ExoArmurError } from "../../src/errors.js";
import { requireProposal } from "../../src/pipeline/proposals.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import type { Signer } from "../../src/ports.js";
import { auditStore } from "../../src/replay/audit-log.js";
import { cedarOf, engine } from "../policy/cedar/support.js";
import { draft, intentRecords, policyOf, type Rig, usualRules, verified } from "../support/rig.js";
import { activation, grant, scoreOrder, signedPolicy } from "../support/sign.js";
import { keys, origin, startMs } from "../support/world.js";
import { type Answer, codeOf, openPlane, type Plane } from "./support.js";

const [read, write, remove] = usualRules as [PolicyRule, PolicyRule, PolicyRule];
const v1 = policyOf(usualRules);
const narrower = policyOf([read, remove], 2);
const wider = policyOf([read, write, { ...remove, verdict: "allow" }], 2);

let plane: Plane;
let author: string;
let viewer: string;
let agent: string;
let serial = 0;

beforeEach(async () => {
  plane = await openPlane();
  author = await plane.login("author");
  viewer = plane.token({ kind: "viewer" });
  agent = plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] });
});
afterEach(async () => await plane.close());

const propose = async (policy: PolicyDocument, signer = keys.author): Promise<Answer> =>
  await plane.ask("/v1/policies", { token: author, body: await signedPolicy(policy, signer) });

const at = (policy: PolicyDocument): string => `/v1/policies/${digestOfJson(policy)}`;

const activate = async (policy: PolicyDocument, replaced: PolicyDocument): Promise<Answer> =>
  await plane.ask(`${at(policy)}/activate`, {
    token: author,
    body: await activation(digestOfJson(policy), digestOfJson(replaced)),
  });

const submit = async (action: string, path = "data/orders.csv", parameters: object = {}): Promise<Answer> =>
  await plane.ask("/v1/intents", {
    token: agent,
    body: { action, parameters: { path, ...parameters }, idempotencyKey: `key-${serial++}` },
  });

const systemEvents = ({ store }: Rig): CanonicalEvent[] => storedEvents(store, "default", "system").map(readEvent);

const policyEvents = (rig: Rig): string[] =>
  systemEvents(rig)
    .map(({ eventType }) => eventType)
    .filter((type) => type.startsWith("policy_"));

describe("a proposed policy", () => {
  it("is kept, listed and shown beside the one in force, which it leaves as it is", async () => {
    const answer = await propose(narrower);
    const head = {
      policyId: "test",
      version: 2,
      digest: digestOfJson(narrower),
      authors: [{ id: "author", keyId: keys.author.keyId }],
    };
    expect([answer.status, answer.json]).toEqual([201, expect.objectContaining(head)]);
    const list = await plane.ask("/v1/policies", { token: viewer });
    expect(list.json).toEqual({
      active: expect.objectContaining({ version: 1, digest: digestOfJson(v1) }),
      items: [answer.json],
    });
    expect((await plane.ask("/v1/policy", { token: viewer })).json["version"]).toBe(1);
    expect((await submit("fs.write", "data/a.csv", { text: "a" })).json["status"]).toBe("executed");
    expect(policyEvents(plane.rig)).toEqual(["policy_changed", "policy_proposed"]);
  });

  it("that narrows, and one that widens, are told apart with the requests that show it", async () => {
    await propose(narrower);
    await propose(wider);
    const narrows = await plane.ask(at(narrower), { token: viewer });
    expect(narrows.json).toMatchObject({
      document: narrower,
      replaces: digestOfJson(v1),
      change: { result: "narrows", classes: [] },
      widenings: [],
    });
    const widens = await plane.ask(at(wider), { token: viewer });
    expect(widens.json["change"]).toMatchObject({ result: "widens", classes: ["fewer_approvals"] });
    expect(widens.json["widenings"]).toContainEqual(
      expect.objectContaining({
        class: "fewer_approvals",
        before: { verdict: "require_approval", ruleIds: ["remove-needs-a-person"] },
        after: { verdict: "allow", ruleIds: ["remove-needs-a-person"] },
      }),
    );
  });

  it("comes again as it was proposed, with 200 and no event", async () => {
    const first = await propose(narrower);
    plane.rig.clock.advance(1000);
    const again = await propose(narrower);
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(policyEvents(plane.rig)).toEqual(["policy_changed", "policy_proposed"]);
  });

  it("is withdrawn by an author of the whole cell, and then unknown", async () => {
    await propose(narrower);
    const gone = await plane.ask(at(narrower), { method: "DELETE", token: author });
    expect(gone.json).toEqual({ withdrawn: true });
    for (const [path, ask] of [
      [at(narrower), { token: viewer }],
      [at(narrower), { method: "DELETE", token: author }],
      [`${at(narrower)}/backtest`, { token: viewer, body: {} }],
    ] as const) {
      expect(codeOf(await plane.ask(path, ask))).toBe("404 EXO_POLICY_UNKNOWN");
    }
    expect(codeOf(await activate(narrower, v1))).toBe("404 EXO_POLICY_UNKNOWN");
    expect(systemEvents(plane.rig).at(-1)).toMatchObject({
      eventType: "policy_withdrawn",
      payload: { policyDigest: digestOfJson(narrower), credential: keys.author.keyId },
    });
  });

  it.each<[string, PolicyDocument, string]>([
    ["the version in force", policyOf([read], 1), "409 EXO_POLICY_VERSION"],
    ["the policy in force itself", v1, "409 EXO_POLICY_VERSION"],
    ["another policy's id", { ...narrower, policyId: "other" }, "409 EXO_POLICY_VERSION"],
    [
      "a pattern that does not compile",
      policyOf([{ ...read, match: { parameters: { "/n": { matches: "(" } } } }], 2),
      "400 EXO_SCHEMA",
    ],
    ["a rule without a verdict", policyOf([{ id: "x", match: {} } as never], 2), "400 EXO_SCHEMA"],
    [
      "a Cedar policy where no engine is",
      cedarOf(`@id("all") permit(principal, action, resource);`, { version: 2 }) as never,
      "422 EXO_CEDAR_ENGINE",
    ],
  ])("of %s is refused", async (_name, policy, code) => {
    expect(codeOf(await propose(policy))).toBe(code);
    expect((await plane.ask("/v1/policies", { token: viewer })).json["items"]).toEqual([]);
  });

  it("is one of sixteen, and the seventeenth has to wait for a withdrawal", async () => {
    const versions = Array.from({ length: 17 }, (_, index) => policyOf([read], index + 2));
    const answers: string[] = [];
    for (const policy of versions) answers.push(String((await propose(policy)).status));
    expect(answers).toEqual([...Array(16).fill("201"), "409"]);
    const [first = v1, last = v1] = [versions[0], versions[16]];
    expect(codeOf(await propose(last))).toBe("409 EXO_POLICY_PROPOSALS");
    await plane.ask(at(first), { method: "DELETE", token: author });
    expect((await propose(last)).status).toBe(201);
  });
});

describe("a trial of a proposed policy", () => {
  const backtest = async (policy: PolicyDocument, body: object = {}, token = viewer): Promise<Answer> =>
    await plane.ask(`${at(policy)}/backtest`, { token, body });

  const stored = (): string => digestOfJson([...plane.rig.store.range({ gte: " ", lt: "~" })].map(([key]) => key));

  it("evaluates recorded decisions again, newest first, and changes nothing", async () => {
    const ids: unknown[] = [];
    for (const name of ["a", "b"]) {
      ids.push((await submit("fs.write", `data/${name}.csv`, { text: name })).json["intentId"]);
      plane.rig.clock.advance(1000);
    }
    await submit("fs.read");
    await propose(narrower);
    const before = [stored(), plane.rig.ledger.size];
    const { json } = await backtest(narrower);
    expect(json).toMatchObject({
      complete: true,
      backtest: {
        candidate: { version: 2, digest: digestOfJson(narrower) },
        result: "flips",
        counts: { intents: 3, decisions: 3, same: 1, flips: 2, classes: { "allow->deny": 2 } },
      },
    });
    const { flips } = json["backtest"] as { flips: Record<string, unknown>[] };
    expect(flips.map(({ intentId }) => intentId)).toEqual(ids.reverse());
    expect(flips[0]).toMatchObject({
      recorded: { verdict: "allow", ruleIds: ["allow-write"] },
      candidate: { verdict: "deny", ruleIds: ["default"] },
    });
    expect([stored(), plane.rig.ledger.size]).toEqual(before);
  });

  it("takes a span of time, whose start is included and whose end is not", async () => {
    await submit("fs.write", "data/a.csv", { text: "a" });
    plane.rig.clock.advance(60_000);
    await submit("fs.write", "data/b.csv", { text: "b" });
    await propose(narrower);
    const [first = "", second = ""] = intentRecords(plane.rig.store).map(
      ({ events, intentId }) => events.length > 0 && plane.rig.pipeline.trace(intentId)[1]?.recordedAt,
    ) as string[];
    const flips = async (body: object) =>
      ((await backtest(narrower, body)).json["backtest"] as { counts: { flips: number } }).counts.flips;
    expect(await flips({ since: second })).toBe(1);
    expect(await flips({ since: first })).toBe(2);
    expect(await flips({ until: second })).toBe(1);
    expect(await flips({ until: first })).toBe(0);
  });

  it("looks at the tenants of who asks, and naming another is refused", async () => {
    await submit("fs.write", "data/a.csv", { text: "a" });
    await propose(narrower);
    const other = plane.token({ kind: "viewer" }, "other");
    const hidden = await backtest(narrower, {}, other);
    expect(hidden.json).toMatchObject({ backtest: { counts: { intents: 0, flips: 0 }, flips: [] } });
    expect(codeOf(await backtest(narrower, { tenantId: "default" }, other))).toBe("403 EXO_FORBIDDEN");
    const seen = await backtest(narrower, { tenantId: "default" });
    expect(seen.json).toMatchObject({ backtest: { filter: { tenant: "default" }, counts: { flips: 1 } } });
  });

  it("says which decisions could not be evaluated, and that some were not looked at", async () => {
    await submit("fs.write", "data/a.csv", { text: "a" });
    await propose(narrower);
    const [record] = intentRecords(plane.rig.store);
    const input = record?.materials.find(({ role }) => role === "policy_input")?.digest ?? "";
    await plane.rig.ledger.transact((tx) => {
      tx.put(`b/${input.slice(7)}`, new Uint8Array(1));
      for (let index = 0; index < 2000; index++) {
        tx.put(`i/7${String(index).padStart(25, "0")}`, canonicalize({ intentId: "x", tenantId: "nobody's" }));
      }
    });
    expect((await backtest(narrower)).json).toMatchObject({ complete: false, backtest: { counts: { decisions: 0 } } });
    await plane.rig.ledger.transact((tx) => tx.delete(`i/7${"0".repeat(25)}`));
    expect((await backtest(narrower)).json).toMatchObject({
      complete: true,
      backtest: {
        result: "unable",
        counts: { decisions: 1, notCheckable: 1 },
        notCheckable: [{ intentId: record?.intentId, code: "EXO_STORE_DAMAGED" }],
      },
    });
  });

  it("judges cases, passed and failed", async () => {
    await propose(narrower);
    const one = (name: string, action: string, verdict: string) => ({
      name,
      intent: { actor: "a", action, target: "data/x", parameters: {} },
      expect: { verdict },
    });
    const body = {
      schema: "exoarmur.policy-cases/v1",
      cases: [one("reads", "fs.read", "allow"), one("writes", "fs.write", "allow")],
    };
    const { json } = await plane.ask(`${at(narrower)}/test`, { token: viewer, body });
    expect(json).toMatchObject({
      passed: 1,
      failed: 1,
      cases: [
        { name: "reads", problems: [] },
        { name: "writes", problems: [expect.stringContaining('expected "allow", got "deny"')] },
      ],
    });
    const many = { ...body, cases: Array.from({ length: 1001 }, () => body.cases[0]) };
    const refused = await plane.ask(`${at(narrower)}/test`, { token: viewer, body: many });
    expect([codeOf(refused), refused.json["pointer"]]).toEqual(["400 EXO_SCHEMA", "/cases"]);
  });

  it("is one at a time", async () => {
    await propose(narrower);
    const trials = new PolicyTrials(plane.rig.store);
    const proposal = requireProposal(plane.rig.store, digestOfJson(narrower));
    const filter = { since: null, until: null, tenant: null };
    const { signal } = new AbortController();
    const backtest = () => trials.backtest(proposal, filter, () => true, signal);
    const busy = { status: "rejected", reason: expect.objectContaining({ code: "EXO_OVERLOADED" }) };
    const asked = await Promise.allSettled([backtest(), backtest(), trials.test(proposal, [], signal)]);
    expect(asked).toEqual([expect.objectContaining({ status: "fulfilled" }), busy, busy]);
    expect(await trials.test(proposal, [], signal)).toEqual([]);
  });
});

describe("a trial that nobody waits for", () => {
  it("ends, and makes room for the next", async () => {
    await submit("fs.read");
    await propose(narrower);
    const trials = new PolicyTrials(plane.rig.store);
    const proposal = requireProposal(plane.rig.store, digestOfJson(narrower));
    const filter = { since: null, until: null, tenant: null };
    const gone = new AbortController();
    const given = trials.backtest(proposal, filter, () => true, gone.signal);
    gone.abort();
    await expect(given).rejects.toThrow(expect.objectContaining({ code: "EXO_CLOSED" }));
    expect((await trials.backtest(proposal, filter, () => true, new AbortController().signal)).complete).toBe(true);
  });
});

describe("the activation of a proposed policy", () => {
  it("puts it in force at once: recorded with its class and its order, and held by every later bundle", async () => {
    await propose(narrower);
    await propose(policyOf([write], 3));
    const before = await submit("fs.write", "data/a.csv", { text: "a" });
    const order = await activation(digestOfJson(narrower), digestOfJson(v1));
    const done = await plane.ask(`${at(narrower)}/activate`, { token: author, body: order });
    expect([done.status, done.json]).toEqual([
      200,
      {
        policyId: "test",
        version: 2,
        digest: digestOfJson(narrower),
        envelopeDigest: digestOf(canonicalize(await signedPolicy(narrower))),
        replaced: digestOfJson(v1),
      },
    ]);
    expect(systemEvents(plane.rig).at(-1)).toMatchObject({
      eventType: "policy_changed",
      actor: { id: "author", type: "policy-author" },
      payload: {
        policyDigest: digestOfJson(narrower),
        previous: digestOfJson(v1),
        change: { result: "narrows", classes: [] },
        orderDigest: digestOf(canonicalize(order)),
      },
    });
    const after = await submit("fs.write", "data/b.csv", { text: "b" });
    expect([before.json["status"], after.json["status"]]).toEqual(["executed", "denied"]);
    for (const [answer, policy] of [
      [before, v1],
      [after, narrower],
    ] as const) {
      const { text } = await plane.ask(`/v1/intents/${answer.json["intentId"] as string}/bundle`, { token: viewer });
      const bytes = new TextEncoder().encode(text);
      verified(bytes, plane.rig.trust);
      expect(Object.keys((JSON.parse(text) as { materials: object }).materials)).toContain(digestOfJson(policy));
    }
    expect((await plane.ask("/v1/policy", { token: viewer })).json["document"]).toEqual(narrower);
    const list = await plane.ask("/v1/policies", { token: viewer });
    expect((list.json["items"] as { version: number }[]).map(({ version }) => version)).toEqual([3]);
    const vkey = plane.rig.trust.logs[0]?.vkey ?? "";
    const audit = auditStore(plane.rig.store, { origin, vkey, trust: plane.rig.trust });
    expect(audit.checks.filter(({ state }) => state !== "pass")).toEqual([]);
  });

  it("drops the proposals whose version no longer rises", async () => {
    const third = policyOf([read], 3);
    for (const policy of [narrower, wider, third]) await propose(policy);
    await activate(third, v1);
    expect((await plane.ask("/v1/policies", { token: viewer })).json["items"]).toEqual([]);
    expect(codeOf(await activate(narrower, third))).toBe("404 EXO_POLICY_UNKNOWN");
    expect(codeOf(await propose(narrower))).toBe("409 EXO_POLICY_VERSION");
  });

  it("the same order again changes nothing, before and after the next change", async () => {
    const third = policyOf([read], 3);
    await propose(narrower);
    await propose(third);
    const body = await activation(digestOfJson(narrower), digestOfJson(v1));
    const path = `${at(narrower)}/activate`;
    const first = await plane.ask(path, { token: author, body });
    const again = await plane.ask(path, { token: author, body });
    expect([again.status, again.json]).toEqual([200, first.json]);
    await activate(third, narrower);
    expect(codeOf(await plane.ask(path, { token: author, body }))).toBe("409 EXO_POLICY_REPLACED");
    expect(policyEvents(plane.rig).filter((type) => type === "policy_changed")).toHaveLength(3);
  });

  it("is before or after each intent that is judged meanwhile, never half way", async () => {
    await propose(narrower);
    const early = Array.from({ length: 8 }, (_, index) => submit("fs.write", `data/e${index}.csv`, { text: "e" }));
    const changed = activate(narrower, v1);
    const late = Array.from({ length: 8 }, (_, index) => submit("fs.write", `data/l${index}.csv`, { text: "l" }));
    const answers = await Promise.all([...early, ...late]);
    expect((await changed).status).toBe(200);
    const at = { executed: digestOfJson(v1), denied: digestOfJson(narrower) } as const;
    for (const { json } of answers) {
      const { status, decision, reason } = json as {
        status: "executed" | "denied";
        decision: { policyDigest: string };
        reason?: { code: string };
      };
      expect(decision.policyDigest).toBe(at[status]);
      if (status === "denied") expect(reason?.code).toBe("EXO_POLICY_DENIED");
    }
  });
});

describe("an activation in the log", () => {
  it("is what the next transaction of its group is judged by", async () => {
    const { pipeline } = plane.rig;
    await propose(narrower);
    const order = await activation(digestOfJson(narrower), digestOfJson(v1));
    const changed = pipeline.policies.activateProposal(order);
    const judged = pipeline.execute(draft("fs.write", "data/a.csv"));
    expect(await judged).toMatchObject({
      decision: { policyDigest: digestOfJson(narrower) },
      reason: { code: "EXO_POLICY_DENIED" },
    });
    expect((await changed).active.version).toBe(2);
  });

  it("whose checkpoint cannot be signed leaves the policy before it, under which all goes on", async () => {
    let failing = false;
    let meanwhile: Promise<ExecutionResult> | undefined;
    const log: Signer = {
      ...keys.log,
      sign: async (message) => {
        if (!failing) return await keys.log.sign(message);
        failing = false;
        meanwhile = plane.rig.pipeline.execute(draft("fs.write", "data/meanwhile.csv"));
        throw new ExoArmurError("EXO_SIGNER", "the signer is gone");
      },
    };
    await plane.close();
    plane = await openPlane({ rig: { signers: { log } } });
    [author, viewer] = [await plane.login("author"), plane.token({ kind: "viewer" })];
    agent = plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] });
    await propose(narrower);
    failing = true;
    expect(codeOf(await activate(narrower, v1))).toBe("503 EXO_SIGNER");
    expect(await meanwhile).toMatchObject({ status: "executed", decision: { policyDigest: digestOfJson(v1) } });
    expect((await submit("fs.write", "data/a.csv", { text: "a" })).json["status"]).toBe("executed");
    expect((await activate(narrower, v1)).status).toBe(200);
    expect((await submit("fs.write", "data/b.csv", { text: "b" })).json["status"]).toBe("denied");
  });
});

describe("an approval that was asked for under the policy before", () => {
  const pending = async (): Promise<ApprovalRequest> => (await submit("fs.remove")).json["approval"] as ApprovalRequest;

  const approve = async (request: ApprovalRequest, id: "alice" | "bob" = "alice"): Promise<Answer> =>
    await plane.ask(`/v1/approvals/${request.requestId}/grants`, {
      token: await plane.login("approver"),
      body: await grant(request, id, keys[id]),
    });

  const statusOf = async (request: ApprovalRequest): Promise<unknown> =>
    (await plane.ask(`/v1/approvals/${request.requestId}`, { token: viewer })).json["status"];

  it.each<[string, PolicyDocument, string]>([
    ["would ask as before", policyOf([remove], 2), "the policy changed since the approval was asked for"],
    ["allows it without one", wider, "the policy changed since the approval was asked for"],
    ["asks for more people", policyOf([{ ...remove, obligations: { approvals: 2 } }], 2), "the policy changed"],
  ])("runs nothing where the new policy %s", async (_name, next, message) => {
    const request = await pending();
    const runs = plane.rig.sandbox.jobs.length;
    await propose(next);
    expect((await activate(next, v1)).status).toBe(200);
    const { json } = await approve(request);
    expect(json).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_STALE" } });
    expect((json["reason"] as { message: string }).message).toContain(message);
    expect(await statusOf(request)).toBe("superseded");
    expect(plane.rig.sandbox.jobs.length).toBe(runs);
    expect(codeOf(await approve(request, "bob"))).toBe("409 EXO_APPROVAL_CLOSED");
  });

  it("ends as denied by policy where the new one denies", async () => {
    const request = await pending();
    const next = policyOf([read], 2);
    await propose(next);
    await activate(next, v1);
    expect((await approve(request)).json).toMatchObject({ status: "denied", reason: { code: "EXO_POLICY_DENIED" } });
    expect(await statusOf(request)).toBe("superseded");
  });

  it("given anew, the intent is asked about under the new policy and runs under it", async () => {
    const next = policyOf([remove], 2);
    const request = await pending();
    await propose(next);
    await activate(next, v1);
    await approve(request);
    const again = await pending();
    expect(again.policyDigest).toBe(digestOfJson(next));
    expect((await approve(again)).json).toMatchObject({
      status: "executed",
      decision: { policyDigest: digestOfJson(next) },
    });
  });
});

describe("a Cedar policy", () => {
  it("is proposed and activated where an engine is, compared with none, and not tried beside the one in force", async () => {
    await plane.close();
    plane = await openPlane({ rig: { cedar: async () => engine } });
    [author, viewer] = [await plane.login("author"), plane.token({ kind: "viewer" })];
    const policy = cedarOf(`@id("all") permit(principal, action, resource);`, { version: 2 }) as never;
    expect((await propose(policy)).status).toBe(201);
    expect((await plane.ask(at(policy), { token: viewer })).json).toMatchObject({ change: { result: "undecided" } });
    const tried = await plane.ask(`${at(policy)}/backtest`, { token: viewer, body: {} });
    expect(codeOf(tried)).toBe("422 EXO_CEDAR_ENGINE");
    expect((await activate(policy, v1)).status).toBe(200);
  });
});

describe("trust scores", () => {
  const scores = async (token: string, query = ""): Promise<unknown> =>
    (await plane.ask(`/v1/trust-scores${query}`, { token })).json["items"];

  it("are listed as orders set them, with the one that stands, to whom the tenant is", async () => {
    const at = (ms: number) => ({ signedAt: formatTime(startMs + ms) });
    const orders = [
      await scoreOrder(0.75, at(0)),
      await scoreOrder(0.25, { tenantId: "other" }),
      await scoreOrder(0.4, at(1)),
      await scoreOrder(0.75, at(2)),
    ];
    for (const one of orders) await plane.rig.pipeline.setTrustScore(one);
    const mine = [
      { actorId: "report-agent", score: 0.75, operator: "ops", stands: true },
      { actorId: "report-agent", score: 0.4, stands: false },
      { actorId: "report-agent", score: 0.75, stands: false },
    ].map((one) => expect.objectContaining({ ...one, tenantId: "default" }));
    expect(await scores(viewer)).toEqual(mine);
    const theirs = expect.objectContaining({ tenantId: "other", score: 0.25, stands: true });
    expect(await scores(plane.token({ kind: "viewer" }, "other"))).toEqual([theirs]);
    expect(await scores(await plane.login("admin"))).toHaveLength(4);
    expect(await scores(viewer, "?actorId=nobody")).toEqual([]);
    expect(codeOf(await plane.ask("/v1/trust-scores?tenantId=other", { token: viewer }))).toBe("403 EXO_FORBIDDEN");
  });

  it("come in pages", async () => {
    for (const score of [0.1, 0.2, 0.3]) await plane.rig.pipeline.setTrustScore(await scoreOrder(score));
    const first = await plane.ask("/v1/trust-scores?limit=2", { token: viewer });
    expect(first.json["items"]).toMatchObject([{ score: 0.3 }, { score: 0.2 }]);
    const rest = await scores(viewer, `?cursor=${encodeURIComponent(String(first.json["nextCursor"]))}`);
    expect(rest).toMatchObject([{ score: 0.1, stands: false }]);
  });
});
