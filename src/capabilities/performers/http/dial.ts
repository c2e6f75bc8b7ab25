import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { type Digest, digestOf } from "../../../canonical/digest.js";
import { parseIp } from "../../../contracts/ip-address.js";
import { ok, type Result, refuse } from "../../../errors.js";
import { isSameAddress } from "./address.js";
import { httpBounds } from "./bounds.js";

/** Where a connection goes: one of the addresses, which were all checked, and the name its certificate must have. */
export type Destination = {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
};

/** An open connection on which nothing has been sent. `spkiDigest` is of the peer's public key, null without TLS. */
export type Line = { readonly socket: Socket; readonly spkiDigest: Digest | null };

/**
 * Connects to one of the addresses and no other, and checks whom it reached: the peer's address, and with https its
 * certificate against the host, whatever the environment says. Whatever is refused here was certainly not performed:
 * EXO_HTTP_UNREACHABLE, EXO_HTTP_TLS, EXO_CAPABILITY_DENIED for another peer than the one asked for.
 *
 * @param trust who may sign certificates; asked with https alone
 */
export async function dial(
  destination: Destination,
  trust: () => SecureContext,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Result<Line>> {
  const addresses = destination.addresses.slice(0, httpBounds.addresses);
  // One that never answers must leave time for the next.
  const each = Math.max(1, Math.floor(timeoutMs / Math.max(1, addresses.length)));
  for (const address of addresses) {
    const socket = connectTcp({ host: address, port: destination.port, noDelay: true, signal });
    if (!(await opens(socket, "connect", each))) {
      socket.destroy();
      if (signal.aborted) break;
      continue;
    }
    if (!isSameAddress(socket.remoteAddress ?? "", address)) {
      socket.destroy();
      return refuse("EXO_CAPABILITY_DENIED", "http_request reached another address than the one it asked for");
    }
    return destination.scheme === "https"
      ? await secure(socket, destination.host, trust(), each)
      : ok({ socket, spkiDigest: null });
  }
  return refuse("EXO_HTTP_UNREACHABLE", "http_request could not connect to the host; nothing was sent");
}

async function secure(socket: Socket, host: string, trust: SecureContext, timeoutMs: number): Promise<Result<Line>> {
  const line = connectTls({
    socket,
    host,
    // A name alone is sent; an address is compared with the certificate all the same.
    servername: parseIp(host) === null ? host : "",
    rejectUnauthorized: true,
    ALPNProtocols: ["http/1.1"],
    secureContext: trust,
  });
  const opened = await opens(line, "secureConnect", timeoutMs);
  const spkiDigest = opened && line.authorized ? spkiOf(line) : null;
  if (spkiDigest !== null) return ok({ socket: line, spkiDigest });
  line.destroy();
  socket.destroy();
  return refuse(
    "EXO_HTTP_TLS",
    "http_request expects a certificate for the host by a trusted authority; there was none, and nothing was sent",
  );
}

function spkiOf(socket: TLSSocket): Digest | null {
  const der = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
  return der === undefined ? null : digestOf(new Uint8Array(der));
}

/** Waits for a socket to open. Its errors stay without consequence afterwards: whoever uses it hears of them. */
function opens(socket: Socket, event: "connect" | "secureConnect", timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => end(false), timeoutMs);
    const end = (opened: boolean): void => {
      clearTimeout(timer);
      resolve(opened);
    };
    socket.on("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once(event, () => end(true));
  });
}
