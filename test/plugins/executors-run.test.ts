import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import { createHttpPerformer } from "../../src/capabilities/performers/http/performer.js";
import { createSecretDesk } from "../../src/capabilities/performers/secrets/desk.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import { replay } from "../replay/support.js";
import { place, type Seen, serve, type TestServer } from "../support/http.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, openRig, pluginAt, type Rig } from "../support/rig.js";

// The shipped executors in the real sandbox, under policy and grants, on real files, a real server and the real store.

const base = realpathSync(mkdtempSync(join(tmpdir(), "exo-executors-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const sandbox = realPool({ size: 1 });
const on = (path: string): string => join(base, "data", path);
let rig: Rig;
let server: TestServer;
let url: string;
let refuses = false;
const token = "t0ken-of-the-endpoint-api";

function answer({ method, url: path, body }: Seen, response: ServerResponse): void {
  const json = (status: number, value: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  if (path.startsWith("/v1/endpoints/")) {
    const [, , , endpoint, operation] = path.split("/");
    json(refuses ? 503 : 200, { endpoint, isolated: operation === "isolate" });
  } else if (path === "/v1/moved") response.writeHead(307, { location: "/v1/echo" }).end();
  else if (path === "/v1/away") response.writeHead(302, { location: "/private" }).end();
  else if (path === "/v1/bytes") response.end(Buffer.from([0x61, 0xff]));
  else if (path === "/v1/large") response.end("x".repeat(4_194_305));
  else if (path === "/v1/full") response.end("x".repeat(4_194_304));
  else json(path === "/v1/echo" ? 200 : 404, { method, body });
}

beforeAll(async () => {
  server = await serve(answer);
  url = `http://127.0.0.1:${server.port}`;
  mkdirSync(on("."), { recursive: true });
  const data = { roots: ["data"] };
  const origin = { scheme: "http" as const, host: "127.0.0.1", port: server.port };
  const desk = createSecretDesk({
    secrets: { EDR_TOKEN: { origin, header: "authorization" } },
    vault: { get: () => Promise.resolve(new TextEncoder().encode(token)) },
    logger: { log: () => undefined },
  });
  rig = await openRig({
    sandbox,
    performers: {
      ...createHttpPerformer({ desk }),
      ...createFsPerformers({ data: { path: on("."), access: "write" } }),
    },
    plugins: ["containment", "fs", "http", "kv"].map((name) => pluginAt(`plugins/${name}`)),
    grants: {
      containment: {
        http_request: {
          secrets: ["EDR_TOKEN"],
          allow: [place(server.port, { methods: ["POST"], pathPrefix: "/v1/endpoints" })],
        },
      },
      http: { http_request: { allow: [place(server.port, { methods: ["GET", "POST"], pathPrefix: "/v1" })] } },
      kv: {
        kv_get: { prefixes: ["a/"] },
        kv_put: { prefixes: ["a/"], maxBytes: 64 },
        kv_delete: { prefixes: ["a/"] },
        kv_list: { prefixes: ["a/"] },
      },
      fs: {
        fs_read: data,
        fs_write: data,
        fs_append: { ...data, maxBytes: 8 },
        fs_list: data,
        fs_stat: data,
        fs_mkdir: data,
        fs_rename: { ...data, paths: ["data/in"] },
        fs_remove: data,
      },
    },
    rules: [
      { id: "one-endpoint", match: { action: "containment.*", target: "endpoint-1" }, verdict: "allow" },
      { id: "rest", match: { action: ["fs.*", "http.*", "kv.*"] }, verdict: "allow" },
    ],
  });
});

async function run(action: string, parameters: object): Promise<ExecutionResult> {
  return await rig.pipeline.execute({ actor: "agent", action, parameters } as never);
}

/** The output of a call that must be executed, after its bundle was replayed without server, files and store. */
async function good(action: string, parameters: object): Promise<unknown> {
  const result = await run(action, parameters);
  if (result.status !== "executed") throw new Error(`${endOf(result)}: ${JSON.stringify(result)}`);
  const bytes = rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array();
  expect((await replay(bytes, rig.trust, sandbox)).result).toBe("success");
  return result.output;
}

/** Code and message of a call that must fail. */
async function bad(action: string, parameters: object): Promise<string> {
  const result = await run(action, parameters);
  return "reason" in result ? `${endOf(result)}: ${result.reason.message}` : endOf(result);
}

describe("http", () => {
  test("places, methods and redirects outside the grant reach no server", async () => {
    const denied = /^failed EXO_CAPABILITY_DENIED: /;
    const seen = server.seen.length;
    expect(await bad("http.get", { url: `${url}/v2` })).toMatch(denied);
    expect(await bad("http.get", { url: `${url}/v1/../private` })).toMatch(denied);
    expect(await bad("http.get", { url: `http://localhost:${server.port}/v1/echo` })).toMatch(denied);
    expect(await bad("http.request", { url: `${url}/v1/echo`, method: "DELETE" })).toMatch(denied);
    expect(server.seen).toHaveLength(seen);
    // A redirect that leads outside is not followed: it is the answer.
    expect(await good("http.get", { url: `${url}/v1/away` })).toEqual({
      status: 302,
      headers: { location: "/private" },
    });
    expect(server.seen.slice(seen).map((one) => one.url)).toEqual(["/v1/away"]);
  });

  test("a header of the connection and an answer that is too large are errors", async () => {
    expect(await bad("http.get", { url: `${url}/v1/echo`, headers: { host: "x" } })).toMatch(
      /^failed EXO_GUEST_ERROR: http_request GET .*: EXO_CAPABILITY_REQUEST: /,
    );
    expect(await bad("http.get", { url: `${url}/v1/large` })).toMatch(
      /^failed EXO_GUEST_ERROR: http_request GET .*: EXO_HTTP/,
    );
    // The server has answered a POST, so it may have acted; what it said does not fit.
    expect(await bad("http.request", { url: `${url}/v1/large`, method: "POST" })).toMatch(/^in_doubt EXO_IN_DOUBT/);
    expect(await bad("http.get", { url: `${url}/v1/full` })).toBe("executed");
  });

  test("JSON goes out and comes in, a status is a value, bytes are base64", async () => {
    const headers = { "content-type": "application/json" };
    expect(await good("http.request", { url: `${url}/v1/echo`, method: "POST", json: { b: 1, a: "ü" } })).toEqual({
      status: 200,
      headers,
      json: { method: "POST", body: '{"a":"ü","b":1}' },
    });
    expect(await good("http.get", { url: `${url}/v1/none?x=1` })).toMatchObject({ status: 404, headers });
    expect(await bad("http.get", { url: `${url}/v1/none`, expectStatus: 200 })).toBe(
      `failed EXO_GUEST_ERROR: http_request GET ${url}/v1/none: expected status 200, got 404`,
    );
    expect(await good("http.get", { url: `${url}/v1/bytes` })).toEqual({ status: 200, headers: {}, base64: "Yf8=" });
    expect(await good("http.get", { url: `${url}/v1/moved` })).toMatchObject({ status: 200, json: { method: "GET" } });
  });
});

describe("containment", () => {
  const call = (change: object = {}): object => ({
    api: `${url}/v1`,
    endpoint: "endpoint-1",
    order: "evt-1",
    ...change,
  });

  test("another endpoint, another API and a name that is no segment reach no server", async () => {
    const seen = server.seen.length;
    expect(await bad("containment.isolate", call({ endpoint: "endpoint-2" }))).toMatch(/^denied EXO_POLICY_DENIED/);
    expect(await bad("containment.isolate", call({ api: `${url}/v2` }))).toMatch(/^failed EXO_CAPABILITY_DENIED/);
    expect(await bad("containment.isolate", call({ order: "a/b" }))).toMatch(
      /^failed EXO_GUEST_ERROR: parameter "order"/,
    );
    expect(await bad("containment.isolate", { api: url, endpoint: "endpoint-1" })).toMatch(/^denied EXO_INPUT_SCHEMA/);
    expect(await bad("containment.isolate", call({ reason: 1 }))).toMatch(/^denied EXO_INPUT_SCHEMA/);
    expect(server.seen).toHaveLength(seen);
  });

  test("a token goes to the API and nowhere else, and one that is not granted goes nowhere", async () => {
    const seen = server.seen.length;
    expect(await bad("containment.isolate", call({ order: "evt-t", secret: "OTHER" }))).toMatch(
      /^failed EXO_CAPABILITY_DENIED: .*EXO_SECRET_DENIED/,
    );
    expect(
      await bad("http.get", { url: `${url}/v1/echo`, headers: { authorization: "{{secret:EDR_TOKEN}}" } }),
    ).toMatch(/EXO_SECRET_DENIED/);
    expect(server.seen).toHaveLength(seen);
    const done = await run("containment.isolate", call({ order: "evt-t", secret: "EDR_TOKEN" }));
    expect(endOf(done)).toBe("executed");
    expect(server.seen.slice(seen).map(({ headers }) => headers["authorization"])).toEqual([`Bearer ${token}`]);
    const bundle = Buffer.from(rig.pipeline.bundle(done.intentId)?.bytes() ?? []).toString("latin1");
    const materials = Object.values((JSON.parse(bundle) as { materials: Record<string, string> }).materials);
    const all = materials.map((material) => Buffer.from(material, "base64").toString("latin1"));
    const texts = [
      ...all,
      ...all.flatMap((text) =>
        Buffer.from(/"request":"([^"]*)"/.exec(text)?.[1] ?? "", "base64url").toString("latin1"),
      ),
    ];
    expect(texts.some((text) => text.includes("{{secret:EDR_TOKEN}}"))).toBe(true);
    expect([bundle, ...texts].some((text) => text.includes(token))).toBe(false);
    expect((await replay(new Uint8Array(Buffer.from(bundle, "latin1")), rig.trust, sandbox)).result).toBe("success");
  });

  test("an order is carried out once, whoever asks", async () => {
    const seen = server.seen.length;
    expect(await good("containment.isolate", call())).toEqual({
      endpoint: "endpoint-1",
      isolated: true,
      order: "evt-1",
      status: 200,
    });
    expect(await bad("containment.isolate", call({ reason: "again" }))).toMatch(/^denied EXO_EFFECT_KEY_HELD/);
    expect(await good("containment.release", call())).toMatchObject({ isolated: false });
    refuses = true;
    expect(await bad("containment.isolate", call({ order: "evt-2" }))).toMatch(/expected status 200, got 503$/);
    refuses = false;
    expect(await bad("containment.isolate", call({ order: "evt-2" }))).toMatch(/^denied EXO_EFFECT_KEY_HELD/);
    expect(await good("containment.isolate", call({ order: "evt-2.again" }))).toMatchObject({ isolated: true });
    expect(server.seen.slice(seen).map(({ method, url: path, body }) => `${method} ${path} ${body}`)).toEqual([
      'POST /v1/endpoints/endpoint-1/isolate {"endpoint":"endpoint-1","order":"evt-1"}',
      'POST /v1/endpoints/endpoint-1/release {"endpoint":"endpoint-1","order":"evt-1"}',
      'POST /v1/endpoints/endpoint-1/isolate {"endpoint":"endpoint-1","order":"evt-2"}',
      'POST /v1/endpoints/endpoint-1/isolate {"endpoint":"endpoint-1","order":"evt-2.again"}',
    ]);
  });
});

describe("fs", () => {
  test("what is outside root, paths or caps leaves the files alone", async () => {
    writeFileSync(on("kept"), "kept");
    for (const [action, parameters] of [
      ["fs.append", { path: "data/kept", text: "123456789" }],
      ["fs.rename", { path: "data/kept", to: "data/in/kept" }],
      ["fs.mkdir", { path: "other/x" }],
      ["fs.stat", { path: "other" }],
      ["fs.append", { path: "data/../x", text: "1" }],
    ] as const)
      expect(await bad(action, parameters)).toMatch(/^failed EXO_CAPABILITY_DENIED: /);
    expect(await bad("fs.mkdir", { path: "data/kept" })).toBe(
      "failed EXO_GUEST_ERROR: fs_mkdir data/kept: EXO_FS_EXISTS: the name is taken already",
    );
    expect(readFileSync(on("kept"), "utf8")).toBe("kept");
    expect(readdirSync(on("."))).toEqual(["kept"]);
  });

  test("make a folder, append to a file in it, look, rename, read", async () => {
    expect(await good("fs.mkdir", { path: "data/in" })).toEqual({ path: "data/in", made: true });
    expect(await good("fs.append", { path: "data/in/a", text: "ü" })).toEqual({ path: "data/in/a", size: 2 });
    expect(await good("fs.append", { path: "data/in/a", base64: "/wA=" })).toEqual({ path: "data/in/a", size: 4 });
    expect(await good("fs.stat", { path: "data/in/a" })).toEqual({ path: "data/in/a", size: 4, type: "file" });
    expect(await good("fs.stat", { path: "data/in" })).toEqual({ path: "data/in", size: 0, type: "directory" });
    expect(await good("fs.rename", { path: "data/in/a", to: "data/in/b" })).toEqual({
      path: "data/in/a",
      to: "data/in/b",
    });
    expect(await good("fs.read", { path: "data/in/b", encoding: "base64" })).toMatchObject({ base64: "w7z/AA==" });
    expect(existsSync(on("in/a"))).toBe(false);
    writeFileSync(on("in/c"), "c");
    expect(await bad("fs.rename", { path: "data/in/c", to: "data/in/b" })).toMatch(/EXO_FS_EXISTS/);
    expect(await good("fs.rename", { path: "data/in/c", to: "data/in/b", mode: "replace" })).toMatchObject({
      to: "data/in/b",
    });
    expect(await good("fs.list", { path: "data/in" })).toMatchObject({ entries: [{ name: "b", size: 1 }] });
    expect(await good("fs.write", { path: "data/in/d", text: "1" })).toEqual({ path: "data/in/d", size: 1 });
    expect(await good("fs.remove", { path: "data/in/d" })).toEqual({ path: "data/in/d", removed: true });
  });
});

describe("kv", () => {
  test("keys outside the prefix and values beyond the cap are denied, and nothing is kept", async () => {
    for (const [action, parameters] of [
      ["kv.put", { key: "b/1", json: 1 }],
      ["kv.put", { key: "a", json: 1 }],
      ["kv.put", { key: "a/1", json: "x".repeat(63) }],
      ["kv.get", { key: "b/1" }],
      ["kv.delete", { key: "b/1" }],
      ["kv.list", { prefix: "b/" }],
    ] as const)
      expect(await bad(action, parameters)).toMatch(/^failed EXO_CAPABILITY_DENIED: /);
    expect(await bad("kv.put", { key: `a/${"x".repeat(511)}`, json: 1 })).toMatch(/EXO_CAPABILITY_REQUEST/);
    expect(await good("kv.list", { prefix: "a/" })).toEqual({ entries: [], more: false });
  });

  test("values last from run to run, and compare-and-set has one winner", async () => {
    expect(await good("kv.put", { key: "a/1", json: { n: 1 }, expect: 0 })).toMatchObject({ done: true, version: 1 });
    expect(await good("kv.put", { key: "a/1", json: { n: 2 }, expect: 0 })).toMatchObject({ done: false, version: 1 });
    expect(await good("kv.get", { key: "a/1" })).toEqual({ key: "a/1", found: true, json: { n: 1 }, version: 1 });
    const rivals = await Promise.all(["x", "y"].map((json) => run("kv.put", { key: "a/1", json, expect: 1 })));
    const won = rivals.map((result) => result.status === "executed" && (result.output as { done: boolean }).done);
    expect([...won].sort((a, b) => Number(a) - Number(b))).toEqual([false, true]);
    expect(await good("kv.get", { key: "a/1" })).toMatchObject({ json: won[0] ? "x" : "y", version: 2 });
    expect(await good("kv.put", { key: "a/2", base64: "/wA=" })).toMatchObject({ done: true });
    expect(await bad("kv.get", { key: "a/2" })).toMatch(/the value is not JSON; read it with encoding "base64"$/);
    expect(await good("kv.get", { key: "a/2", encoding: "base64" })).toMatchObject({ base64: "/wA=" });
    expect(await good("kv.list", { prefix: "a/", limit: 1 })).toMatchObject({ entries: [{ key: "a/1" }], more: true });
    expect(await good("kv.list", { prefix: "a/", after: "a/1" })).toMatchObject({ entries: [{ key: "a/2", size: 2 }] });
    expect(await good("kv.delete", { key: "a/1", expect: 1 })).toMatchObject({ done: false, version: 2 });
    expect(await good("kv.delete", { key: "a/1" })).toMatchObject({ done: true, version: 2 });
    expect(await good("kv.delete", { key: "a/1" })).toMatchObject({ done: true, version: 0 });
    expect(await good("kv.get", { key: "a/1" })).toEqual({ key: "a/1", found: false, version: 0 });
  });
});

test("every bundle of these runs verifies, and the log is whole", () => {
  expect(checkStore(rig).length).toBeGreaterThan(50);
});
