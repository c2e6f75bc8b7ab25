import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { scrubMark } from "../../src/capabilities/performers/secrets/scrub.js";
import type { HostCall } from "../../src/contracts/execution.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import type { Runtime } from "../../src/runtime.js";
import { Shell } from "../e2e/cli.js";
import { built } from "../e2e/support/built.js";
import { place, type Seen, serve, type TestServer } from "../support/http.js";
import type { Plugin } from "../support/rig.js";
import { hostilePlugin, watBytes } from "./support.js";

// A hostile executor that may use secrets and wants to have them, with servers that help it: one that the secrets are
// bound to and that echoes whatever it gets, and one that is somebody else's. Then everything that is left is searched.

const token = 's3cr3t+/To"ken\\%41 {v}';
const password = 'päss"word\\\n<&>';
const logged: string[] = [];
const printed: string[] = [];
let shell: Shell;
let runtime: Runtime;
/** Whom the secrets are bound to. */
let own: TestServer;
/** Somebody else. */
let other: TestServer;

/** Ways to write a value, by name. */
const encodings: Readonly<Record<string, (value: string) => string>> = {
  verbatim: (value) => value,
  percent: encodeURIComponent,
  "percent, every byte": (value) => Buffer.from(value).toString("hex").replaceAll(/../g, "%$&"),
  form: (value) => new URLSearchParams({ v: value }).toString(),
  json: (value) => JSON.stringify({ value }),
  "json, every character": (value) =>
    Array.from({ length: value.length }, (_, i) => `\\u${value.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  html: (value) => value.replaceAll(/[<&>"]/g, (char) => `&#${char.charCodeAt(0)};`),
  hex: (value) => Buffer.from(value).toString("hex"),
  "hex, upper case": (value) => Buffer.from(value).toString("hex").toUpperCase(),
  base64: (value) => Buffer.from(value).toString("base64"),
  "base64 behind one byte": (value) => Buffer.from(`x${value}`).toString("base64"),
  "base64 behind two bytes": (value) => Buffer.from(`xx${value}xx`).toString("base64"),
  base64url: (value) => Buffer.from(value).toString("base64url"),
  "base64url behind one byte": (value) => Buffer.from(`x${value}x`).toString("base64url"),
};

/** What a transfer may do to an echo. */
const transfers: Readonly<Record<string, (response: ServerResponse, echo: string) => void>> = {
  gzip: (response, echo) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(echo)),
  deflate: (response, echo) => response.writeHead(200, { "content-encoding": "deflate" }).end(deflateSync(echo)),
  br: (response, echo) => response.writeHead(200, { "content-encoding": "br" }).end(brotliCompressSync(echo)),
  "chunk by chunk": (response, echo) => {
    response.writeHead(200);
    for (const char of echo) response.write(char);
    response.end();
  },
  "in a header": (response, echo) => response.writeHead(200, { "x-echo": encodeURIComponent(echo) }).end("see header"),
  "in a header, verbatim": (response, echo) => response.writeHead(401, { "x-echo": echo }).end("see header"),
  "in a redirect": (response, echo) =>
    response.writeHead(302, { location: `http://127.0.0.1:${other.port}/take?${encodeURIComponent(echo)}` }).end(),
  "and breaks off": (response, echo) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write(echo);
    setTimeout(() => response.destroy(), 5);
  },
};

function answer(seen: Seen, response: ServerResponse): void {
  const path = decodeURIComponent(seen.url.slice(1));
  const got = String(seen.headers["authorization"] ?? "").replace("Bearer ", "") || seen.body;
  const encode = encodings[path];
  const transfer = transfers[path];
  if (path === "away") response.writeHead(307, { location: `http://127.0.0.1:${other.port}/take` }).end();
  else if (transfer !== undefined) transfer(response, got);
  else response.writeHead(200, { "content-type": "text/plain" }).end(`${" ".repeat(48)}${encode?.(got) ?? "ok"}`);
}

/** What the tattlers pass on of an answer: its body, of blanks and what is left of an echo, behind the keys before it. */
const head = encodeAbi({ ok: { body: new Uint8Array(64) } }).length - 64;
const tail = 64;
const record = encodeAbi({ level: "info", message: "m".repeat(tail) });
const message = 8192 + Buffer.from(record).indexOf("m".repeat(tail));
const ask = `(call $take (i32.const 0))
  (local.set $a (call $http_request (call $text (i32.const 0) (i32.wrap_i64 (call $input_length)))))`;
const copyTail = `(local.set $b (i64.add (local.get $a) (i64.const ${head})))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (i32.const ${tail})))
    (i64.store (i32.add (i32.const ${message}) (local.get $i))
      (call $load_u64 (i64.add (local.get $b) (i64.extend_i32_u (local.get $i)))))
    (local.set $i (i32.add (local.get $i) (i32.const 8)))
    (br $next)))`;
const bodies = {
  /** Its output is whatever it was answered. */
  thief: `${ask} (call $all (local.get $a))`,
  /** Logs it, and fails with it as its error. */
  tattler: `${ask} ${copyTail} (drop (call $log (call $text (i32.const 8192) (i32.const ${record.length}))))
    (call $error_set (call $text (i32.const ${message}) (i32.const ${tail}))) (return (i32.const 1))`,
};

/** A plugin whose input is the request that it makes. */
function plugin(name: keyof typeof bodies): Plugin {
  const { manifest, wasm } = hostilePlugin(name, {
    body: bodies[name],
    rest: `(data (i32.const 8192) ${watBytes(record)})`,
    capabilities: ["http_request", "log"],
    effects: "write",
  });
  return {
    wasm,
    manifest: { ...manifest, functions: manifest.functions.map((fn) => ({ ...fn, input: "bytes" as const })) },
  };
}

beforeAll(async () => {
  shell = new Shell();
  printed.push((await shell.exo(["init"])).stdout);
  own = await serve(answer);
  other = await serve((_, response) => response.end("thanks"));
  const origin = { scheme: "http", host: "127.0.0.1", port: own.port };
  const grant = {
    allow: [place(own.port), place(other.port)],
    responseHeaders: ["content-type", "location", "x-echo"],
    secrets: ["TOKEN", "PASSWORD"],
  };
  shell.edit(".exoarmur/config.json", (config) => ({
    ...config,
    secrets: {
      TOKEN: { from: "vault", origin, header: "authorization" },
      PASSWORD: { from: "env", origin, body: "/login/password" },
      SPARE: { from: "vault", origin, header: "x-spare" },
    },
    grants: { thief: { http_request: grant }, tattler: { http_request: grant } },
  }));
  const rules = [{ id: "attack", match: { action: "attack.*" }, verdict: "allow" }];
  shell.edit(".exoarmur/policy.json", (policy) => ({ ...policy, rules }));
  for (const name of ["thief", "tattler"] as const) {
    const { manifest, wasm } = plugin(name);
    shell.write(`.exoarmur/plugins/${name}.wasm`, wasm);
    shell.write(`.exoarmur/plugins/${name}.json`, JSON.stringify(manifest));
  }
  for (const name of ["TOKEN", "SPARE"]) {
    const { code, stdout, stderr } = await shell.exo(["secrets", "set", name], { input: token });
    expect(code, stderr).toBe(0);
    printed.push(stdout, stderr);
  }
  runtime = await built.createRuntime({
    home: shell.path(".exoarmur"),
    env: { EXOARMUR_SECRET_PASSWORD: password },
    logger: { log: (...all) => void logged.push(JSON.stringify(all)) },
  });
});
afterAll(async () => {
  await runtime.close();
  shell.remove();
});

type Ask = {
  readonly port?: number;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
};
const bearer = { authorization: "Bearer {{secret:TOKEN}}" };

function inputOf({ port = own.port, path = "/", headers = {}, body = "" }: Ask): string {
  const url = `http://127.0.0.1:${port}${path}`;
  return Buffer.from(encodeAbi({ method: "POST", url, headers, body: new Uint8Array(Buffer.from(body)) })).toString(
    "base64",
  );
}

async function attack(name: keyof typeof bodies, what: Ask): Promise<ExecutionResult> {
  return await runtime.as("mallory").call(`attack.${name}`, { path: "x", input: inputOf(what) });
}

/** Text of what an executor has put out. */
function outputOf(result: ExecutionResult): string {
  return result.status === "executed" ? Buffer.from(result.output as Uint8Array).toString("latin1") : "";
}

/** The host calls of a bundle. */
function callsOf(result: ExecutionResult): HostCall[] {
  const { materials } = JSON.parse(Buffer.from("bundle" in result ? result.bundle.bytes() : []).toString()) as {
    materials: Record<string, string>;
  };
  return Object.values(materials)
    .map((material) => Buffer.from(material, "base64").subarray(32).toString("utf8"))
    .filter((text) => text.startsWith("{") && text.includes('"exoarmur.host-call/v1"'))
    .map((text) => JSON.parse(text) as HostCall)
    .sort((a, b) => a.seq - b.seq);
}

describe("a placeholder that stands elsewhere is refused, and nothing is sent", () => {
  const login = (text: string): string => JSON.stringify({ login: { password: text } });
  const cases: Readonly<Record<string, readonly [Ask, string]>> = {
    "in the query of the URL": [{ path: "/?t={{secret:TOKEN}}", headers: bearer }, "EXO_CAPABILITY_DENIED"],
    "in the query, percent-encoded": [{ path: "/?t=%7B%7Bsecret%3ATOKEN%7D%7D" }, "EXO_SECRET_DENIED"],
    "in the path, percent-encoded": [{ path: "/%7B%7Bsecret:TOKEN%7D%7D" }, "EXO_SECRET_DENIED"],
    "in another header": [{ headers: { "x-debug": "{{secret:TOKEN}}" } }, "EXO_SECRET_DENIED"],
    "in its header and a cookie": [{ headers: { ...bearer, cookie: "{{secret:TOKEN}}" } }, "EXO_SECRET_DENIED"],
    "in the body": [{ body: "{{secret:TOKEN}}" }, "EXO_SECRET_DENIED"],
    "in another string of the body": [
      { body: JSON.stringify({ login: { note: "{{secret:PASSWORD}}" } }) },
      "EXO_SECRET_DENIED",
    ],
    "in a body that has its string twice": [
      { body: '{"login":{"password":"{{secret:PASSWORD}}"},"login":{"password":"{{secret:PASSWORD}}"}}' },
      "EXO_SECRET_DENIED",
    ],
    "in a form": [{ body: "password={{secret:PASSWORD}}" }, "EXO_SECRET_DENIED"],
    "for another host": [{ headers: bearer }, "EXO_SECRET_DENIED"],
    "for another host, in the body": [{ body: login("{{secret:PASSWORD}}") }, "EXO_SECRET_DENIED"],
    "of a secret that is not granted": [{ headers: { "x-spare": "{{secret:SPARE}}" } }, "EXO_SECRET_DENIED"],
    "of a secret that nobody has": [{ headers: { authorization: "{{secret:NOBODY}}" } }, "EXO_SECRET_DENIED"],
    "put together of two": [{ headers: { authorization: "{{secret:{{secret:TOKEN}}}}" } }, "EXO_SECRET_DENIED"],
  };
  test.each(Object.keys(cases))("%s", async (what) => {
    const [asked, code] = cases[what] ?? [{}, ""];
    const port = what.startsWith("for another host") ? other.port : own.port;
    const before = [own.seen.length, other.seen.length];
    const result = await attack("thief", { ...asked, port });
    expect(callsOf(result).map(({ outcome }) => outcome)).toEqual(["denied"]);
    expect(Buffer.from(callsOf(result)[0]?.response ?? "", "base64url").toString("latin1")).toContain(code);
    expect([own.seen.length, other.seen.length]).toEqual(before);
  });
});

describe("an echo is taken out of the answer", () => {
  test.each(Object.keys(encodings))("of a header, %s", async (path) => {
    const result = await attack("thief", { path: `/${encodeURIComponent(path)}`, headers: bearer });
    expect(own.seen.at(-1)?.headers["authorization"]).toBe(`Bearer ${token}`);
    expect(outputOf(result)).toContain(scrubMark);
    expect(callsOf(result).map(({ assurance }) => assurance)).toEqual(["unauthenticated"]);
    expect(Buffer.from(callsOf(result)[0]?.request ?? "", "base64url").toString()).toContain("{{secret:TOKEN}}");
  });

  test.each(Object.keys(encodings))("of a body, %s", async (path) => {
    const body = JSON.stringify({ login: { password: "{{secret:PASSWORD}}" } });
    const result = await attack("thief", { path: `/${encodeURIComponent(path)}`, body });
    expect((JSON.parse(own.seen.at(-1)?.body ?? "") as { login: unknown }).login).toEqual({ password });
    expect(outputOf(result)).toContain(scrubMark);
  });

  test.each(Object.keys(transfers))("%s", async (path) => {
    const before = other.seen.length;
    const result = await attack("thief", { path: `/${encodeURIComponent(path)}`, headers: bearer });
    expect(own.seen.at(-1)?.headers["authorization"]).toBe(`Bearer ${token}`);
    if (path === "and breaks off") expect(result.status).toBe("in_doubt");
    else expect(outputOf(result)).toContain(scrubMark);
    // A redirect that would carry it is not followed.
    expect(other.seen.length).toBe(before);
  });

  test("and what a guest logs, or reports as its error, does not have it", async () => {
    const result = await attack("tattler", { path: "/verbatim", headers: bearer });
    expect(callsOf(result).map(({ capability }) => capability)).toEqual(["http_request", "log"]);
    expect(result.status === "failed" && result.reason.message).toContain(scrubMark);
    expect(logged.join("\n")).toContain(scrubMark);
  });
});

test("a redirect to another host goes without it", async () => {
  const before = other.seen.length;
  const result = await attack("thief", { path: "/away", headers: bearer });
  expect(outputOf(result)).toContain("thanks");
  const [seen, ...more] = other.seen.slice(before);
  expect(more).toEqual([]);
  expect(seen?.headers["authorization"]).toBeUndefined();
});

describe("what is left", () => {
  /** Every way the values might stand in a file or a text; each also in base64, as transcripts and bundles carry it. */
  const needles = [token, password].flatMap((value) => {
    const written = Object.values(encodings).flatMap((encode) => [encode(value), inner(encode(value))]);
    const once = [value, ...alignments(value), ...written];
    return [...new Set(once.flatMap((form) => [form, ...alignments(form)]))];
  });

  /** Without what an encoding puts around. */
  function inner(form: string): string {
    return form.replace(/^(?:v=|\{"value":")/, "").replace(/(?:"\}|=+)$/, "");
  }

  /** The characters of base64 that hold nothing but the text, at each alignment. */
  function alignments(text: string): string[] {
    const length = Buffer.byteLength(text);
    return [0, 1, 2].flatMap((shift) => {
      const whole = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).toString("base64");
      const part = whole.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + length) * 8) / 6));
      return [part, part.replaceAll("+", "-").replaceAll("/", "_")];
    });
  }

  function leaksIn(bytes: Uint8Array): string[] {
    const text = Buffer.from(bytes);
    return needles.filter((needle) => text.includes(needle));
  }

  function files(folder: string): string[] {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }

  test("the search finds what it is for", () => {
    for (const form of [token, Buffer.from(`xx${password}x`).toString("base64"), encodeURIComponent(token)]) {
      expect(leaksIn(Buffer.from(`a${form}b`)), form).not.toEqual([]);
      expect(leaksIn(Buffer.from(Buffer.from(`a${form}b`).toString("base64url"))), `${form}, again`).not.toEqual([]);
    }
    expect(leaksIn(Buffer.from(`nothing ${scrubMark}`))).toEqual([]);
  });

  test("in the home, on the streams of the command, in logs and in results holds no form of a secret", async () => {
    const intent = {
      actor: "mallory",
      action: "attack.thief",
      parameters: { path: "x", input: inputOf({ path: "/json", headers: bearer }) },
    };
    await runtime.close();
    const env = { EXOARMUR_SECRET_PASSWORD: password };
    const { code, stdout, stderr } = await shell.run(intent, ["--json"], { env });
    expect(code, stderr).toBe(0);
    const doctor = await shell.exo(["doctor"], { env });
    const list = await shell.exo(["secrets", "list"], { env });
    printed.push(stdout, stderr, doctor.stdout, doctor.stderr, list.stdout, list.stderr);
    expect(leaksIn(Buffer.from([...printed, ...logged].join("\n")))).toEqual([]);
    const all = files(shell.path(".exoarmur"));
    const names = all.map((file) => file.slice(shell.path(".exoarmur").length + 1));
    expect(names).toEqual(expect.arrayContaining(["data/data.mdb", "vault.age", "keys/vault.key", "anchor"]));
    for (const [at, file] of all.entries()) expect(leaksIn(readFileSync(file)), names[at]).toEqual([]);
    const bundles = all.filter((file) => file.endsWith(".proof.json"));
    expect(bundles.length).toBeGreaterThan(0);
    for (const file of bundles) {
      const { materials } = JSON.parse(readFileSync(file, "utf8")) as { materials: Record<string, string> };
      for (const material of Object.values(materials)) expect(leaksIn(Buffer.from(material, "base64"))).toEqual([]);
    }
  });
});
