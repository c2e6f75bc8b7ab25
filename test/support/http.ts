import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { afterAll } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { createBroker } from "../../src/capabilities/broker.js";
import { createHttpPerformer, type HttpOptions } from "../../src/capabilities/performers/http/performer.js";
import type { HttpAllow } from "../../src/contracts/http.js";
import { parseIp } from "../../src/contracts/ip-address.js";
import type { Constraints } from "../../src/contracts/manifest.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { AbiValue, PerformOutcome } from "../../src/ports.js";
import { answerOf, callOf, grantsOf } from "../capabilities/support.js";

const closers: (() => void)[] = [];
afterAll(() => {
  for (const close of closers.splice(0)) close();
});

/** A certificate, key or authority of test/fixtures/tls. */
export function tlsFile(name: string): string {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
}

/** A request as a server saw it. */
export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly raw: readonly string[];
  readonly body: string;
};

/** A server on loopback for one test file: its port and what it saw, in order. */
export type TestServer = { readonly port: number; readonly seen: Seen[] };

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP server; with the name of a certificate in test/fixtures/tls an HTTPS server. */
export async function serve(
  answer: (seen: Seen, response: ServerResponse) => void,
  certificate?: string,
): Promise<TestServer> {
  const seen: Seen[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers, rawHeaders } = request;
      const one = { method, url, headers, raw: rawHeaders, body: Buffer.concat(chunks).toString("utf8") };
      seen.push(one);
      answer(one, response);
    });
  };
  const server =
    certificate === undefined
      ? createServer(handle)
      : createSecureServer({ cert: tlsFile(`${certificate}.pem`), key: tlsFile(`${certificate}.key`) }, handle);
  return { port: await listen(server), seen };
}

/** A server that says exactly what it is told, byte for byte, once a request's headers are there. */
export async function serveRaw(
  say: (socket: Socket, count: number) => void,
): Promise<{ port: number; count: () => number }> {
  let count = 0;
  const server = createTcpServer((socket) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      text = "";
      say(socket, count++);
    });
  });
  return { port: await listen(server), count: () => count };
}

/** A port of loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A DNS server on loopback. `names` gives the addresses of a name, by how often it was asked before; none: NXDOMAIN. */
export async function serveDns(
  names: (name: string, count: number) => readonly string[] | "silence",
): Promise<{ readonly server: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const counts = new Map<string, number>();
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const name = labels.join(".").toLowerCase();
    const kind = type === 1 ? "A" : "AAAA";
    asked.push(`${kind} ${name}`);
    const key = `${kind} ${name}`;
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    const known = names(name, count);
    if (known === "silence") return;
    const wanted = known.map(parseIp).filter((address) => address?.length === (type === 1 ? 4 : 16));
    const records = wanted.map((address) =>
      // A pointer to the question's name, type, class IN, a TTL of nought, the address.
      Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, address?.length ?? 0, ...(address ?? [])]),
    );
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(known.length === 0 ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt16BE(0, 8);
    head.writeUInt16BE(0, 10);
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...records]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  closers.push(() => socket.close());
  return { server: `127.0.0.1:${socket.address().port}`, asked };
}

/** A place on loopback. */
export function place(port: number, change: Partial<HttpAllow> = {}): HttpAllow {
  return {
    scheme: "http",
    host: "127.0.0.1",
    port,
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    pathPrefix: "/",
    networks: ["loopback"],
    ...change,
  };
}

/** The id of the effect that `call` names. */
export const effectId = `sha256:${"ab".repeat(32)}`;

/** One call of a performer, past the broker. Bodies are text. */
export async function call(
  options: HttpOptions,
  constraints: Constraints,
  change: { method?: string; url: string; headers?: Record<string, string>; body?: string },
  signal: AbortSignal = new AbortController().signal,
): Promise<PerformOutcome> {
  const { method = "GET", url, headers = {}, body = "" } = change;
  const request: Record<string, AbiValue> = { method, url, headers, body: encodeUtf8(body) };
  return await createHttpPerformer(options).http_request.perform(request, constraints, signal, { effectId });
}

/** A recorded call in short: `ok STATUS BODY`, or its outcome and code. */
export type Attacked = { readonly end: string; readonly headers: unknown; readonly message: string };

/** One request of a guest: read, granted, performed and recorded as any other. Bodies are text. */
export async function attack(
  options: HttpOptions,
  constraints: Constraints,
  change: { method?: string; url: string; headers?: Record<string, string>; body?: string },
): Promise<Attacked> {
  const { method = "GET", url, headers = {}, body = "" } = change;
  const broker = createBroker({
    grants: grantsOf({ http_request: constraints }),
    performers: createHttpPerformer(options),
    journal: () => Promise.resolve(),
    effectBase: digestOf(new Uint8Array(0)),
  });
  const request = { method, url, headers, body: encodeUtf8(body) };
  const answer = answerOf(await broker.call(callOf(0, "http_request", request), new AbortController().signal)) as {
    ok?: { status: number; headers: unknown; body: Uint8Array };
    error?: { code: string; message: string };
  };
  const outcome = broker.transcript()[0]?.outcome ?? "none";
  const { ok, error } = answer;
  const said = ok === undefined ? error?.code : `${ok.status} ${new TextDecoder().decode(ok.body)}`;
  return { end: `${outcome} ${said}`.trimEnd(), headers: ok?.headers, message: error?.message ?? "" };
}

/** An outcome in short: `ok STATUS BODY`, or `error|unknown CODE`. */
export function shortOf(outcome: PerformOutcome): string {
  if (outcome.outcome !== "ok") return `${outcome.outcome} ${outcome.code}`;
  const { status, body } = outcome.value as { status: number; body: Uint8Array };
  return `ok ${status} ${new TextDecoder().decode(body)}`.trimEnd();
}
