import { describe, expect, it } from "vitest";
import { openEndpoint } from "../../src/cli/demo/restrained-endpoint.js";
import { apiUrl, auditStreamId, demoEvent, detect, type TelemetryEvent } from "../../src/cli/demo/restrained-event.js";
import { intentDraftSchema } from "../../src/contracts/intent.js";

const api = { scheme: "http", host: "endpoint-api.demo.internal", port: 18_765 } as const;
const detected = (change: Partial<TelemetryEvent>) => detect({ ...demoEvent, ...change }, api, "det-0");

describe("the detector", () => {
  it("answers the demo's event with a containment of its endpoint", () => {
    expect(detected({})).toEqual({
      actor: { id: "restrained-autonomy", type: "agent" },
      action: "containment.isolate",
      parameters: {
        api: "http://endpoint-api.demo.internal:18765/v1",
        endpoint: "endpoint-demo-001",
        order: "telemetry-demo-001",
        reason: "malware.exe started, severity high",
      },
      correlationId: "det-0",
      idempotencyKey: "contain/telemetry-demo-001",
      context: { actionClass: "A2_hard_containment", telemetry: demoEvent },
    });
    expect(intentDraftSchema.safeParse(detected({})).success).toBe(true);
    expect(apiUrl(api)).toBe("http://endpoint-api.demo.internal:18765/v1");
  });

  it("names what the event names", () => {
    const parameters = { endpoint: "endpoint-7", order: "t-9", reason: "malware.exe started, severity critical" };
    expect(detected({ endpointId: "endpoint-7", eventId: "t-9", severity: "critical" })).toMatchObject({ parameters });
  });

  it.each<[Partial<TelemetryEvent>]>([
    [{ severity: "low" }],
    [{ severity: "medium" }],
    [{ kind: "process_end" }],
    [{ processName: "notepad.exe" }],
    [{ processName: "MALWARE.EXE" }],
    [{ processName: "" }],
  ])("lets %o be", (change) => {
    expect(detected(change)).toBeNull();
  });
});

describe("the audit stream id", () => {
  it("is the same for the same inputs, and another for others", () => {
    const ids = (["approve", "deny", "none"] as const).map((decision) => auditStreamId(demoEvent, decision));
    expect(ids).toEqual([
      "det-d3773582208c8d81d9d1fbec674b9519",
      "det-2d542b99989d32f273a831eb94ac75b3",
      "det-c9249537906fed1b47d89ee99d60701a",
    ]);
    expect(ids).not.toContain(auditStreamId({ ...demoEvent, endpointId: "endpoint-demo-002" }, "approve"));
  });
});

describe("the endpoint", () => {
  it("is isolated by one request alone, and keeps all that reached it", async () => {
    const endpoint = await openEndpoint();
    try {
      const at = `http://${endpoint.address}:${api.port}/v1/endpoints`;
      const ask = async (path: string, method = "POST", body = "{}") => {
        const answer = await fetch(`${at}${path}`, method === "GET" ? { method } : { method, body });
        return [answer.status, await answer.json()];
      };
      const refused = [404, { error: "no such operation" }];
      expect(await ask("/e1/isolate", "GET")).toEqual(refused);
      expect(await ask("/e1/release")).toEqual(refused);
      expect(await ask("/e1/isolate?x=1")).toEqual(refused);
      expect(await ask("/a/b/isolate")).toEqual(refused);
      expect(endpoint.isolated.size).toBe(0);
      expect(await ask("/e1/isolate", "POST", '{"order":"o"}')).toEqual([200, { endpoint: "e1", isolated: true }]);
      expect([...endpoint.isolated]).toEqual(["e1"]);
      expect(endpoint.seen).toHaveLength(5);
      expect(endpoint.seen.at(-1)).toEqual({
        method: "POST",
        path: "/v1/endpoints/e1/isolate",
        body: '{"order":"o"}',
      });
      await expect(ask("/e1/isolate", "POST", "x".repeat(70_000))).rejects.toThrow("fetch failed");
      expect(endpoint.seen).toHaveLength(5);
    } finally {
      await endpoint.close();
    }
    await expect(fetch(`http://${endpoint.address}:${api.port}/`)).rejects.toThrow("fetch failed");
  });

  it("takes the next address where its port is taken, and says so where there is none", async () => {
    const first = await openEndpoint();
    try {
      await expect(openEndpoint([first.address])).rejects.toMatchObject({
        code: "EXO_LISTEN",
        message: `no loopback address has port 18765 free (${first.address}: EADDRINUSE)`,
      });
      if (process.platform !== "linux") return;
      const second = await openEndpoint();
      expect(second.address).not.toBe(first.address);
      await second.close();
    } finally {
      await first.close();
    }
  });
});
