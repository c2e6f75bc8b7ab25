import { setMaxListeners } from "node:events";
import { createServer as createHttpServer, type Server, type ServerOptions } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { ExoArmurError } from "../errors.js";
import { fillPositions } from "../pipeline/fill-positions.js";
import { createApp } from "./app.js";
import { type ControlPorts, type Desk, openDesk } from "./desk.js";
import { hostsOf } from "./edge.js";

/** Where and how a control plane listens. */
export type Listening = {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Certificate chain and private key, PEM. Without it plain HTTP. */
  readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array } | undefined;
  /** Origin by which others reach it, such as `https://exoarmur.example.org`. */
  readonly origin?: string | undefined;
  /** A proxy stands in front: the last X-Forwarded-For is the client. */
  readonly trustProxy?: boolean;
  readonly timeouts?: Timeouts;
};

/** Bounds on connections, in milliseconds. */
export type Timeouts = {
  /** For a request's headers to come. */
  readonly headersMs: number;
  /** For a whole request to come, its body included. */
  readonly requestMs: number;
  /** Without any byte on a connection. Beyond the longest poll. */
  readonly idleMs: number;
  /** For requests under way to end when it closes. */
  readonly graceMs: number;
};

const usualTimeouts: Timeouts = { headersMs: 10_000, requestMs: 20_000, idleMs: 60_000, graceMs: 10_000 };
const maxConnections = 2_048;

/** A control plane that listens. */
export type ControlServer = {
  /** Its own origin, by address and port. */
  readonly origin: string;
  readonly port: number;
  /**
   * Takes no more requests, lets long polls answer at once and what runs end within the grace, records the denials that
   * were counted. The runtime below is its owner's to close, afterwards.
   */
  close(): Promise<void>;
};

/** Starts a control plane. EXO_LISTEN when the address cannot be listened on, EXO_KEY for an unfit certificate or key. */
export async function startControlServer(ports: ControlPorts, listening: Listening): Promise<ControlServer> {
  const { host, tls, timeouts = usualTimeouts } = listening;
  await fillPositions(ports.store, ports.ledger);
  const scheme = tls === undefined ? "http" : "https";
  const server = createServer(tls, timeouts);
  server.maxConnections = maxConnections;
  server.timeout = timeouts.idleMs;
  const { port } = await listen(server, host, listening.port);
  const closing = new AbortController();
  // Every request under way listens for it.
  setMaxListeners(0, closing.signal);
  const desk = openDesk(ports, closing.signal);
  const edge = { hosts: hostsOf(scheme, port, listening.origin), trustProxy: listening.trustProxy ?? false };
  const app = createApp(desk, edge);
  const answering = answeringOf(server);
  // Nothing arrives before this turn ends.
  const listener = getRequestListener((request, env) => app.fetch(request, env), { overrideGlobalObjects: false });
  server.on("request", (incoming, outgoing) => {
    listener(incoming, outgoing).catch((error: unknown) => {
      ports.logger.log("error", "a request could not be answered", { error: String(error) });
      outgoing.destroy();
    });
  });
  const origin = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { origin, port, close: async () => await close(server, answering, desk, closing, timeouts.graceMs) };
}

function createServer(tls: Listening["tls"], { headersMs, requestMs }: Timeouts): Server {
  const options: ServerOptions = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1000, Math.ceil(headersMs / 4)),
    keepAliveTimeout: 5000,
    maxHeaderSize: 16_384,
  };
  if (tls === undefined) return createHttpServer(options);
  try {
    const { cert, key } = tls;
    return createHttpsServer({ ...options, cert: Buffer.from(cert), key: Buffer.from(key), minVersion: "TLSv1.2" });
  } catch (cause) {
    throw new ExoArmurError("EXO_KEY", "the TLS certificate and key do not fit", {}, { cause });
  }
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return await new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `${host} port ${port} cannot be listened on: ${cause.code ?? "an unknown error"}`;
      reject(new ExoArmurError("EXO_LISTEN", message, {}, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address);
    });
  });
}

/** Requests that are answered now: how many, and when there are none. */
type Answering = { readonly none: () => Promise<void> };

function answeringOf(server: Server): Answering {
  let count = 0;
  let told = (): void => undefined;
  server.on("request", (_incoming, outgoing) => {
    count += 1;
    outgoing.once("close", () => {
      count -= 1;
      if (count === 0) told();
    });
  });
  const none = async (): Promise<void> => {
    if (count === 0) return;
    await new Promise<void>((resolve) => {
      told = resolve;
    });
  };
  return { none };
}

async function close(
  server: Server,
  answering: Answering,
  desk: Desk,
  closing: AbortController,
  graceMs: number,
): Promise<void> {
  closing.abort();
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  const force = setTimeout(() => server.closeAllConnections(), graceMs);
  await Promise.race([answering.none(), closed]);
  // Whoever is connected and asks nothing is not waited for.
  server.closeAllConnections();
  await closed;
  clearTimeout(force);
  await desk.denials.flush();
  desk.feed.close();
  desk.gauges.close();
}
