import { beforeAll, describe, expect, test } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { AbiValue, Performer } from "../../src/ports.js";
import { replay } from "../replay/support.js";
import { realPool } from "../support/real.js";
import { endOf, openRig, pluginAt, type Rig } from "../support/rig.js";

// The containment executor through the whole pipeline: policy, sandbox, broker, effect key, replay.

const api = "http://edr.internal:9000/v1";
const seen: string[] = [];
let status = 200;
const http_request: Performer = {
  perform: ({ url, body }) => {
    const text = decodeUtf8(body as Uint8Array) ?? "";
    seen.push(`${url as string} ${text}`);
    const { endpoint } = JSON.parse(text) as { endpoint: string };
    const answer = JSON.stringify({ endpoint, isolated: (url as string).endsWith("/isolate") });
    return { outcome: "ok", value: { status, headers: {}, body: encodeUtf8(answer) } as AbiValue };
  },
};

const sandbox = realPool({ size: 1 });
let rig: Rig;
beforeAll(async () => {
  const allow = [
    {
      scheme: "http" as const,
      host: "edr.internal",
      port: 9000,
      methods: ["POST" as const],
      pathPrefix: "/v1/endpoints",
    },
  ];
  rig = await openRig({
    sandbox,
    performers: { http_request },
    plugins: [pluginAt("plugins/containment")],
    grants: { containment: { http_request: { allow } } },
    rules: [{ id: "one", match: { action: "containment.*", target: "endpoint-demo-001" }, verdict: "allow" }],
  });
});

const call = (action: string, change: object = {}): ReturnType<Rig["pipeline"]["execute"]> =>
  rig.pipeline.execute({
    actor: "responder",
    action,
    parameters: { api, endpoint: "endpoint-demo-001", order: "evt-1", ...change },
  } as never);

describe("containment", () => {
  test("another endpoint is denied, and so is an API outside the grant", async () => {
    expect(endOf(await call("containment.isolate", { endpoint: "endpoint-demo-002" }))).toBe(
      "denied EXO_POLICY_DENIED",
    );
    expect(endOf(await call("containment.isolate", { api: "http://edr.internal:9001/v1" }))).toBe(
      "failed EXO_CAPABILITY_DENIED",
    );
    expect(endOf(await call("containment.isolate", { api: "http://edr.internal:9000/v2" }))).toBe(
      "failed EXO_CAPABILITY_DENIED",
    );
    expect(seen).toEqual([]);
  });

  test("an order is carried out once, and replays without the API", async () => {
    const done = await call("containment.isolate");
    expect(done.status === "executed" && done.output).toEqual({
      endpoint: "endpoint-demo-001",
      isolated: true,
      order: "evt-1",
      status: 200,
    });
    expect(endOf(await call("containment.isolate", { reason: "again" }))).toBe("denied EXO_EFFECT_KEY_HELD");
    expect(endOf(await call("containment.release"))).toBe("executed");
    expect(endOf(await call("containment.isolate", { order: "evt-2" }))).toBe("executed");
    const url = `${api}/endpoints/endpoint-demo-001`;
    expect(seen).toEqual([
      `${url}/isolate {"endpoint":"endpoint-demo-001","order":"evt-1"}`,
      `${url}/release {"endpoint":"endpoint-demo-001","order":"evt-1"}`,
      `${url}/isolate {"endpoint":"endpoint-demo-001","order":"evt-2"}`,
    ]);
    const bytes = rig.pipeline.bundle(done.intentId)?.bytes() ?? new Uint8Array();
    expect((await replay(bytes, rig.trust, sandbox)).result).toBe("success");
    expect(seen).toHaveLength(3);
  });

  test("an API that refuses makes the run fail", async () => {
    status = 503;
    const failed = await call("containment.isolate", { order: "evt-3" });
    expect(endOf(failed)).toBe("failed EXO_GUEST_ERROR");
    expect(failed.status === "failed" && failed.reason.message).toContain("expected status 200, got 503");
  });
});
