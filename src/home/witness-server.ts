import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ExoArmurError } from "../errors.js";
import type { Logger } from "../ports.js";
import { errnoOf } from "./paths.js";
import type { WitnessService } from "./witness-service.js";

/** Where a witness listens; port 0 takes any that is free. */
export type WitnessServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
};

/** A witness that listens. */
export type WitnessServer = {
  /** Its submission prefix, without `/add-checkpoint`. */
  readonly url: string;
  /** Takes no more requests, answers those it has within five seconds, and ends. */
  close(): Promise<void>;
};

/** Bytes of a request: 63 proof lines, a checkpoint, and signature lines of some hundred witnesses. */
const maxBodyBytes = 65_536;
/** Longest time for a whole request to arrive, and for those under way at the end. */
const requestMs = 10_000;
const farewellMs = 5_000;
const maxConnections = 256;

/**
 * Serves a witness by c2sp.org/tlog-witness: `POST /add-checkpoint`, and 404 for everything else, 405 for another method,
 * 413 for a body of more than 64 KiB, 500 when the state could not be kept (spec/log.md). EXO_LISTEN.
 */
export async function serveWitness(
  witness: WitnessService,
  { host, port, logger }: WitnessServerOptions,
): Promise<WitnessServer> {
  const timeouts = { requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: 1000 };
  let closing = false;
  const server = createServer({ ...timeouts, maxHeaderSize: 8192 }, (request, response) => {
    // A connection that is kept open for more must not hold up the end.
    response.once("finish", () => closing && setImmediate(() => server.closeIdleConnections()));
    answer(witness, request, response).catch((error: unknown) => {
      logger.log("error", "a checkpoint could not be cosigned", { error: String(error) });
      if (response.headersSent) response.destroy();
      else send(response, 500, "the checkpoint could not be cosigned\n");
    });
  });
  server.maxConnections = maxConnections;
  await listen(server, host, port);
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    close: async () => {
      closing = true;
      const timer = setTimeout(() => server.closeAllConnections(), farewellMs).unref();
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(timer);
    },
  };
}

async function answer(witness: WitnessService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url !== "/add-checkpoint") return refuse(request, response, 404, "not here\n");
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return refuse(request, response, 405, "add-checkpoint is a POST\n");
  }
  const body = await readBody(request);
  if (body === undefined) return refuse(request, response, 413, `more than ${maxBodyBytes} bytes\n`);
  const reply = await witness.addCheckpoint(body);
  send(response, reply.status, reply.body, reply.contentType);
}

/** Answers without reading what else may come. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, why: string): void {
  response.setHeader("connection", "close");
  send(response, status, why);
  request.resume();
}

function send(response: ServerResponse, status: number, body: string, contentType = "text/plain; charset=utf-8"): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": contentType, "content-length": length, "cache-control": "no-store" });
  response.end(body);
}

/** The whole body; undefined for one that is too long. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) return undefined;
  const parts: Buffer[] = [];
  let length = 0;
  // Not an iterator, which would end the connection before it is answered.
  return await new Promise((resolve, reject) => {
    request.on("data", (part: Buffer) => {
      length += part.length;
      if (length <= maxBodyBytes) parts.push(part);
      else resolve(undefined);
    });
    request.on("end", () => resolve(new Uint8Array(Buffer.concat(parts))));
    request.on("error", reject);
  });
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const why = errnoOf(error) ?? error.message;
      reject(new ExoArmurError("EXO_LISTEN", `${host} port ${port} cannot be listened on: ${why}`));
    });
    server.listen(port, host, resolve);
  });
}
