import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ExoArmurError } from "../../errors.js";
import { errnoOf } from "../../home/paths.js";
import type { EndpointApi } from "./restrained-event.js";

/** Name and port of the endpoint's management in the demo: the same in every run, since they are part of what is recorded. */
export const endpointApi: EndpointApi = { scheme: "http", host: "endpoint-api.demo.internal", port: 18_765 };

/** A request as it reached the endpoint. */
export type SeenRequest = { readonly method: string; readonly path: string; readonly body: string };

/** The management of endpoints, listening on a loopback address. */
export type EndpointServer = {
  /** The address it listens on, four plain decimals. */
  readonly address: string;
  /** Everything that reached it, in order. */
  readonly seen: readonly SeenRequest[];
  /** Ids of the endpoints that are isolated now. */
  readonly isolated: ReadonlySet<string>;
  close(): Promise<void>;
};

const maxBodyBytes = 65_536;
const isolatePath = /^\/v1\/endpoints\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})\/isolate$/;

/** On Linux every address of 127.0.0.0/8 is the machine's own, so demos that run at once each find one. */
const loopbackAddresses: readonly string[] = Array.from({ length: 32 }, (_, index) => `127.0.0.${index + 1}`);

/**
 * Starts the endpoint's management on the demo's port, on the first of these loopback addresses where that is free.
 * EXO_LISTEN when it is free on none.
 */
export async function openEndpoint(addresses = loopbackAddresses): Promise<EndpointServer> {
  const seen: SeenRequest[] = [];
  const isolated = new Set<string>();
  const server = createServer((request, response) => {
    answer(request, response, seen, isolated).catch(() => response.destroy());
  });
  const address = await listen(server, addresses);
  return {
    address,
    seen,
    isolated,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listen(server: Server, addresses: readonly string[]): Promise<string> {
  let last = "";
  for (const address of addresses) {
    const code = await listenOn(server, address);
    if (code === undefined) return address;
    last = `${address}: ${code}`;
  }
  throw new ExoArmurError("EXO_LISTEN", `no loopback address has port ${endpointApi.port} free (${last})`);
}

/** Undefined once the server listens, else the system's code. */
async function listenOn(server: Server, address: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const fail = (error: Error): void => resolve(errnoOf(error) ?? error.message);
    server.once("error", fail);
    server.listen(endpointApi.port, address, () => {
      server.off("error", fail);
      resolve(undefined);
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  seen: SeenRequest[],
  isolated: Set<string>,
): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  const { method = "", url: path = "" } = request;
  seen.push({ method, path, body: Buffer.concat(chunks).toString("utf8") });
  const endpoint = method === "POST" ? isolatePath.exec(path)?.[1] : undefined;
  if (endpoint !== undefined) isolated.add(endpoint);
  const [status, body] =
    endpoint === undefined ? [404, { error: "no such operation" }] : [200, { endpoint, isolated: true }];
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
