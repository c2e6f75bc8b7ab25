import type { IncomingMessage } from "node:http";
import { AccessDenied } from "./denied.js";

/** What the control plane knows of how it is reached. */
export type Edge = {
  /** Host headers it answers to, lower-case, each with the origin that stands for. */
  readonly hosts: ReadonlyMap<string, string>;
  /** A proxy in front names the client in the last X-Forwarded-For. */
  readonly trustProxy: boolean;
};

const loopbackNames = ["127.0.0.1", "localhost", "[::1]"];

/**
 * The hosts of a control plane that listens on `port`: the loopback names, which nobody else's name can stand for, and the
 * host of its public origin.
 */
export function hostsOf(scheme: "http" | "https", port: number, origin: string | undefined): Map<string, string> {
  const usual = port === (scheme === "http" ? 80 : 443);
  const hosts = new Map<string, string>();
  for (const name of loopbackNames) {
    const host = usual ? name : `${name}:${port}`;
    hosts.set(host, `${scheme}://${host}`);
  }
  if (origin !== undefined) hosts.set(new URL(origin).host.toLowerCase(), new URL(origin).origin);
  return hosts;
}

/**
 * The origin a request was sent to. EXO_ORIGIN for another host, which is what a page sees whose name was made to point
 * here, and for a request that a browser says a page of another origin makes.
 */
export function requireOrigin(
  edge: Edge,
  incoming: IncomingMessage,
  kind: "request" | "navigation" = "request",
): string {
  const { host = "", origin: from, "sec-fetch-site": site } = incoming.headers;
  if (namesHostTwice(incoming)) {
    throw new AccessDenied("EXO_ORIGIN", "host", "expected one Host header");
  }
  const origin = edge.hosts.get(host.toLowerCase());
  if (origin === undefined) {
    throw new AccessDenied("EXO_ORIGIN", "host", "the Host header is none of this control plane's");
  }
  if (from !== undefined && from !== origin) {
    throw new AccessDenied("EXO_ORIGIN", "origin", "requests of pages of other origins are not taken");
  }
  // A link of another site may lead to the console's page, which holds nothing of anybody.
  const { "sec-fetch-mode": mode, "sec-fetch-dest": dest } = incoming.headers;
  if (kind === "navigation" && mode === "navigate" && dest === "document") return origin;
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw new AccessDenied("EXO_ORIGIN", "origin", "requests of pages of other sites are not taken");
  }
  return origin;
}

/** Of two the parser gives the first; a proxy in front may have gone by the other. */
function namesHostTwice({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === "host").length > 1;
}

/** Address of the client, as rate limits go by. */
export function clientAddress(edge: Edge, incoming: IncomingMessage): string {
  const forwarded = incoming.headers["x-forwarded-for"];
  const named = edge.trustProxy && typeof forwarded === "string" ? forwarded.split(",").at(-1)?.trim() : undefined;
  return (named ?? incoming.socket.remoteAddress ?? "").slice(0, 64);
}
