import { describe, expect, test } from "vitest";
import { buildRoster, type RosterInput } from "../../src/approval/roster.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { actor, alice, aliceLaptop, bob, carol, keyOf, requester, trustOf } from "./helpers.js";

function roster(keys: TrustedKey[], more: Partial<RosterInput> = {}) {
  const trust = trustOf(...keys);
  return buildRoster({ trust, requester, actor, tenantId: "default", roles: ["approver"], logSize: 10, ...more });
}
const ids = (...args: Parameters<typeof roster>) => roster(...args).map((entry) => entry.id);

test("people with their keys and roles, sorted whatever the order of the trust file", () => {
  const keys = [
    keyOf(bob, "bob-key", { roles: ["security", "approver", "other"] }),
    keyOf(aliceLaptop, "alice-laptop", { person: "alice" }),
    keyOf(alice, "alice-desk", { person: "alice", roles: ["security"] }),
  ];
  const expected = [
    { id: "alice", keyIds: [alice.keyId, aliceLaptop.keyId].sort(), roles: ["approver", "security"] },
    { id: "bob-key", keyIds: [bob.keyId], roles: ["approver", "security"] },
  ];
  expect(roster(keys, { roles: ["security", "approver"] })).toEqual(expected);
  expect(roster([...keys].reverse(), { roles: ["approver", "security"] })).toEqual(expected);
});

test("only the keys that hold an asked role count", () => {
  const keys = [
    keyOf(alice, "alice-desk", { person: "alice", roles: ["security"] }),
    keyOf(aliceLaptop, "alice-laptop", { person: "alice" }),
    keyOf(bob, "bob"),
  ];
  expect(roster(keys, { roles: ["security"] })).toEqual([{ id: "alice", keyIds: [alice.keyId], roles: ["security"] }]);
  expect(roster(keys, { roles: [] })).toEqual([]);
  expect(roster(keys, { roles: ["nobody"] })).toEqual([]);
});

describe("validity", () => {
  test.each<[Partial<TrustedKey>, number, boolean]>([
    [{ from: null, until: null }, 0, true],
    [{ from: 10 }, 10, true],
    [{ from: 11 }, 10, false],
    [{ until: 11 }, 10, true],
    [{ until: 10 }, 10, false],
    [{ from: 0, until: 0 }, 0, false],
    [{ from: 5, until: 9 }, 10, false],
    [{ tenants: ["default"] }, 10, true],
    [{ tenants: ["a", "b"] }, 10, false],
    [{ role: "operator" }, 10, false],
    [{ role: "runtime" }, 10, false],
    [{ publicKey: `${"A".repeat(42)}B=` }, 10, false],
  ])("%j at log size %d: %j", (more, logSize, there) => {
    expect(ids([keyOf(bob, "bob", more)], { logSize })).toEqual(there ? ["bob"] : []);
  });
});

describe("left out", () => {
  test.each([
    ["the principal", "operator-1"],
    ["whom the principal acts for", "team-lead"],
    ["the actor", "report-agent"],
  ])("%s, by the key's id, by the person, and with every key of that person", (_who, name) => {
    expect(ids([keyOf(alice, name), keyOf(bob, "bob")])).toEqual(["bob"]);
    expect(ids([keyOf(alice, "any", { person: name }), keyOf(bob, "bob")])).toEqual(["bob"]);
    expect(
      ids([keyOf(alice, name, { person: "p" }), keyOf(aliceLaptop, "p-2", { person: "p" }), keyOf(bob, "bob")]),
    ).toEqual(["bob"]);
  });

  test("also when the key by which the person is known is no approver's, expired or another tenant's", () => {
    for (const more of [{ role: "operator" }, { until: 0 }, { tenants: ["x"] }, { roles: ["x"] }] as const) {
      const known = keyOf(alice, "operator-1", { person: "p", ...more } as Partial<TrustedKey>);
      expect(ids([known, keyOf(aliceLaptop, "p-2", { person: "p" }), keyOf(bob, "bob")])).toEqual(["bob"]);
    }
  });

  test("a requester known by key id", () => {
    const more = { requester: { principal: alice.keyId, method: "signature" } } as const;
    expect(ids([keyOf(alice, "a", { person: "p" }), keyOf(aliceLaptop, "b", { person: "p" })], more)).toEqual([]);
  });

  test("a key listed for two people, with neither of whom it is safe", () => {
    expect(ids([keyOf(alice, "alice"), keyOf(alice, "bob"), keyOf(carol, "carol")])).toEqual(["carol"]);
    expect(ids([keyOf(alice, "operator-1"), keyOf(alice, "bob")])).toEqual([]);
  });

  test("but nobody else: names are compared whole", () => {
    expect(ids([keyOf(alice, "operator-10"), keyOf(bob, "Operator-1")])).toEqual(["Operator-1", "operator-10"]);
    const bare = { requester: { principal: "x", method: "library" } } as const;
    expect(ids([keyOf(alice, "team-lead")], bare)).toEqual(["team-lead"]);
  });
});
