import { beforeAll, describe, expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Vault } from "../../src/ports.js";
import type { Runtime } from "../../src/runtime.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { hostilePlugin, watBytes } from "../attacks/support.js";
import { bank, signedHeaders } from "../support/counterparty.js";
import { place, serve, type TestServer } from "../support/http.js";
import { built, builtMemory } from "./support/built.js";

// Secrets and signed answers of a runtime without a home, through the package as it was built.

const token = "s3cr3t-t0ken";
let server: TestServer;
beforeAll(async () => {
  server = await serve((seen, response) => {
    const body = encodeUtf8("paid");
    const url = `http://127.0.0.1:${server.port}${seen.url}`;
    const request = { method: seen.method, url, headers: {}, body: encodeUtf8(seen.body) };
    const created = Math.floor(Date.now() / 1000);
    response.writeHead(200, signedHeaders({ request, status: 200, body }, { created })).end(body);
  });
});

const vaultOf = (value: string | undefined): Vault => ({
  get: () => Promise.resolve(value === undefined ? undefined : encodeUtf8(value)),
});

async function open(vault: Vault, keyId = bank.id, logged: string[] = []): Promise<Runtime> {
  const origin = { scheme: "http" as const, host: "127.0.0.1", port: server.port };
  const request = encodeAbi({
    method: "POST",
    url: `http://127.0.0.1:${server.port}/pay`,
    headers: { authorization: "Bearer {{secret:TOKEN}}" },
    body: encodeUtf8("7"),
  });
  const payer = hostilePlugin("payer", {
    rest: `(data (i32.const 0) ${watBytes(request)})`,
    body: `(call $all (call $http_request (call $text (i32.const 0) (i32.const ${request.length}))))`,
    capabilities: ["http_request"],
    effects: "write",
  });
  return await built.createRuntime({
    store: builtMemory.createMemoryStore(),
    policy: {
      schema: "exoarmur.policy/v1",
      policyId: "pay",
      version: 1,
      rules: [{ id: "pay", match: { action: "attack.payer" }, verdict: "allow" }],
    },
    plugins: [payer],
    grants: { payer: { http_request: { allow: [place(server.port)], secrets: ["TOKEN"] } } },
    secrets: { TOKEN: { origin, header: "authorization" } },
    vault,
    counterparties: [{ scheme: "http-message-signature", origin, keyId }],
    trust: {
      keys: [
        {
          role: "counterparty",
          id: bank.id,
          publicKey: encodeBase64(bank.publicKey),
          origins: [origin],
          from: null,
          until: null,
        },
      ],
    },
    logger: { log: (...all) => void logged.push(JSON.stringify(all)) },
  });
}

describe("a runtime without a home", () => {
  it("fills in what its vault has, and its bundle holds an answer that anybody can verify", async () => {
    await using runtime = await open(vaultOf(token));
    const result = await runtime.as("me").call("attack.payer", { path: "x" });
    if (result.status !== "executed") return expect.fail(JSON.stringify(result));
    expect(server.seen.at(-1)?.headers["authorization"]).toBe(`Bearer ${token}`);
    const report = verifyBundle(result.bundle.bytes(), { trust: runtime.trust });
    expect(report.result).toBe("pass");
    expect(report.checks.find(({ id }) => id === "answers")).toMatchObject({
      state: "pass",
      message: "0 local, 0 unauthenticated, 0 tls, 1 signed",
    });
    const asked = server.seen.length;
    expect((await runtime.replay(result.bundle)).result).toBe("success");
    expect(server.seen.length).toBe(asked);
  });

  it("does not start with a value that is too short, a vault that fails or a counterparty nobody knows", async () => {
    await expect(open(vaultOf("1234567"))).rejects.toMatchObject({ code: "EXO_SECRET_VALUE" });
    await expect(open({ get: () => Promise.reject(new Error("sealed")) })).rejects.toThrow("sealed");
    await expect(open(vaultOf(token), "bank-2027")).rejects.toMatchObject({ code: "EXO_TRUST" });
  });

  it("starts without a value, says so, and refuses what needs it", async () => {
    const logged: string[] = [];
    await using runtime = await open(vaultOf(undefined), bank.id, logged);
    expect(logged.join("\n")).toContain("the secret TOKEN has no value yet; requests that need it are refused");
    const before = server.seen.length;
    const result = await runtime.as("me").call("attack.payer", { path: "x" });
    const output = result.status === "executed" ? Buffer.from(result.output as Uint8Array).toString("latin1") : "";
    expect(output).toContain("EXO_SECRET_UNKNOWN");
    expect(server.seen.length).toBe(before);
  });
});
