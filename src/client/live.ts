import { liveEndSchema } from "../contracts/control.js";
import type { CanonicalEvent } from "../contracts/event.js";
import { eventSchema } from "../contracts/event.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { type ErrorCode, ExoArmurError, errorTable } from "../errors.js";
import type { Entropy } from "../ports.js";
import { readMessages, type StreamMessage } from "./event-stream.js";
import { openStream } from "./open-stream.js";
import { type Patience, pauseBefore } from "./retry.js";
import { readAnswer, type Transport, TryAgain } from "./transport.js";

/**
 * What following tells, each with the place in the log up to which all has been told: `after` of a later call goes on
 * from there. `ready`: it is connected, and nothing was missed. `reset`: what came between was too much to be told, or the
 * place is none of this log; whatever is shown has to be loaded anew.
 */
export type LiveMessage =
  | { readonly kind: "ready" | "reset"; readonly id: number }
  | { readonly kind: "event"; readonly id: number; readonly event: CanonicalEvent };

/** From where on, and which tenant alone, is followed. */
export type FollowOptions = {
  readonly after?: number;
  readonly tenantId?: string;
  readonly signal?: AbortSignal;
};

/** Without a byte for this long, of beats even, a connection is taken for dead. */
const silenceMs = 45_000;

/**
 * Follows what is recorded, over lost connections and restarts, until `signal` aborts or the loop is left. Each event comes
 * once. Throws what ends it for good: EXO_AUTHENTICATION, EXO_FORBIDDEN, EXO_CONTROL_PLANE for what is no such stream.
 */
export async function* follow(
  transport: Transport,
  { after, tenantId, signal }: FollowOptions,
  patience: Patience,
  entropy: Entropy,
): AsyncGenerator<LiveMessage> {
  let place = after;
  for (let attempt = 1; ; attempt += 1) {
    try {
      for await (const message of connect(transport, place, tenantId, signal)) {
        attempt = 0;
        const told = liveOf(message);
        const { id } = message;
        // What was told once is not told again, whoever repeats it; only a reset goes back.
        const repeated = told?.kind !== "reset" && place !== undefined && id !== undefined && id <= place;
        if (!repeated) place = id ?? place;
        if (told !== undefined && !(repeated && told.kind === "event")) yield told;
      }
      throw new TryAgain("EXO_CONTROL_PLANE", "the live stream broke off", 0);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TryAgain)) throw error;
      await pauseBefore(attempt + 1, error.afterMs, patience, entropy, signal);
    }
  }
}

type Placed = Omit<StreamMessage, "id"> & { readonly id: number | undefined };

async function* connect(
  transport: Transport,
  place: number | undefined,
  tenantId: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Placed> {
  const query = new URLSearchParams();
  if (place !== undefined) query.set("after", String(place));
  if (tenantId !== undefined) query.set("tenantId", tenantId);
  const text = query.toString();
  const path = `/v1/live${text === "" ? "" : `?${text}`}`;
  const stream = await openStream(transport, { path, signal }, { media: "text/event-stream", silenceMs });
  for await (const { id, event, data } of readMessages(stream)) {
    if (event === "end") throw endOf(data ?? "");
    if (id !== undefined && !/^\d{1,16}$/.test(id)) throw unknown();
    yield { id: id === undefined ? undefined : Number(id), event, data };
  }
}

function liveOf({ id, event, data }: Placed): LiveMessage | undefined {
  if (data === undefined || id === undefined) return undefined;
  if (event === "ready" || event === "reset") return { kind: event, id };
  if (event === "recorded") return { kind: "event", id, event: readAnswer(eventSchema, encodeUtf8(data)) };
  // What this client does not know of is a later version's.
  return undefined;
}

/** Why the control plane ended the stream. Only its own end is no end for who follows. */
function endOf(data: string): ExoArmurError {
  const { code, message } = readAnswer(liveEndSchema, encodeUtf8(data));
  if (!Object.hasOwn(errorTable, code)) return unknown();
  if (code === "EXO_CLOSED") return new TryAgain(code, message, 0);
  return new ExoArmurError(code as ErrorCode, message);
}

function unknown(): ExoArmurError {
  return new ExoArmurError("EXO_CONTROL_PLANE", "what came is no live stream of a control plane");
}
