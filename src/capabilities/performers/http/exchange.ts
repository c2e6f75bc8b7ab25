import type { Socket } from "node:net";
import { httpBounds } from "./bounds.js";
import type { IncomingAnswer, OutgoingRequest } from "./hooks.js";

/**
 * Sends one request on a connection and reads its answer whole, then closes the connection: none is used twice, so no
 * call sees what another left behind. Rejects when no whole answer came: the request may have been performed by then.
 *
 * @param maxBytes most bytes of the body, as it comes
 */
export async function exchange(
  socket: Socket,
  { scheme, host, port, method, path, headers, body }: OutgoingRequest,
  maxBytes: number,
  signal: AbortSignal,
): Promise<IncomingAnswer> {
  const { Client } = await import("undici");
  let unused: Socket | null = socket;
  const client = new Client(`${scheme}://${host}:${port}`, {
    // The connection is made and checked before; a second one would be to nobody we checked.
    connect: (_options, callback) => {
      const line = unused;
      unused = null;
      // The client does not look again at what it asked for when it is answered before it has finished asking.
      queueMicrotask(() => {
        if (line === null) callback(new Error("the connection has ended"), null);
        else callback(null, line);
      });
    },
    allowH2: false,
    pipelining: 1,
    maxHeaderSize: httpBounds.headerBytes,
    maxResponseSize: maxBytes,
    // The call's own time bounds both.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  try {
    const answer = await client.request({
      method,
      path,
      headers: { ...headers },
      body: body.length === 0 ? null : body,
      signal,
      reset: true,
    });
    const content = await answer.body.bytes();
    return { status: answer.statusCode, headers: joinFields(answer.headers), body: content };
  } finally {
    await client.destroy().catch(() => undefined);
    socket.destroy();
  }
}

/** Fields that came twice, joined as RFC 9110 section 5.3 says. */
function joinFields(fields: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) joined.set(name.toLowerCase(), Array.isArray(value) ? value.join(", ") : value);
  }
  return Object.fromEntries(joined);
}
