import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TokenGrant } from "../../src/contracts/access.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import { defaultLimits } from "../../src/control/desk.js";
import { families, Metrics } from "../../src/control/metrics.js";
import { positions } from "../../src/pipeline/positions.js";
import { readEvent } from "../../src/pipeline/recorder.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { draft } from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys } from "../support/world.js";
import { type Exposed, readExposition } from "./exposition.js";
import { LiveReader } from "./live-reader.js";
import { codeOf, openPlane, type Plane, type PlaneOptions } from "./support.js";

const planes: Plane[] = [];
let plane: Plane;

async function open(options: PlaneOptions = {}): Promise<void> {
  plane = await openPlane(options);
  planes.push(plane);
}
beforeEach(async () => await open());
afterEach(async () => {
  for (const one of planes.splice(0)) await one.close();
});

const agentOf = (id: string): TokenGrant => ({ kind: "agent", actor: { id, type: "agent" }, actions: ["*"] });

async function scrape(): Promise<Map<string, Exposed>> {
  const answer = await plane.ask("/v1/metrics", { token: plane.token({ kind: "monitor" }) });
  expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  return readExposition(answer.text);
}

/** One sample, by its name without the prefix and its labels; undefined when there is none. */
async function value(sample: string): Promise<number | undefined> {
  const [name = ""] = sample.split("{");
  const found = (await scrape()).get(`exoarmur_${name}`);
  return found?.samples.get(`exoarmur_${sample}`);
}

let serial = 0;
async function submit(token: string, action: string, path = "data/a"): Promise<Record<string, unknown>> {
  serial += 1;
  const body = { action, parameters: { path }, idempotencyKey: `metrics-${serial}` };
  return (await plane.ask("/v1/intents", { token, body })).json;
}

describe("the text", () => {
  it("is the format, and has every family that is told of", async () => {
    await submit(plane.token(agentOf("report-agent")), "fs.read");
    await plane.ask("/v1/whoami");
    const found = await scrape();
    const names = Object.keys(families).map((name) => `exoarmur_${name}`);
    expect([...found.keys()].sort()).toEqual([...names, "exoarmur_http_request_duration_seconds"].sort());
  });

  it("escapes what a label could not hold, and refuses nothing", () => {
    const metrics = new Metrics();
    metrics.add("events_total", ['a"b\\c\nd']);
    const { samples } = readExposition(metrics.text({})).get("exoarmur_events_total") as Exposed;
    expect([...samples.keys()]).toEqual(['exoarmur_events_total{type="a\\"b\\\\c\\nd"}']);
  });

  it.each([
    ["a line without an end", "# HELP a_total A.\n# TYPE a_total counter\na_total 1", "does not end"],
    ["no type", "a_total 1\n", "no line of the format"],
    ["a sample of another family", "# HELP a_total A.\n# TYPE a_total counter\nb_total 1\n", "out of place"],
    ["a family twice", "# HELP a A.\n# TYPE a gauge\na 1\n# HELP a A.\n# TYPE a gauge\na 2\n", "out of place"],
    ["a sample twice", "# HELP a A.\n# TYPE a gauge\na 1\na 1\n", "comes twice"],
    ["a number that is none", "# HELP a A.\n# TYPE a gauge\na NaN1\n", "no line of the format"],
    ["a bare label", "# HELP a A.\n# TYPE a gauge\na{b=c} 1\n", "no line of the format"],
    ["a negative counter", "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n", "is negative"],
    [
      "a histogram that falls",
      '# HELP a A.\n# TYPE a histogram\na_bucket{r="x",le="1"} 2\na_bucket{r="x",le="+Inf"} 1\n',
      "falls",
    ],
  ])("the reader of these tests takes no text with %s", (_what, text, problem) => {
    expect(() => readExposition(text)).toThrow(problem);
  });
});

describe("what is counted", () => {
  it("of intents: their ends, verdicts, runs, fuel and host calls, as the events say", async () => {
    const agent = plane.token(agentOf("report-agent"));
    const results = [];
    for (const action of ["fs.read", "fs.mkdir", "fs.write", "fs.list"]) results.push(await submit(agent, action));
    const events = results.flatMap(({ intentId }) => plane.rig.pipeline.trace(String(intentId)));
    const of = (type: string): CanonicalEvent[] => events.filter(({ eventType }) => eventType === type);
    expect(await value("intents_received_total")).toBe(4);
    for (const [state, type] of [
      ["completed", "execution_completed"],
      ["failed", "execution_failed"],
      ["denied", "intent_denied"],
      ["in_doubt", "execution_in_doubt"],
    ]) {
      expect(await value(`intents_ended_total{state="${state}"}`)).toBe(of(type ?? "").length);
    }
    const verdicts = of("verdict_resolved").map(({ payload }) => (payload["final"] as { verdict: string }).verdict);
    for (const verdict of ["allow", "deny", "require_approval"]) {
      const count = verdicts.filter((one) => one === verdict).length;
      expect(await value(`verdicts_total{verdict="${verdict}"}`)).toBe(count);
    }
    const runs = [...of("execution_completed"), ...of("execution_failed")].map(
      ({ payload }) => payload["execution"] as { status: string; fuel: { used: number }; transcript: { size: number } },
    );
    expect(runs.length).toBeGreaterThan(1);
    const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
    expect(await value("fuel_used_total")).toBe(sum(runs.map(({ fuel }) => fuel.used)));
    expect(await value("host_calls_total")).toBe(sum(runs.map(({ transcript }) => transcript.size)));
    for (const status of new Set(runs.map((run) => run.status))) {
      const count = runs.filter((run) => run.status === status).length;
      expect(await value(`executions_total{status="${status}"}`)).toBe(count);
    }
  });

  it("of approvals: asked, granted, and how many wait now", async () => {
    const agent = plane.token(agentOf("report-agent"));
    const waiting = 'intents_open{state="pending"}';
    expect(await value(waiting)).toBe(0);
    const { approval } = await submit(agent, "fs.remove", "data/a");
    await submit(agent, "fs.remove", "data/b");
    expect([await value(waiting), await value('approvals_total{event="requested"}')]).toEqual([2, 2]);
    const request = approval as ApprovalRequest;
    const body = await grant(request, "alice", keys.alice);
    await plane.ask(`/v1/approvals/${request.requestId}/grants`, { token: await plane.login("approver"), body });
    expect([await value(waiting), await value('approvals_total{event="granted"}')]).toEqual([1, 1]);
    expect(await value('approvals_total{event="denied"}')).toBe(0);
  });

  it("what stands now is right after a restart, where nothing was counted yet", async () => {
    const store = createMemoryStore();
    await open({ rig: { store } });
    await submit(plane.token(agentOf("report-agent")), "fs.remove");
    const { size } = plane.rig.ledger;
    await planes.pop()?.close();
    await open({ rig: { store, seed: "again", policyVersion: 2 } });
    expect(await value('intents_open{state="pending"}')).toBe(1);
    expect(await value("log_size")).toBeGreaterThan(size);
    expect(await value("intents_received_total")).toBe(0);
  });

  it("the switches, the KILL file, the age of the checkpoint", async () => {
    const token = await plane.login("admin");
    const standing = async (): Promise<unknown[]> =>
      await Promise.all(["kill_switch_global", "kill_switch_tenants", "kill_file"].map(value));
    expect(await standing()).toEqual([0, 0, 0]);
    await plane.ask("/v1/killswitch", { token, body: await killOrder(true) });
    await plane.ask("/v1/killswitch", { token, body: await killOrder(true, { tenantId: "other" }) });
    plane.rig.governor.killFile = true;
    expect(await standing()).toEqual([1, 1, 1]);
    plane.rig.clock.advance(5000);
    expect(await value("checkpoint_age_seconds")).toBe(5);
    // The system's events come from the whole cell, and name tenants: no metric does.
    const { text } = await plane.ask("/v1/metrics", { token });
    for (const name of ["other", "default", "report-agent", "alice"]) expect(text).not.toContain(`"${name}"`);
  });

  it("requests by route and status, and how long they took", async () => {
    const token = plane.token({ kind: "viewer" });
    await plane.ask("/v1/whoami", { token });
    await plane.ask("/v1/whoami");
    await plane.ask("/v1/no-such-path");
    await plane.ask("/v1/intents/01KA4X6F7J2Z8Q0V5N3T9RBCDE", { token });
    const count = async (route: string, status: number): Promise<unknown> =>
      await value(`http_requests_total{route="${route}",status="${status}"}`);
    expect(await count("whoAmI", 200)).toBe(1);
    expect(await count("whoAmI", 401)).toBe(1);
    expect(await count("none", 404)).toBe(1);
    expect(await count("getIntent", 404)).toBe(1);
    const durations = (await scrape()).get("exoarmur_http_request_duration_seconds");
    expect(durations?.samples.get('exoarmur_http_request_duration_seconds_count{route="whoAmI"}')).toBe(2);
  });

  it("live streams, while they are open", async () => {
    expect(await value("live_streams")).toBe(0);
    const reader = new LiveReader(plane.server.port, { token: plane.token({ kind: "viewer" }) });
    await reader.until(({ messages }) => messages.length > 0);
    expect(await value("live_streams")).toBe(1);
    reader.close();
    await vi.waitFor(async () => expect(await value("live_streams")).toBe(0));
  });

  it("an event that cannot be read stops no count of others", async () => {
    await plane.rig.ledger.transact((tx) => {
      tx.put(`j/${String(tx.size).padStart(16, "0")}`, new TextEncoder().encode("verdict_resolved e/none"));
      tx.appendLeaf("event", `sha256:${"0".repeat(64)}`);
    });
    await submit(plane.token(agentOf("report-agent")), "fs.mkdir");
    expect(await value('intents_ended_total{state="denied"}')).toBe(1);
    expect(plane.logged.join("\n")).toContain("an event was not taken in");
  });
});

/** Rows of the last record of denials. */
async function lastDenials(token: string): Promise<Record<string, unknown>[]> {
  const { json } = await plane.ask("/v1/events?eventType=access_denied&limit=1", { token });
  const [event] = json["items"] as CanonicalEvent[];
  return (event?.payload["denials"] ?? []) as Record<string, unknown>[];
}

describe("requests beyond a limit", () => {
  it("are counted by what the limit went by, and recorded with who it was", async () => {
    const live = { ...defaultLimits.live, streams: 1 };
    await open({ limits: { live, principal: { burst: 25, perSecond: 1 }, address: { burst: 8, perSecond: 1 } } });
    const token = plane.token({ kind: "viewer" });
    const reader = new LiveReader(plane.server.port, { token });
    await reader.until(({ messages }) => messages.length > 0);
    expect(codeOf(await plane.ask("/v1/live", { token }))).toBe("429 EXO_RATE");
    expect(codeOf(await plane.ask("/v1/live", { token }))).toBe("429 EXO_RATE");
    reader.close();
    for (let round = 0; round < 12; round += 1) await plane.ask("/v1/whoami");
    const refused = (await scrape()).get("exoarmur_rate_limited_total")?.samples;
    expect([...(refused ?? [])]).toEqual([
      ['exoarmur_rate_limited_total{by="session"}', 0],
      ['exoarmur_rate_limited_total{by="token"}', 2],
      ['exoarmur_rate_limited_total{by="address"}', 4],
    ]);
    const causes = (await scrape()).get("exoarmur_access_denied_total")?.samples;
    expect(causes?.get('exoarmur_access_denied_total{code="EXO_RATE",cause="streams"}')).toBe(1);
    expect(causes?.get('exoarmur_access_denied_total{code="EXO_RATE",cause="rate"}')).toBe(5);
    // The first denial of a quiet time is recorded at once.
    const admin = await plane.login("admin");
    await vi.waitFor(async () => expect((await lastDenials(admin)).length).toBe(1));
    expect(await lastDenials(admin)).toEqual([
      { code: "EXO_RATE", cause: "streams", route: "followEvents", credential: token.split("_")[2], count: 1 },
    ]);
  });

  it("without a credential name nobody, however many there are", async () => {
    await open({ limits: { address: { burst: 1, perSecond: 1 } } });
    const unknown = plane.token({ kind: "viewer" }).replace(/.$/, (last) => (last === "A" ? "E" : "A"));
    for (const token of [undefined, unknown]) {
      for (let round = 0; round < 50; round += 1) await plane.ask("/v1/whoami", { token });
    }
    expect(await value('rate_limited_total{by="address"}')).toBe(99);
    await planes.pop()?.close();
    const { store, ledger } = plane.rig;
    const rows: unknown[] = [];
    for (const { eventType, key } of positions(store, { from: 0, until: ledger.size })) {
      const event = eventType === "access_denied" ? readEvent(store.get(key) ?? new Uint8Array(0)) : undefined;
      rows.push(...((event?.payload["denials"] ?? []) as unknown[]));
    }
    expect(rows).toEqual([
      { code: "EXO_AUTHENTICATION", cause: "no_credential", route: "whoAmI", credential: null, count: 1 },
      { code: "EXO_RATE", cause: "rate", route: "whoAmI", credential: null, count: 99 },
    ]);
  });
});

describe("who may ask", () => {
  it.each([
    ["nobody", undefined, "401 EXO_AUTHENTICATION"],
    ["an agent", agentOf("report-agent"), "403 EXO_FORBIDDEN"],
    ["a reader of one tenant", { kind: "viewer" }, "403 EXO_FORBIDDEN"],
  ] as const)("not %s", async (_who, given, code) => {
    const token = given === undefined ? undefined : plane.token(given);
    expect(codeOf(await plane.ask("/v1/metrics", { token }))).toBe(code);
  });

  it("not an operator of one tenant", async () => {
    expect(codeOf(await plane.ask("/v1/metrics", { token: await plane.login("otherAdmin") }))).toBe(
      "403 EXO_FORBIDDEN",
    );
  });

  it.each(["/v1/intents", "/v1/events", "/v1/approvals", "/v1/live", "/v1/killswitch", "/v1/plugins", "/v1/policy"])(
    "a monitor's token opens nothing else: %s",
    async (path) => {
      await plane.rig.pipeline.execute(draft("fs.read", "data/a"));
      expect(codeOf(await plane.ask(path, { token: plane.token({ kind: "monitor" }) }))).toBe("403 EXO_FORBIDDEN");
    },
  );
});
