import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { createVoucher } from "../../../../src/capabilities/performers/counterparties/voucher.js";
import { createSecretDesk } from "../../../../src/capabilities/performers/secrets/desk.js";
import { contentDigest } from "../../../../src/contracts/content-digest.js";
import type { Counterparty } from "../../../../src/contracts/counterparty.js";
import { type Trust, trustSchema } from "../../../../src/contracts/trust.js";
import { encodeBase64, encodeUtf8 } from "../../../../src/crypto/encoding.js";
import type { PerformOutcome } from "../../../../src/ports.js";
import {
  bank,
  envelopeOf,
  mallory,
  type SignOptions,
  signedHeaders,
  usualComponents,
} from "../../../support/counterparty.js";
import { call, place, type Seen, serve, type TestServer } from "../../../support/http.js";
import { startMs, testClock, trustOf, usualKeys } from "../../../support/world.js";

const clock = testClock();
const created = startMs / 1000;
const payloadType = "application/vnd.bank.receipt+json";
const token = "s3cr3t-t0ken";

/** How the bank signs, by path. */
const signing: Readonly<Record<string, (seen: Seen) => SignOptions | null>> = {
  "/good": () => ({}),
  "/unsigned": () => null,
  "/mallory": () => ({ key: mallory }),
  "/old": () => ({ created: created - 301 }),
  "/early": () => ({ created: created + 301 }),
  "/skewed": () => ({ created: created - 299 }),
  "/expired": () => ({ parameters: `;created=${created};expires=${created - 1};keyid="${bank.id}"` }),
  "/echo": ({ headers }) => ({
    components: [...usualComponents, '"x-echo"'],
    values: { '"x-echo"': String(headers["authorization"]) },
  }),
  "/header": ({ headers }) => ({
    components: [...usualComponents, '"authorization";req'],
    values: { '"authorization";req': String(headers["authorization"]) },
  }),
};

let server: TestServer;
let sealing: TestServer;
let trust: Trust;
let counterparties: Counterparty[];
beforeAll(async () => {
  server = await serve((seen, response) => {
    if (seen.url === "/away") return response.writeHead(302, { location: "/good" }).end();
    // Signed as it goes over the wire, which the record does not have.
    const zipped = seen.url === "/zipped";
    const body = zipped ? new Uint8Array(gzipSync("an answer")) : encodeUtf8("an answer");
    const url = `http://127.0.0.1:${server.port}${seen.url}`;
    const request = { method: seen.method, url, headers: {}, body: encodeUtf8(seen.body) };
    const options = (signing[seen.url] ?? signing["/good"])?.(seen) ?? null;
    const headers = options === null ? {} : signedHeaders({ request, status: 200, body }, { created, ...options });
    if (seen.url === "/echo") Object.assign(headers, { "x-echo": seen.headers["authorization"] });
    return response.writeHead(200, { ...headers, ...(zipped ? { "content-encoding": "gzip" } : {}) }).end(body);
  });
  sealing = await serve(({ url }, response) => {
    if (url === "/good") return response.end(envelopeOf(payloadType, "{}"));
    if (url === "/mallory") return response.end(envelopeOf(payloadType, "{}", mallory));
    if (url === "/type") return response.end(envelopeOf("text/plain", "{}"));
    return response.end('{"no":"envelope"}');
  });
  const origin = { scheme: "http" as const, host: "127.0.0.1", port: server.port };
  const sealed = { ...origin, port: sealing.port };
  counterparties = [
    { scheme: "http-message-signature", origin, keyId: bank.id },
    { scheme: "dsse", origin: sealed, keyId: bank.id, payloadType },
  ];
  const key = { role: "counterparty" as const, id: bank.id, from: null, until: null };
  const publicKey = encodeBase64(bank.publicKey);
  trust = trustSchema.parse(trustOf([...usualKeys, { ...key, publicKey, origins: [origin, sealed] }]));
});

async function ask(
  path: string,
  change: { port?: number; body?: string; headers?: Record<string, string> } = {},
): Promise<PerformOutcome> {
  const { port = server.port, ...more } = change;
  const origin = { scheme: "http" as const, host: "127.0.0.1", port };
  const secrets = { TOKEN: { origin, header: "authorization" }, PIN: { origin, body: "/pin" } };
  const desk = createSecretDesk({
    secrets,
    vault: { get: () => Promise.resolve(encodeUtf8(token)) },
    logger: { log: () => undefined },
  });
  const options = { voucher: createVoucher({ counterparties, trust, clock }), desk };
  const method = more.body === undefined ? "GET" : "POST";
  const grant = { allow: [place(server.port), place(sealing.port)], secrets: Object.keys(secrets) };
  return await call(options, grant, { method, url: `http://127.0.0.1:${port}${path}`, ...more });
}

/** Who vouches for an answer: the kind, and for a signed one its scheme. */
function kindOf(outcome: PerformOutcome): string {
  if (outcome.outcome !== "ok") return `${outcome.outcome} ${outcome.code}`;
  const { assurance = "none" } = outcome;
  if (typeof assurance === "string") return assurance;
  return "signed" in assurance ? `signed ${assurance.signed.scheme} ${assurance.signed.keyId}` : "tls";
}

describe("an answer that its counterparty signed", () => {
  test("is signed, and its base is kept", async () => {
    const outcome = await ask("/good");
    expect(kindOf(outcome)).toBe("signed http-message-signature bank-2026");
    expect(JSON.stringify(outcome)).toContain(`\\"@target-uri\\";req: http://127.0.0.1:${server.port}/good`);
    expect(server.seen.at(-1)?.headers["accept-encoding"]).toBe("identity");
  });

  test("with a clock that is a little off", async () => {
    expect(kindOf(await ask("/skewed"))).toContain("signed");
  });

  test("to a request with a body, whose digest goes along", async () => {
    const before = server.seen.length;
    expect(kindOf(await ask("/good", { body: "pay" }))).toContain("signed");
    expect(server.seen[before]?.headers["content-digest"]).toBe(contentDigest(encodeUtf8("pay")));
  });

  test("to a request with a secret in a header, which is not in the record", async () => {
    const outcome = await ask("/good", { headers: { authorization: "{{secret:TOKEN}}" } });
    expect(server.seen.at(-1)?.headers["authorization"]).toBe(token);
    expect(kindOf(outcome)).toContain("signed");
    expect(JSON.stringify(outcome)).not.toContain(token);
  });

  test("as an envelope", async () => {
    expect(kindOf(await ask("/good", { port: sealing.port }))).toBe("signed dsse bank-2026");
  });
});

describe("an answer is unauthenticated", () => {
  test.each(["/unsigned", "/mallory", "/old", "/early", "/expired", "/zipped", "/away"])(
    "when it is %s",
    async (path) => {
      expect(kindOf(await ask(path))).toBe("unauthenticated");
    },
  );

  test.each(["/mallory", "/type", "/none"])("as an envelope that is %s", async (path) => {
    expect(kindOf(await ask(path, { port: sealing.port }))).toBe("unauthenticated");
  });

  test("when its signature covers a secret of the request: a verifier could not rebuild the base", async () => {
    const outcome = await ask("/header", { headers: { authorization: "{{secret:TOKEN}}" } });
    expect(server.seen.at(-1)?.headers["authorization"]).toBe(token);
    expect(kindOf(outcome)).toBe("unauthenticated");
  });

  test("when its signature covers an echo of a secret: the base would carry it into the record", async () => {
    const outcome = await ask("/echo", { headers: { authorization: "{{secret:TOKEN}}" } });
    expect(kindOf(outcome)).toBe("unauthenticated");
    expect(JSON.stringify(outcome)).not.toContain(token);
  });

  test("when a secret was in the body: its digest would be in the record, to guess by", async () => {
    const before = server.seen.length;
    const outcome = await ask("/good", { body: '{"pin":"{{secret:PIN}}"}' });
    expect(server.seen[before]?.body).toBe(`{"pin":"${token}"}`);
    expect(server.seen[before]?.headers["content-digest"]).toBeUndefined();
    expect(kindOf(outcome)).toBe("unauthenticated");
    expect(JSON.stringify(outcome)).not.toContain(contentDigest(encodeUtf8(`{"pin":"${token}"}`)));
  });

  test("when nobody is expected to sign it", async () => {
    const plain = { allow: [place(server.port)] };
    const voucher = createVoucher({ counterparties: [], trust, clock });
    const outcome = await call({ voucher }, plain, { url: `http://127.0.0.1:${server.port}/good` });
    expect(kindOf(outcome)).toBe("unauthenticated");
    expect(server.seen.at(-1)?.headers["accept-encoding"]).not.toBe("identity");
  });
});

test("a counterparty without a pinned key of its own for its origin stops the start", () => {
  const [first, second] = counterparties;
  if (first === undefined || second === undefined) throw new Error("no counterparties");
  const open = (change: Partial<Counterparty>, of = trust): unknown =>
    createVoucher({ counterparties: [{ ...first, ...change } as Counterparty], trust: of, clock });
  const message = `counterparties: the trust file has no key bank-2027 of the role counterparty for http://127.0.0.1:${server.port}`;
  expect(() => open({ keyId: "bank-2027" })).toThrow(message);
  expect(() => open({ origin: { ...first.origin, port: 1 } })).toThrow("has no key bank-2026");
  const roles = trust.keys.map((key) => (key.role === "counterparty" ? { ...key, role: "publisher" as const } : key));
  expect(() => open({}, { ...trust, keys: roles })).toThrow("has no key bank-2026");
});
