import { expect, test } from "vitest";
import type { HttpAllow } from "../../src/contracts/http.js";
import { readPreview } from "../../src/pipeline/present.js";
import { openRig, repositoryFile } from "../support/rig.js";

const plugin = {
  manifest: {
    schema: "exoarmur.executor/v1" as const,
    name: "kernel-c",
    version: "1.0.0",
    functions: [{ name: "fetch", action: "web.fetch", effects: "write" as const, target: "/url" }],
    capabilities: [{ name: "http_request" as const }],
  },
  wasm: repositoryFile("test/dropin/kernel-c.wasm"),
};
const api: HttpAllow = {
  scheme: "https",
  host: "*.example.com",
  port: 443,
  methods: ["DELETE", "GET", "POST"],
  pathPrefix: "/v1",
};

test("whoever approves sees the places that an obligation leaves, and the decision what it was", async () => {
  const narrow = { http_request: { methods: ["GET" as const, "DELETE" as const], urls: ["{target}"] } };
  const obligations = { approvals: 1, roles: ["approver"], narrow };
  const rig = await openRig({
    plugins: [plugin],
    grants: { "kernel-c": { http_request: { allow: [api] } } },
    rules: [{ id: "ask", match: { action: "web.fetch" }, verdict: "require_approval", obligations }],
  });
  const result = await rig.pipeline.execute({
    actor: { id: "report-agent", type: "agent" },
    action: "web.fetch",
    parameters: { method: "DELETE", url: "https://api.example.com/v1/orders/7?force=1" },
  } as never);
  if (result.status !== "approval_pending") return expect.fail(JSON.stringify(result));
  expect(result.decision?.obligations.narrow).toEqual(narrow);
  const place = { ...api, host: "api.example.com", methods: ["DELETE", "GET"], pathPrefix: "/v1/orders/7" };
  expect(readPreview(rig.store, result.approval).grants.capabilities).toEqual([
    { name: "http_request", constraints: { allow: [place] } },
  ]);
});
