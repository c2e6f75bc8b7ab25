import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import type { HttpConfig } from "../../src/contracts/config.js";
import type { HostCall } from "../../src/contracts/execution.js";
import type { HttpAllow } from "../../src/contracts/http.js";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import type { AddressResolver } from "../../src/ports.js";
import type { Runtime } from "../../src/runtime.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { hostilePlugin, watBytes } from "../attacks/support.js";
import { place, type Seen, serve, serveDns, type TestServer, tlsFile } from "../support/http.js";
import { repositoryFile } from "../support/rig.js";
import { Shell } from "./cli.js";
import { built, builtMemory } from "./support/built.js";

// Requests over real sockets, through the whole package as it was built: by the Extism import and by our own.

const extism = {
  manifest: {
    schema: "exoarmur.executor/v1" as const,
    name: "kernel-c",
    version: "1.0.0",
    functions: [
      { name: "fetch", action: "web.fetch", effects: "write" as const, target: "/url", output: "text" as const },
    ],
    capabilities: [{ name: "http_request" as const }],
  },
  wasm: repositoryFile("test/dropin/kernel-c.wasm"),
};

let shell: Shell;
let server: TestServer;
let options: HttpConfig;
let allow: HttpAllow;
beforeAll(async () => {
  shell = new Shell();
  server = await serve((seen: Seen, response) => {
    if (seen.url === "/old") return response.writeHead(307, { location: "/v1/orders" }).end();
    response.writeHead(201, { "content-type": "text/plain", "x-hidden": "1" });
    return response.end(`${seen.method} ${seen.url}`);
  }, "server");
  const dns = await serveDns((name) => (name === "api.example.test" ? ["127.0.0.1"] : []));
  mkdirSync(shell.path("certificates"));
  writeFileSync(shell.path("certificates/ca.pem"), tlsFile("ca.pem"));
  options = { dnsServers: [dns.server], caFile: shell.path("certificates/ca.pem") };
  allow = place(server.port, { scheme: "https", host: "*.example.test" });
});
afterAll(() => shell.remove());

const url = (path: string): string => `https://api.example.test:${server.port}${path}`;
const policyOf = (...rules: PolicyRule[]): PolicyDocument => ({
  schema: "exoarmur.policy/v1",
  policyId: "web",
  version: 1,
  rules,
});
const anyFetch: PolicyRule = { id: "any", match: { action: ["web.fetch", "attack.poster"] }, verdict: "allow" };

/** The calls a bundle holds. */
function callsOf(bundle: { bytes(): Uint8Array }): HostCall[] {
  const { materials } = JSON.parse(new TextDecoder().decode(bundle.bytes())) as { materials: Record<string, string> };
  return (
    Object.values(materials)
      // A call is salted: 32 bytes come before it.
      .map((bytes) => Buffer.from(bytes, "base64").subarray(32).toString("utf8"))
      .filter((text) => text.startsWith("{") && text.includes('"exoarmur.host-call/v1"'))
      .map((text) => JSON.parse(text) as HostCall)
  );
}

async function open(rule = anyFetch, http = options, resolver?: AddressResolver): Promise<Runtime> {
  const body = encodeAbi({ method: "PUT", url: url("/v1/orders/7"), headers: {}, body: new Uint8Array([104, 105]) });
  const poster = hostilePlugin("poster", {
    rest: `(data (i32.const 0) ${watBytes(body)})`,
    body: `(call $all (call $http_request (call $text (i32.const 0) (i32.const ${body.length}))))`,
    capabilities: ["http_request"],
    effects: "write",
  });
  return await built.createRuntime({
    store: builtMemory.createMemoryStore(),
    policy: policyOf(rule),
    plugins: [extism, poster],
    grants: { "kernel-c": { http_request: { allow: [allow] } }, poster: { http_request: { allow: [allow] } } },
    http,
    ...(resolver === undefined ? {} : { resolver }),
  });
}

describe("http_request over TLS, by name", () => {
  it("by a plugin of Extism's own kit is performed, recorded with the peer's key, verified and replayed", async () => {
    await using runtime = await open();
    const before = server.seen.length;
    const result = await runtime.as("me").call("web.fetch", { method: "POST", url: url("/old") });
    if (result.status !== "executed") return expect.fail(JSON.stringify(result));
    expect(result.output).toBe('0 0 201 {"content-type":"text/plain"} again gone POST /v1/orders');
    const seen = server.seen.slice(before);
    expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual(["POST /old", "POST /v1/orders"]);
    const [key] = new Set(seen.map(({ headers }) => headers["idempotency-key"]));
    expect(key).toMatch(/^sha256:[0-9a-f]{64}$/);
    const calls = callsOf(result.bundle);
    expect(calls.map(({ capability, outcome }) => `${capability} ${outcome}`)).toEqual(["http_request ok"]);
    const spki = new X509Certificate(tlsFile("server.pem")).publicKey.export({ type: "spki", format: "der" });
    const spkiDigest = `sha256:${createHash("sha256").update(spki).digest("hex")}`;
    expect(calls[0]?.assurance).toEqual({ tls: { spkiDigest } });
    expect(verifyBundle(result.bundle.bytes(), { trust: runtime.trust }).result).toBe("pass");
    const asked = server.seen.length;
    expect((await runtime.replay(result.bundle)).result).toBe("success");
    expect(server.seen.length).toBe(asked);
  });

  it("by the capability's own import is the same", async () => {
    await using runtime = await open();
    const before = server.seen.length;
    const result = await runtime.as("me").call("attack.poster", { path: "x" });
    if (result.status !== "executed") return expect.fail(JSON.stringify(result));
    expect(new TextDecoder().decode(result.output as Uint8Array)).toContain("PUT /v1/orders/7");
    expect(server.seen.slice(before)).toMatchObject([{ method: "PUT", body: "hi" }]);
  });

  it("is narrowed by a policy to a method, a path and the intent's own URL, and says so", async () => {
    const narrow = { http_request: { methods: ["GET" as const], urls: ["{target}"] } };
    await using runtime = await open({ ...anyFetch, obligations: { narrow } });
    const call = async (method: string, path: string) =>
      await runtime.as("me").call("web.fetch", { method, url: url(path) });
    const before = server.seen.length;
    const allowed = await call("GET", "/v1/orders");
    expect([allowed.status, allowed.decision?.obligations.narrow]).toEqual(["executed", narrow]);
    expect(server.seen.slice(before)).toHaveLength(1);
    expect(server.seen.at(-1)?.headers["idempotency-key"]).toBe(undefined);
    const other = await call("POST", "/v1/orders");
    expect(other).toMatchObject({ status: "failed", reason: { code: "EXO_CAPABILITY_DENIED" } });
    expect(server.seen.slice(before)).toHaveLength(1);
  });

  it("takes addresses from a resolver it is given, and judges them all the same", async () => {
    const asked: string[] = [];
    const resolver = (host: string) => {
      asked.push(host);
      return Promise.resolve(host === "api.example.test" ? ["127.0.0.1"] : ["10.0.0.1"]);
    };
    await using runtime = await open(anyFetch, { caFile: shell.path("certificates/ca.pem") }, resolver);
    const call = async (host: string) =>
      await runtime.as("me").call("web.fetch", { method: "GET", url: `https://${host}:${server.port}/v1` });
    expect((await call("api.example.test")).status).toBe("executed");
    const denied = await call("other.example.test");
    expect(denied).toMatchObject({ status: "failed", reason: { code: "EXO_CAPABILITY_DENIED" } });
    expect(asked).toEqual(["api.example.test", "other.example.test"]);
  });

  it("does not start without the file of authorities it is told of", async () => {
    const missing = { ...options, caFile: shell.path("none.pem") };
    await expect(open(anyFetch, missing)).rejects.toMatchObject({ code: "EXO_FILE" });
    writeFileSync(shell.path("bad.pem"), tlsFile("ca.pem").replace(/\n[A-Za-z]/, "\n!"));
    await expect(open(anyFetch, { caFile: shell.path("bad.pem") })).rejects.toMatchObject({ code: "EXO_FILE" });
    await expect(open(anyFetch, { dnsServers: ["localhost"] })).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });
});

describe("a home", () => {
  it("takes DNS servers and authorities from http in config.json", async () => {
    await shell.exo(["init"]);
    shell.edit(".exoarmur/config.json", (config) => ({
      ...config,
      http: { ...options, caFile: "./certificates/ca.pem" },
      grants: { "kernel-c": { http_request: { allow: [allow] } } },
    }));
    shell.write(".exoarmur/policy.json", JSON.stringify({ ...policyOf(anyFetch), version: 2 }));
    shell.write(".exoarmur/plugins/kernel-c.json", JSON.stringify(extism.manifest));
    shell.write(".exoarmur/plugins/kernel-c.wasm", extism.wasm);
    const intent = { actor: "me", action: "web.fetch", parameters: { method: "GET", url: url("/v1/x") } };
    const ended = await shell.run(intent, ["--json"]);
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: "executed" });
    expect(server.seen.at(-1)).toMatchObject({ method: "GET", url: "/v1/x" });

    // Whoever may set a variable is not whoever may say whom to trust.
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, http: { dnsServers: options.dnsServers } }));
    const before = server.seen.length;
    const env = { NODE_EXTRA_CA_CERTS: shell.path("certificates/ca.pem") };
    const untrusted = await shell.run(intent, ["--json"], { env });
    expect(JSON.parse(untrusted.stdout)).toMatchObject({
      status: "failed",
      reason: { message: expect.stringContaining("EXO_HTTP_TLS") },
    });
    expect(server.seen).toHaveLength(before);
  });
});
