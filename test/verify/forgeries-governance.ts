import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import type { Forge, Loose } from "../support/forge.js";
import { keys } from "../support/world.js";
import { type Forgery, forged, someDigest } from "./forgery.js";

const wrong = "EXO_CHECK_FAILED";

/** Edits the request everywhere it stands: its material and the event that holds it. */
async function request(f: Forge, change: (request: Loose) => unknown): Promise<void> {
  await f.edit("approval_request", change);
  await f.payload("approval_requested", (p) => change(p.request));
}

/** Makes kill switch, safety verdict, final verdict and statement say the same. */
async function deniedBySafety(f: Forge): Promise<void> {
  await f.edit("safety_snapshot", (s) => (s.killSwitch.global = true));
  await f.payload("safety_evaluated", ({ verdict }) => {
    Object.assign(verdict, {
      verdict: "deny",
      ruleIds: ["kill-switch-global"],
      rationale: "the global kill switch is on",
    });
  });
  await f.payload("verdict_resolved", ({ final }) => {
    Object.assign(final, { verdict: "deny", ruleIds: ["safety:kill-switch-global"] });
  });
  f.predicate.verdicts.safety = "deny";
  f.predicate.verdicts.final = "deny";
}

export const governanceForgeries: readonly Forgery[] = [
  forged({ check: "policy-author", name: "signed by a stranger", of: "executed", code: "EXO_TRUST" }, (f) =>
    f.resign("policy_envelope", keys.mallory),
  ),
  forged({ check: "policy-author", name: "signed by a key of another role", of: "executed", code: "EXO_TRUST" }, (f) =>
    f.resign("policy_envelope", keys.runtime),
  ),
  forged({ check: "policy-author", name: "the author signed another policy", of: "executed", code: "EXO_TRUST" }, (f) =>
    f.resign("policy_envelope", keys.author, (policy) => (policy.version = 2)),
  ),
  forged(
    { check: "policy-author", name: "another policy than the author signed", of: "executed", code: "EXO_TRUST" },
    (f) => f.edit("policy", (policy) => (policy.version = 2)),
  ),
  forged({ check: "policy-author", name: "nobody signed", of: "executed", code: "EXO_TRUST" }, (f) =>
    f.drop("policy_envelope"),
  ),
  forged({ check: "policy", name: "another rationale", of: "executed", code: wrong }, (f) =>
    f.payload("policy_evaluated", (p) => (p.decision.rationale = "because")),
  ),
  forged({ check: "policy", name: "another rule", of: "executed", code: wrong, caught: ["policy", "verdict"] }, (f) =>
    f.payload("policy_evaluated", (p) => (p.decision.ruleIds = ["allow-write"])),
  ),
  forged(
    { check: "policy", name: "deny made allow", of: "denied", code: wrong, caught: ["policy", "verdict"] },
    async (f) => {
      await f.payload("policy_evaluated", (p) => (p.decision.verdict = "allow"));
      f.predicate.verdicts.policy = "allow";
    },
  ),
  forged(
    { check: "policy", name: "allow made deny", of: "executed", code: wrong, caught: ["policy", "verdict"] },
    async (f) => {
      await f.payload("policy_evaluated", (p) => (p.decision.verdict = "deny"));
      f.predicate.verdicts.policy = "deny";
    },
  ),
  forged(
    { check: "policy", name: "the author swapped the policy afterwards", of: "executed", code: wrong },
    async (f) => {
      const deny = (policy: Loose): void => {
        for (const rule of policy.rules) rule.verdict = "deny";
      };
      await f.edit("policy", deny);
      await f.resign("policy_envelope", keys.author, deny);
    },
  ),
  forged({ check: "policy", name: "judged for another requester", of: "executed", code: wrong }, (f) =>
    f.edit("policy_input", (input) => (input.requester.principal = "boss")),
  ),
  forged({ check: "policy", name: "judged at another time", of: "executed", code: wrong }, (f) =>
    f.edit("policy_input", (input) => (input.evaluatedAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged({ check: "policy", name: "judged for other effects", of: "executed", code: wrong }, (f) =>
    f.edit("policy_input", (input) => (input.effects = "none")),
  ),
  forged({ check: "policy", name: "judged for another intent", of: "executed", code: wrong }, (f) =>
    f.edit("policy_input", (input) => (input.intentDigest = someDigest("3"))),
  ),
  forged({ check: "policy", name: "judged for another plugin", of: "executed", code: wrong }, (f) =>
    f.edit("policy_input", (input) => (input.pluginDigest = someDigest("3"))),
  ),
  forged(
    { check: "policy", name: "an obligation dropped", of: "approved", code: wrong, caught: ["policy", "approvals"] },
    (f) => f.payload("policy_evaluated", (p) => delete p.decision.obligations.approvals),
  ),
  forged(
    { check: "policy", name: "by an evaluator nobody knows", of: "executed", code: "EXO_REVISION", state: "unable" },
    (f) => f.payload("policy_evaluated", (p) => (p.decision.evaluator.revision = 9)),
  ),
  forged({ check: "safety", name: "another rationale", of: "executed", code: wrong }, (f) =>
    f.payload("safety_evaluated", (p) => (p.verdict.rationale = "all is well")),
  ),
  forged({ check: "safety", name: "a kill switch that was on", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.killSwitch.tenant = true)),
  ),
  forged({ check: "safety", name: "a kill switch without a state", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.killSwitch.global = null)),
  ),
  forged({ check: "safety", name: "an unverified policy", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.policyVerified = false)),
  ),
  forged({ check: "safety", name: "a low trust score", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.trustScore = 0.1)),
  ),
  forged({ check: "safety", name: "a snapshot of another time", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.takenAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged({ check: "safety", name: "a snapshot of another tenant", of: "executed", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.tenantId = "other")),
  ),
  forged({ check: "safety", name: "a write passed off as observing", of: "written", code: wrong }, async (f) => {
    await f.edit("safety_config", (c) => (c.operatorApproval = ["A2_hard_containment"]));
    await f.edit("safety_snapshot", (s) => (s.actionClass = "A0_observe"));
  }),
  forged({ check: "safety", name: "a class that nobody asked for", of: "written", code: wrong }, (f) =>
    f.edit("safety_snapshot", (s) => (s.actionClass = "A2_hard_containment")),
  ),
  forged({ check: "safety", name: "another configuration", of: "executed", code: wrong }, (f) =>
    f.edit("safety_config", (c) => (c.sources.trustScore = "off")),
  ),
  forged({ check: "verdict", name: "the statement of a denied run says allow", of: "denied", code: wrong }, (f) => {
    f.predicate.verdicts.final = "allow";
  }),
  forged({ check: "verdict", name: "the statement of an allowed run says deny", of: "executed", code: wrong }, (f) => {
    f.predicate.verdicts.final = "deny";
  }),
  forged(
    { check: "verdict", name: "the statement of a refused intent says allow", of: "refused", code: wrong },
    (f) => {
      f.predicate.verdicts.policy = "allow";
    },
  ),
  forged({ check: "verdict", name: "other rules resolved it", of: "executed", code: wrong }, (f) =>
    f.payload("verdict_resolved", (p) => (p.final.ruleIds = ["policy:allow-write"])),
  ),
  forged({ check: "verdict", name: "a start under a deny", of: "executed", code: wrong }, deniedBySafety),
  forged(
    {
      check: "verdict",
      name: "a start that spends no approval",
      of: "approved",
      code: wrong,
    },
    (f) => f.payload("execution_started", (p) => (p.spent = null)),
  ),
  forged(
    { check: "target", name: "another target than the parameters", of: "executed", code: "EXO_TARGET_MISMATCH" },
    (f) => f.edit("intent", (intent) => (intent.target = "data/other.csv")),
  ),
  forged(
    {
      check: "target",
      name: "no target in the parameters",
      of: "executed",
      code: "EXO_TARGET_MISMATCH",
      caught: ["target", "execution"],
    },
    (f) => f.edit("intent", (intent) => (intent.parameters = {})),
  ),
  forged({ check: "grants", name: "a limit above the manifest's", of: "executed", code: wrong }, async (f) => {
    const more = 2_000_000_000;
    await f.edit("grants", (g) => (g.limits.fuel = more));
    await f.execution((record) => {
      record.limits.fuel = more;
      record.fuel.limit = more;
    });
  }),
  forged({ check: "grants", name: "a capability the manifest does not ask for", of: "executed", code: wrong }, (f) =>
    f.edit("grants", (g) => g.capabilities.unshift({ name: "clock_now" })),
  ),
  forged({ check: "grants", name: "a write for a function that reads", of: "executed", code: wrong }, (f) =>
    f.edit("grants", (g) => g.capabilities.push({ name: "fs_write", constraints: { roots: ["data"] } })),
  ),
  forged({ check: "grants", name: "a capability twice", of: "executed", code: wrong }, (f) =>
    f.edit("grants", (g) => g.capabilities.push(g.capabilities[0])),
  ),
  forged({ check: "grants", name: "wider than the obligation", of: "approved", code: wrong }, async (f) => {
    const widen = (grants: Loose): void => {
      grants.capabilities.find(({ name }: Loose) => name === "fs_remove").constraints.paths = ["data"];
    };
    await f.edit("grants", widen);
    await f.edit("preview", (preview) => widen(preview.grants));
    await f.payload("approval_requested", (p) => Object.assign(p.request, f.json("approval_request")));
  }),
];

const approvals = { check: "approvals", of: "approved" } as const;

export const approvalForgeries: readonly Forgery[] = [
  ...(["pluginDigest", "policyDigest", "manifestDigest", "grantsDigest", "intentDigest"] as const).map((name) =>
    forged({ ...approvals, name: `given for another ${name}`, code: wrong }, (f) =>
      request(f, (r) => (r[name] = someDigest("4"))),
    ),
  ),
  forged({ ...approvals, name: "given for another intent id", code: wrong }, (f, all) =>
    request(f, (r) => (r.intentId = all.intentIds.denied)),
  ),
  forged({ ...approvals, name: "given in another cell", code: wrong }, (f) =>
    request(f, (r) => (r.cellId = "elsewhere")),
  ),
  forged({ ...approvals, name: "a lower threshold", code: wrong }, (f) => request(f, (r) => (r.threshold = 1))),
  forged({ ...approvals, name: "a later expiry", code: wrong }, (f) =>
    request(f, (r) => (r.expiresAt = "2027-01-01T00:00:00.000Z")),
  ),
  forged({ ...approvals, name: "a request made earlier than recorded", code: wrong }, (f) =>
    request(f, (r) => (r.requestedAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged({ ...approvals, name: "a roster of other roles", code: wrong }, (f) =>
    request(f, (r) => r.roster[0].roles.push("janitor")),
  ),
  forged({ ...approvals, name: "for another verdict", code: wrong }, (f) =>
    request(f, (r) => (r.verdict = "require_human")),
  ),
  forged({ ...approvals, name: "an event with another request than the signed one", code: wrong }, (f) =>
    f.payload("approval_requested", (p) => (p.request.threshold = 1)),
  ),
  forged({ ...approvals, name: "shown was something else", code: wrong }, async (f) => {
    await f.edit("preview", (preview) => (preview.target = "data/harmless.txt"));
    await f.payload("approval_requested", (p) => Object.assign(p.request, f.json("approval_request")));
  }),
  forged({ ...approvals, name: "started after the expiry", code: "EXO_APPROVAL_EXPIRED" }, async (f) => {
    for (const at of [-3, -2, -1]) await f.header(at, (h) => (h.recordedAt = "2027-01-01T00:00:00.000Z"));
  }),
  forged({ ...approvals, name: "signed by a stranger", code: "EXO_TRUST" }, (f) =>
    f.resign("approval_grant", keys.mallory),
  ),
  forged({ ...approvals, name: "signed by a key of another role", code: "EXO_TRUST" }, (f) =>
    f.resign("approval_grant", keys.runtime),
  ),
  forged({ ...approvals, name: "signed by an approver under another's name", code: "EXO_APPROVAL_APPROVER" }, (f) =>
    f.resign("approval_grant", keys.carol),
  ),
  forged({ ...approvals, name: "one key twice", code: "EXO_APPROVAL_DUPLICATE" }, async (f) => {
    await f.resign("approval_grant", keys.alice, (g) => (g.approver = { id: "alice", keyId: keys.alice.keyId }), 1);
    await f.payload("approval_granted", (p) => (p.approver = "alice"), 1);
  }),
  forged({ ...approvals, name: "one person with two keys", code: "EXO_APPROVAL_DUPLICATE" }, async (f) => {
    await f.resign(
      "approval_grant",
      keys.otherAuthor,
      (g) => (g.approver = { id: "alice", keyId: keys.otherAuthor.keyId }),
      1,
    );
    await f.payload("approval_granted", (p) => (p.approver = "alice"), 1);
  }),
  forged({ ...approvals, name: "one person under two names", code: "EXO_TRUST" }, async (f) => {
    await request(f, (r) => {
      for (const entry of r.roster) entry.keyIds = entry.keyIds.filter((id: string) => id !== keys.otherAuthor.keyId);
      r.roster.push({ id: "anna", keyIds: [keyIdOf(keys.otherAuthor.publicKey)], roles: ["approver"] });
    });
    await f.resign(
      "approval_grant",
      keys.otherAuthor,
      (g) => (g.approver = { id: "anna", keyId: keys.otherAuthor.keyId }),
      1,
    );
    await f.payload("approval_granted", (p) => (p.approver = "anna"), 1);
  }),
  ...["alice", "alice-2", keys.alice.keyId].map((principal) =>
    forged(
      { ...approvals, name: `the requester approves, as ${principal}`, code: "EXO_APPROVAL_APPROVER" },
      async (f) => {
        await f.payload("intent_received", (p) => (p.requester.principal = principal));
        for (const at of [0, 1]) await f.edit("policy_input", (input) => (input.requester.principal = principal), at);
      },
    ),
  ),
  forged({ ...approvals, name: "the one it is done for approves", code: "EXO_APPROVAL_APPROVER" }, async (f) => {
    await f.payload("intent_received", (p) => (p.requester.onBehalfOf = "bob"));
    for (const at of [0, 1]) await f.edit("policy_input", (input) => (input.requester.onBehalfOf = "bob"), at);
  }),
  forged({ ...approvals, name: "too few", code: "EXO_APPROVAL_PENDING" }, async (f) => {
    await f.removeEvent(6);
    f.drop("approval_grant", 1);
  }),
  forged({ ...approvals, name: "a deny counted as an approval", code: wrong }, (f) =>
    f.resign("approval_grant", keys.alice, (g) => Object.assign(g, { decision: "deny", reason: "no" })),
  ),
  forged({ ...approvals, name: "of another request", code: wrong }, (f) =>
    f.resign("approval_grant", keys.alice, (g) => (g.requestDigest = someDigest("5"))),
  ),
  forged({ ...approvals, name: "an event that names another approver", code: "EXO_APPROVAL_APPROVER" }, (f) =>
    f.payload("approval_granted", (p) => (p.approver = "carol")),
  ),
  forged({ ...approvals, name: "signed before the request", code: "EXO_ORDER" }, (f) =>
    f.resign("approval_grant", keys.alice, (g) => (g.signedAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged({ ...approvals, name: "spends a request nobody made", code: "EXO_MATERIAL_SET" }, (f) =>
    f.payload("execution_started", (p) => (p.spent = someDigest("6"))),
  ),
  forged({ check: "approvals", of: "approvalDenied", name: "a denial with other words", code: wrong }, (f) =>
    f.payload("approval_denied", (p) => (p.reason = "gladly")),
  ),
  forged(
    { check: "approvals", of: "approvalDenied", name: "a denial signed before the request", code: "EXO_ORDER" },
    (f) => f.resign("approval_grant", keys.alice, (grant) => (grant.signedAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged(
    { check: "approvals", of: "approvalDenied", name: "a denial after the expiry", code: "EXO_APPROVAL_EXPIRED" },
    (f) => f.resign("approval_grant", keys.alice, (grant) => (grant.signedAt = "2099-01-01T00:00:00.000Z")),
  ),
  forged({ check: "approvals", of: "approvalDenied", name: "a denial by a stranger", code: "EXO_TRUST" }, (f) =>
    f.resign("approval_grant", keys.mallory),
  ),
  forged({ check: "approvals", of: "approvalDenied", name: "a denial that is no JSON", code: "EXO_JSON_SYNTAX" }, (f) =>
    f.set("approval_grant", encodeUtf8("{")),
  ),
];
