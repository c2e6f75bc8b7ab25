import { describe, expect, it } from "vitest";
import { may } from "../../../src/web/console/access.js";
import type { Api } from "../../../src/web/console/api.js";
import { collect } from "../../../src/web/console/collect.js";
import { tellEvent } from "../../../src/web/console/intent-events.js";
import { stopWords } from "../../../src/web/console/kill-switch-state.js";
import { ruleRow } from "../../../src/web/console/policies-rules.js";
import { draft, openRig, requestOf } from "../../support/rig.js";
import { grant } from "../../support/sign.js";
import { keys } from "../../support/world.js";

describe("events in a few words", () => {
  it("an approved run, and a denial", async () => {
    const rig = await openRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
    const told = rig.pipeline.trace(pending.intentId).map((event) => `${event.eventType}: ${tellEvent(event)}`);
    expect(told).toContain("policy_evaluated: require approval, by remove-needs-a-person");
    expect(told).toContain("approval_granted: by alice");
    expect(told).toContain("effect_started: host call 0: fs_remove");
    expect(told.at(-1)).toMatch(/^execution_completed: 1,001 of [\d,]+ fuel, 1 host call, at most 1 page of memory$/);
    expect(told.every((text) => !text.endsWith(": "))).toBe(true);
    const denied = await rig.pipeline.execute(draft("fs.read", "elsewhere/\u202Ex"));
    expect(tellEvent(rig.pipeline.trace(denied.intentId).at(-1) as never)).toMatch(/^EXO_POLICY_DENIED: /);
  });

  it.each([
    [
      "kill_switch_changed",
      { scope: "tenant", tenantId: "a\u202E", on: true, epoch: 2, envelopeDigest: null },
      "on for a\\u{202E}",
    ],
    [
      "kill_switch_changed",
      { scope: "global", tenantId: null, on: false, epoch: 3, envelopeDigest: null },
      "off for every tenant",
    ],
    [
      "access_denied",
      {
        ...{ since: "2026-01-31T09:00:00.000Z", until: "2026-01-31T09:01:00.000Z" },
        denials: [
          { code: "EXO_FORBIDDEN", cause: "role", route: "orderKillSwitch", credential: "x", count: 3 },
          { code: "EXO_ORIGIN", cause: "host", route: null, credential: null, count: 1 },
        ],
      },
      "3 role at orderKillSwitch, 1 host at no route",
    ],
    [
      "key_revoked",
      { role: "operator", id: "ops", keyId: "0".repeat(32), until: 5, reason: "lost" },
      "operator ops: lost",
    ],
  ])("of the cell itself: %s", (eventType, payload, words) => {
    expect(tellEvent({ eventType, payload } as never)).toBe(words);
  });

  it.each([
    ["a type that is not known", { eventType: "moon_phase", payload: {} }],
    ["a name of every object", { eventType: "constructor", payload: {} }],
    ["a payload of another shape", { eventType: "approval_granted", payload: { approver: {} } }],
  ])("%s: nothing is told", (_, event) => {
    expect(tellEvent(event as never)).toBe("");
  });

  it("text of others is shown whole, and bounded", () => {
    const payload = {
      reason: {
        code: "EXO_X",
        message: `\u202E${"y".repeat(3000)}`,
        ruleIds: [],
        approvalCouldHelp: false,
        retrySafe: false,
      },
    };
    const told = tellEvent({ eventType: "intent_denied", payload });
    expect(told.startsWith("EXO_X: \\u{202E}yyy")).toBe(true);
    expect(told.length).toBeLessThan(300);
  });
});

describe("rules for reading", () => {
  it("conditions, obligations and rationale, each in words", () => {
    const row = ruleRow({
      id: "r\u202E",
      match: {
        actor: { id: ["a", "b"], type: "agent" },
        action: "fs.*",
        target: [{ under: "data" }, { url: { host: "example.org", port: 443 } }],
        parameters: { "/size": { max: 10 }, "/mode": "x" },
      },
      verdict: "require_approval",
      obligations: {
        approvals: 2,
        roles: ["approver"],
        expiresInSeconds: 60,
        narrow: { fs_read: { paths: ["{target}"] } },
      },
      rationale: "because",
    });
    expect(row).toEqual({
      id: "r\\u{202E}",
      verdict: "require_approval",
      conditions: [
        "action fs.*",
        "target under data or url host example.org, port 443",
        "actor id a or b",
        "actor type agent",
        "parameter /size max 10",
        "parameter /mode x",
      ],
      obligations: ["2 approvals by approver", "within 60 s", 'fs_read narrowed to {"paths":["{target}"]}'],
      rationale: "because",
    });
    expect(ruleRow({ id: "all", match: {}, verdict: "deny" })).toMatchObject({
      conditions: [],
      obligations: [],
      rationale: "",
    });
  });
});

describe("the kill switches in one sentence", () => {
  const off = { global: false, tenants: {}, epoch: 0, killFile: false };
  it.each([
    ["none is on", off, null],
    ["one that was switched off again", { ...off, tenants: { a: false } }, null],
    ["the global one", { ...off, global: true }, "The kill switch is on for every tenant: nothing starts."],
    ["the KILL file alone", { ...off, killFile: true }, "The KILL file stands in the home: nothing starts."],
    [
      "both",
      { ...off, global: true, killFile: true },
      "The KILL file stands and the kill switch is on: nothing starts.",
    ],
    [
      "tenants",
      { ...off, tenants: { "a\u202E": true, b: false, c: true } },
      "The kill switch is on for a\\u{202E}, c: nothing starts there.",
    ],
    [
      "many tenants",
      { ...off, tenants: Object.fromEntries(["a", "b", "c", "d", "e", "f", "g"].map((name) => [name, true])) },
      "The kill switch is on for a, b, c, d, e and 2 more: nothing starts there.",
    ],
  ])("%s", (_, state, words) => {
    expect(stopWords(state)).toBe(words);
  });
});

describe("what is asked of the control plane", () => {
  it("is what the roles may ask", () => {
    expect(may({ roles: ["agent"] }, "viewer")).toBe(false);
    expect(may({ roles: ["viewer", "admin"] }, "admin", "approver")).toBe(true);
    expect(may({ roles: [] }, "viewer")).toBe(false);
  });

  /** A list whose pages hold these, each behind the cursor of its number. */
  const listOf = (pages: readonly (readonly number[])[]) => {
    const asked: string[] = [];
    const get = async (_: unknown, path: string): Promise<unknown> => {
      asked.push(path);
      const at = Number(new URLSearchParams(path.split("?")[1]).get("cursor") ?? 0);
      return await Promise.resolve({
        items: [...(pages[at] ?? [])],
        nextCursor: at + 1 < pages.length ? String(at + 1) : null,
      });
    };
    return { api: { get } as unknown as Api, asked };
  };
  const { signal } = new AbortController();

  it("a list goes on over empty pages, to its end or as far as it may", async () => {
    const { api, asked } = listOf([[1], [], [2, 3]]);
    expect(await collect(api, {} as never, { path: "/v1/x", pages: 9, signal })).toEqual({
      items: [1, 2, 3],
      next: null,
    });
    expect(asked).toEqual(["/v1/x", "/v1/x?cursor=1", "/v1/x?cursor=2"]);
    expect(await collect(api, {} as never, { path: "/v1/x?a=b", pages: 2, signal })).toEqual({ items: [1], next: "2" });
    expect(asked.at(-1)).toBe("/v1/x?a=b&cursor=1");
  });

  it("a walk ends when it has enough, and goes on from a cursor", async () => {
    const { api } = listOf([[1], [2], [3]]);
    const enough = (items: readonly unknown[]): boolean => items.length >= 2;
    const first = await collect(api, {} as never, { path: "/v1/x", pages: 9, enough, signal });
    expect(first).toEqual({ items: [1, 2], next: "2" });
    expect(await collect(api, {} as never, { path: "/v1/x", cursor: first.next, pages: 9, signal })).toEqual({
      items: [3],
      next: null,
    });
  });
});
