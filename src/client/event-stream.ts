import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";

/** A message of a stream of Server-Sent Events: members that were not sent are undefined. */
export type StreamMessage = {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
};

/** Longest message that is taken, in bytes. */
const maxMessageBytes = 16_777_216;

const newline = 10;

/**
 * The messages of a stream of Server-Sent Events, as the control plane writes them: lines end with LF, a message has one
 * line of each member. Comments alone are none. EXO_CONTROL_PLANE for a message that is too long or not UTF-8.
 */
export async function* readMessages(stream: ReadableStream<Uint8Array>): AsyncGenerator<StreamMessage> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      let rest = part.value;
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        chunks.push(rest.subarray(0, end + 1));
        length += end + 1;
        rest = rest.subarray(end + 1);
        if (!endsMessage(chunks)) continue;
        yield messageOf(joined(chunks, length));
        [chunks.length, length] = [0, 0];
      }
      if (rest.length > 0) chunks.push(rest);
      length += rest.length;
      if (length > maxMessageBytes) throw broken(`a message of more than ${maxMessageBytes} bytes`);
    }
  } finally {
    // Whoever stops reading lets the connection go.
    await reader.cancel().catch(() => undefined);
  }
}

/** Whether the last line, which has just ended, is empty. */
function endsMessage(chunks: readonly Uint8Array[]): boolean {
  const last = chunks.at(-1);
  if (last === undefined || last.length > 1) return false;
  const before = chunks.at(-2);
  return before === undefined || before.at(-1) === newline;
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function messageOf(bytes: Uint8Array): StreamMessage {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw broken("a message that is not UTF-8");
  const members = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) members.set(line.slice(0, at), line.slice(at + 1).replace(/^ /, ""));
  }
  return { id: members.get("id"), event: members.get("event"), data: members.get("data") };
}

function broken(what: string): ExoArmurError {
  return new ExoArmurError("EXO_CONTROL_PLANE", `the live stream has ${what}`);
}
