import { describe, expect, test } from "vitest";
import {
  type ApprovalState,
  type ApprovalStatus,
  applyGrant,
  approvalTransitions,
  expire,
  type GrantInput,
  isHeld,
  isPast,
  pendingApproval,
  spend,
  supersede,
} from "../../src/approval/state.js";
import { parseTime } from "../../src/canonical/time.js";
import type { ApprovalGrant } from "../../src/contracts/approval.js";
import type { Signer } from "../../src/ports.js";
import {
  alice,
  aliceLaptop,
  bob,
  carol,
  codeOf,
  digest,
  envelopeDigest,
  expiresAt,
  grantOf,
  mallory,
  now,
  request,
  requestDigest,
  unwrap,
} from "./helpers.js";

function apply(signer: Signer, id: string, more: Partial<ApprovalGrant> = {}, input: Partial<GrantInput> = {}) {
  const grant = grantOf(signer, id, more);
  return applyGrant({
    state: pendingApproval,
    request,
    requestDigest,
    grant,
    signerKeyId: signer.keyId,
    envelopeDigest,
    now,
    ...input,
  });
}
const deny = { decision: "deny", reason: "not today" } as const;
const statuses: ApprovalStatus[] = ["pending", "approved", "denied", "expired", "superseded", "spent"];
const stateIn = (status: ApprovalStatus): ApprovalState => ({ status, decisions: [] });

describe("decisions", () => {
  test("distinct people are counted up to the threshold", () => {
    const first = unwrap(apply(alice, "alice"));
    expect(first.outcome).toBe("counted");
    expect(first.state).toEqual({
      status: "pending",
      decisions: [
        {
          approver: "alice",
          keyId: alice.keyId,
          decision: "approve",
          envelopeDigest,
          signedAt: "2026-01-31T09:05:00.000Z",
        },
      ],
    });
    const second = unwrap(apply(bob, "bob", {}, { state: first.state }));
    expect(second.outcome).toBe("approved");
    expect(second.state.status).toBe("approved");
    expect(second.state.decisions.map((one) => one.approver)).toEqual(["alice", "bob"]);
    expect(pendingApproval).toEqual({ status: "pending", decisions: [] });
  });

  test("one deny closes, first or later, with its reason", () => {
    const denied = unwrap(apply(alice, "alice", deny));
    expect([denied.outcome, denied.state.status, denied.state.decisions[0]?.reason]).toEqual([
      "denied",
      "denied",
      "not today",
    ]);
    const counted = unwrap(apply(alice, "alice")).state;
    expect(unwrap(apply(bob, "bob", deny, { state: counted })).outcome).toBe("denied");
    expect(codeOf(apply(bob, "bob", {}, { state: denied.state }))).toBe("EXO_APPROVAL_CLOSED");
  });

  test("two keys of one person count once, and a deny does not take an approval back", () => {
    const { state } = unwrap(apply(alice, "alice"));
    expect(codeOf(apply(alice, "alice", {}, { state }))).toBe("EXO_APPROVAL_DUPLICATE");
    expect(codeOf(apply(aliceLaptop, "alice", {}, { state }))).toBe("EXO_APPROVAL_DUPLICATE");
    expect(codeOf(apply(aliceLaptop, "alice", deny, { state }))).toBe("EXO_APPROVAL_DUPLICATE");
  });

  test("one key in two entries counts once", () => {
    const shared = {
      ...request,
      roster: [...request.roster, { id: "dora", keyIds: [alice.keyId], roles: ["approver"] }],
    };
    const { state } = unwrap(apply(alice, "alice", {}, { request: shared }));
    expect(codeOf(apply(alice, "dora", {}, { request: shared, state }))).toBe("EXO_APPROVAL_DUPLICATE");
  });

  test("a roster that names somebody twice names nobody", () => {
    const twice = {
      ...request,
      roster: [...request.roster, { id: "bob", keyIds: [mallory.keyId], roles: ["approver"] }],
    };
    expect(codeOf(apply(mallory, "bob", {}, { request: twice }))).toBe("EXO_APPROVAL_APPROVER");
    expect(codeOf(apply(bob, "bob", {}, { request: twice }))).toBe("EXO_APPROVAL_APPROVER");
  });
});

describe("refused", () => {
  test.each<[string, Partial<ApprovalGrant>, Partial<GrantInput>, string]>([
    ["another request", { requestDigest: digest("f") }, {}, "EXO_APPROVAL_UNKNOWN"],
    ["another signer", {}, { signerKeyId: carol.keyId }, "EXO_APPROVAL_APPROVER"],
    [
      "another's key",
      { approver: { id: "bob", keyId: carol.keyId } },
      { signerKeyId: carol.keyId },
      "EXO_APPROVAL_APPROVER",
    ],
    ["a stranger", { approver: { id: "mallory", keyId: bob.keyId } }, {}, "EXO_APPROVAL_APPROVER"],
    [
      "a stranger's key",
      { approver: { id: "bob", keyId: mallory.keyId } },
      { signerKeyId: mallory.keyId },
      "EXO_APPROVAL_APPROVER",
    ],
    ["a deny without reason", { decision: "deny" }, {}, "EXO_APPROVAL_REASON"],
    ["a deny with a blank reason", { decision: "deny", reason: "  " }, {}, "EXO_APPROVAL_REASON"],
    ["signed before the request", { signedAt: "2026-01-31T08:59:59.999Z" }, {}, "EXO_ORDER"],
    ["signed on no day", { signedAt: "2026-02-31T09:05:00.000Z" }, {}, "EXO_ORDER"],
    ["signed after the expiry", { signedAt: "2026-01-31T09:15:00.001Z" }, {}, "EXO_APPROVAL_EXPIRED"],
    ["counted after the expiry", {}, { now: parseTime(expiresAt) + 1 }, "EXO_APPROVAL_EXPIRED"],
    ["counted at no time", {}, { now: Number.NaN }, "EXO_APPROVAL_EXPIRED"],
    ["on a denied request", {}, { state: stateIn("denied") }, "EXO_APPROVAL_CLOSED"],
    ["on an approved request", {}, { state: stateIn("approved") }, "EXO_APPROVAL_CLOSED"],
    ["on a superseded request", {}, { state: stateIn("superseded") }, "EXO_APPROVAL_CLOSED"],
    ["on an expired request", {}, { state: stateIn("expired") }, "EXO_APPROVAL_EXPIRED"],
    ["on a spent request", {}, { state: stateIn("spent") }, "EXO_APPROVAL_SPENT"],
  ])("%s", (_name, more, input, code) => {
    expect(codeOf(apply(bob, "bob", more, input))).toBe(code);
  });

  test("the first and the last millisecond are inside", () => {
    expect(codeOf(apply(bob, "bob", { signedAt: "2026-01-31T09:00:00.000Z" }))).toBe("ok");
    expect(codeOf(apply(bob, "bob", { signedAt: expiresAt }, { now: parseTime(expiresAt) }))).toBe("ok");
    expect(isPast(request, parseTime(expiresAt))).toBe(false);
    expect(isPast(request, parseTime(expiresAt) + 1)).toBe(true);
  });
});

describe("a hold", () => {
  const held = { ...request, notBefore: "2026-01-31T09:10:00.000Z" };
  const over = parseTime(held.notBefore);
  const approved: ApprovalState = unwrap(
    apply(bob, "bob", {}, { request: held, state: unwrap(apply(alice, "alice", {}, { request: held })).state }),
  ).state;

  test("an approval is not spent before its time, and at that millisecond it is", () => {
    expect(approved.status).toBe("approved");
    expect([isHeld(held, over - 1), isHeld(held, over), isHeld(held, Number.NaN), isHeld(request, 0)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(codeOf(spend(approved, held, over - 1))).toBe("EXO_APPROVAL_HELD");
    expect(codeOf(spend(approved, held, Number.NaN))).toBe("EXO_APPROVAL_HELD");
    expect(unwrap(spend(approved, held, over)).status).toBe("spent");
  });

  test.each([
    ["while it is held", over - 1],
    ["while it is over and not spent", over + 1],
  ])("another person's deny wins %s", (_when, at) => {
    const denied = unwrap(apply(carol, "carol", deny, { request: held, state: approved, now: at }));
    expect([denied.outcome, denied.state.status]).toEqual(["denied", "denied"]);
    expect(denied.state.decisions.map(({ approver }) => approver)).toEqual(["alice", "bob", "carol"]);
    expect(codeOf(spend(denied.state, held, over))).toBe("EXO_APPROVAL_DENIED");
  });

  test.each<[string, Signer, string, Partial<ApprovalGrant>, Partial<GrantInput>, string]>([
    ["a further approval", carol, "carol", {}, {}, "EXO_APPROVAL_CLOSED"],
    ["an approver's second thought", bob, "bob", deny, {}, "EXO_APPROVAL_DUPLICATE"],
    ["an approver's other key", aliceLaptop, "alice", deny, {}, "EXO_APPROVAL_DUPLICATE"],
    ["a stranger's deny", mallory, "mallory", deny, {}, "EXO_APPROVAL_APPROVER"],
    ["a deny without reason", carol, "carol", { decision: "deny" }, {}, "EXO_APPROVAL_REASON"],
    ["a deny after the expiry", carol, "carol", deny, { now: parseTime(expiresAt) + 1 }, "EXO_APPROVAL_EXPIRED"],
    ["a deny of what has no hold", carol, "carol", deny, { request }, "EXO_APPROVAL_CLOSED"],
    ["a deny of what is spent", carol, "carol", deny, { state: stateIn("spent") }, "EXO_APPROVAL_SPENT"],
  ])("%s is refused", (_name, signer, id, more, input, code) => {
    expect(codeOf(apply(signer, id, more, { request: held, state: approved, ...input }))).toBe(code);
  });
});

describe("the status machine", () => {
  test("is this table", () => {
    expect(approvalTransitions).toEqual({
      pending: ["approved", "denied", "expired", "superseded"],
      approved: ["spent", "denied", "expired", "superseded"],
      denied: [],
      expired: [],
      superseded: [],
      spent: [],
    });
  });

  test.each<[ApprovalStatus, spent: string, expired: string, superseded: string]>([
    ["pending", "EXO_APPROVAL_PENDING", "ok", "ok"],
    ["approved", "ok", "ok", "ok"],
    ["denied", "EXO_APPROVAL_DENIED", "EXO_APPROVAL_CLOSED", "EXO_APPROVAL_CLOSED"],
    ["expired", "EXO_APPROVAL_EXPIRED", "EXO_APPROVAL_EXPIRED", "EXO_APPROVAL_EXPIRED"],
    ["superseded", "EXO_APPROVAL_STALE", "EXO_APPROVAL_CLOSED", "EXO_APPROVAL_CLOSED"],
    ["spent", "EXO_APPROVAL_SPENT", "EXO_APPROVAL_SPENT", "EXO_APPROVAL_SPENT"],
  ])("%s: spend %s, expire %s, supersede %s", (status, spent, expired, superseded) => {
    const late = parseTime(expiresAt) + 1;
    expect(codeOf(spend(stateIn(status), request, now))).toBe(spent);
    expect(codeOf(expire(stateIn(status), request, late))).toBe(expired);
    expect(codeOf(supersede(stateIn(status)))).toBe(superseded);
  });

  test("every step that is possible is in the table, and the reverse", () => {
    const late = parseTime(expiresAt) + 1;
    // With a hold that is over: what lasts in no other request, an approval, takes every step it can.
    const one = { ...request, threshold: 1, notBefore: request.requestedAt };
    for (const status of statuses) {
      const state = stateIn(status);
      const results = [
        spend(state, one, now),
        expire(state, request, late),
        supersede(state),
        ...[{}, deny].map((more) => {
          const applied = apply(bob, "bob", more, { state, request: one });
          return applied.ok ? { ok: true as const, value: applied.value.state } : applied;
        }),
      ];
      const reached = results.flatMap((result) => (result.ok ? [result.value.status] : []));
      expect([...new Set(reached)].sort()).toEqual([...approvalTransitions[status]].sort());
    }
  });

  test("an approval is spent once, keeps its decisions, and nothing expires early", () => {
    const { state } = unwrap(apply(bob, "bob", {}, { request: { ...request, threshold: 1 } }));
    const spent = unwrap(spend(state, request, now));
    expect(spent).toEqual({ status: "spent", decisions: state.decisions });
    expect(codeOf(spend(spent, request, now))).toBe("EXO_APPROVAL_SPENT");
    expect(codeOf(expire(state, request, parseTime(expiresAt)))).toBe("EXO_APPROVAL_PENDING");
  });
});
