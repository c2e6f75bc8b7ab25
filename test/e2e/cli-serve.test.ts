import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signGrantWith } from "../../src/approval/sign.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { createClient } from "../../src/client/client.js";
import type { LiveMessage } from "../../src/client/live.js";
import type { Challenge } from "../../src/contracts/access.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { readKeyFile } from "../../src/home/keys.js";
import { errorOf, jsonOf, near, Shell } from "./cli.js";

const flags = {
  EXOARMUR_FLAG_V2_FEDERATION_ENABLED: "1",
  EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "1",
};

let shell: Shell;
let served: ChildProcess;
let stderr = "";
let origin: string;
let token: string;
let tokenId: string;

beforeAll(async () => {
  shell = new Shell();
  await near(shell, ["init"]);
  const made = jsonOf(
    await near(shell, ["tokens", "new", "--actor", "me", "--action", "table.*", "--action", "fs.remove", "--json"]),
  );
  [token, tokenId] = [String(made["token"]), String(made["tokenId"])];
  served = shell.start(["serve", "--port", "0", "--json"], { env: flags });
  served.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let text = "";
  for await (const part of served.stdout?.setEncoding("utf8") ?? []) {
    text += String(part);
    if (text.endsWith("}\n")) break;
  }
  origin = String((JSON.parse(text) as { origin: string }).origin);
});
afterAll(async () => {
  if (served.exitCode === null && served.kill("SIGKILL")) await once(served, "close");
  shell.remove();
});

type Answer = { readonly status: number; readonly json: Record<string, unknown> };

async function ask(path: string, bearer: string | undefined, body?: unknown): Promise<Answer> {
  const response = await fetch(`${origin}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function login(role: "approver" | "operator"): Promise<string> {
  const { signer } = await readKeyFile(shell.path(".exoarmur", "keys", `${role}.key`), role);
  const challenge = await ask("/v1/auth/challenges", undefined, { keyId: signer.keyId, role });
  expect(challenge.json["audience"]).toBe(origin);
  const envelope = await signEnvelope(payloadTypes.challenge, canonicalize(challenge.json as Challenge), signer);
  return String((await ask("/v1/auth/sessions", undefined, envelope)).json["token"]);
}

describe("a control plane in a process of its own", () => {
  it("runs what the policy allows, in the real sandbox", async () => {
    const body = { action: "table.stats", parameters: { path: "data/orders.csv" }, idempotencyKey: "stats" };
    const done = await ask("/v1/intents", token, body);
    expect([done.status, done.json["status"]]).toEqual([200, "executed"]);
    expect(done.json["output"]).toMatchObject({ kind: "json", value: { rows: 4 } });
    expect((await ask("/v1/intents", token, body)).json).toEqual(done.json);
  });

  it("waits for a person, who signs with a key that the server never sees; the bundle verifies", async () => {
    const body = { action: "fs.remove", parameters: { path: "data/orders.csv" }, idempotencyKey: "remove" };
    const pending = await ask("/v1/intents", token, body);
    const request = pending.json["approval"] as ApprovalRequest;
    const session = await login("approver");
    const { signer, id } = await readKeyFile(shell.path(".exoarmur", "keys", "approver.key"), "approver");
    const stamp = { signedAt: request.requestedAt, nonce: "n".repeat(43) };
    const grant = await signGrantWith(request, { signer, approverId: id, decision: "approve", ...stamp });
    const done = await ask(`/v1/approvals/${request.requestId}/grants`, session, grant);
    expect([done.status, done.json["status"]]).toEqual([200, "executed"]);
    expect(shell.list("data")).toEqual([]);
    const bundle = await fetch(`${origin}/v1/intents/${request.intentId}/bundle`, {
      headers: { authorization: `Bearer ${token}` },
    });
    shell.write("remove.proof.json", new Uint8Array(await bundle.arrayBuffer()));
    const verified = await near(shell, [
      "verify",
      "remove.proof.json",
      "--trust",
      join(".exoarmur", "trust.json"),
      "--json",
    ]);
    expect([verified.code, jsonOf(verified)["result"]]).toEqual([0, "pass"]);
  });

  it("the command line reaches it as before: an operator's kill switch shows at once", async () => {
    await near(shell, ["killswitch", "on"]);
    const session = await login("operator");
    expect((await ask("/v1/killswitch", session)).json).toMatchObject({ global: true, killFile: true });
    await near(shell, ["killswitch", "off"]);
    expect((await ask("/v1/killswitch", session)).json).toMatchObject({ global: false, killFile: false });
  });

  it("follows its log and tells its metrics, to a token that is for nothing else", async () => {
    const reader = String(jsonOf(await near(shell, ["tokens", "new", "--viewer", "--json"]))["token"]);
    const following = createClient({ origin, token: reader }).follow();
    const { value: ready } = await following.next();
    await following.return(undefined);
    expect(ready).toMatchObject({ kind: "ready" });
    const made = jsonOf(await near(shell, ["tokens", "new", "--monitor", "--json"]));
    expect(made).toMatchObject({ grant: { kind: "monitor" }, state: "active" });
    const monitor = String(made["token"]);
    const scraped = await fetch(`${origin}/v1/metrics`, { headers: { authorization: `Bearer ${monitor}` } });
    const text = await scraped.text();
    expect(text).toContain('exoarmur_executions_total{status="completed"} 2\n');
    expect(text).toContain(`exoarmur_log_size ${Number((ready as LiveMessage).id) + 1}\n`);
    expect((await ask("/v1/events", monitor)).json).toMatchObject({ code: "EXO_FORBIDDEN" });
    const both = await near(shell, ["tokens", "new", "--monitor", "--viewer"]);
    expect([both.code, both.stdout]).toEqual([2, ""]);
  });

  it("a second process on the home is refused, serve or run", async () => {
    const second = await near(shell, ["serve", "--port", "0", "--json"], { env: flags });
    expect([second.code, errorOf(second)]).toEqual([1, "EXO_HOME_LOCKED"]);
  });

  it("a token that is revoked counts no more, from the next request on", async () => {
    expect((await ask("/v1/whoami", token)).status).toBe(200);
    expect((await near(shell, ["tokens", "revoke", tokenId])).code).toBe(0);
    expect(await ask("/v1/whoami", token)).toMatchObject({ status: 401, json: { code: "EXO_AUTHENTICATION" } });
  });

  it("ends at SIGTERM with what was denied in the log, which is whole", async () => {
    served.kill("SIGTERM");
    const [code] = (await once(served, "close")) as [number | null];
    expect([code, stderr]).toEqual([0, "closing: what runs is finished and recorded; once more ends it at once\n"]);
    const check = await near(shell, ["log", "check", "--json"]);
    expect(check.code).toBe(0);
  });
});

describe("serve is refused", () => {
  it("while the flag is off, and says how to turn it on", async () => {
    const { code, stdout, stderr: said } = await near(shell, ["serve"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(said).toContain(
      "error EXO_USAGE: the control plane is off; to turn it on, set EXOARMUR_FLAG_V2_FEDERATION_ENABLED=true",
    );
    expect(said).toContain("EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED=true");
  });

  it("under a policy that allows whatever comes", async () => {
    const other = new Shell();
    await near(other, ["init"]);
    const rules = [{ id: "all", match: {}, verdict: "allow" }];
    other.write("policy.json", JSON.stringify({ schema: "exoarmur.policy/v1", policyId: "all", version: 2, rules }));
    other.write(".exoarmur/policy.json", other.read("policy.json"));
    const ended = await near(other, ["serve", "--port", "0"], { env: flags });
    expect([ended.code, ended.stdout]).toEqual([1, ""]);
    expect(ended.stderr).toMatch(
      /^error EXO_GUARANTEE: a denial could not be shown; see doctor --prove: default-deny: /,
    );
    other.remove();
  });

  it("while what the flag needs is off", async () => {
    const env = { EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "1" };
    const ended = await near(shell, ["serve", "--json"], { env });
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_FLAG"]);
  });

  it.each([
    [["--host", "0.0.0.0"], "is open to others"],
    [["--host", "0.0.0.0", "--trust-proxy"], "--trust-proxy needs --origin"],
    [["--trust-proxy"], "--trust-proxy needs --origin"],
    [["--tls-cert", "a.pem"], "go together"],
    [["--origin", "http://exoarmur.example.org"], "expected an https address"],
    [["--origin", "https://exoarmur.example.org/path"], "expected an https address"],
    [["--port", "65536"], "expected 0 to 65535"],
    [["--port", "-1"], "expected 0 to 65535"],
  ])("%j", async (args, message) => {
    const ended = await near(shell, ["serve", ...args], { env: flags });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(message);
  });

  it("tokens: what a command line lacks, a tenant that is none, a token that is not there", async () => {
    const of = async (...args: string[]) => {
      const ended = await near(shell, ["tokens", ...args, "--json"]);
      return [ended.code, errorOf(ended)];
    };
    expect(await of("new")).toEqual([2, "EXO_USAGE"]);
    expect(await of("new", "--actor", "me")).toEqual([2, "EXO_USAGE"]);
    expect(await of("new", "--viewer", "--days", "0")).toEqual([2, "EXO_USAGE"]);
    expect(await of("new", "--viewer", "--tenant", "nobody")).toEqual([1, "EXO_TENANT_UNKNOWN"]);
    expect(await of("new", "--actor", "me", "--action", "FS")).toEqual([1, "EXO_SCHEMA"]);
    expect(await of("revoke", "01KA4X6F7J2Z8Q0V5N3T9RBCDE")).toEqual([1, "EXO_TOKEN"]);
    const listed = await near(shell, ["tokens", "list"]);
    expect(listed.stdout).toMatch(
      new RegExp(`^${tokenId} {3}tenant default +me +table\\.\\* fs\\.remove {3}until .* {3}revoked\\n`),
    );
    expect(listed.stdout).not.toContain(token.slice(-43));
  });
});
