import { readJson } from "../canonical/read.js";
import { readStream } from "../canonical/read-stream.js";
import { problemSchema } from "../contracts/control.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { type ErrorCode, ExoArmurError, errorTable } from "../errors.js";

/** How a control plane is asked. */
export type Transport = {
  /** Its origin: https, or http on this machine. */
  readonly origin: string;
  /** Bearer credential, or null for the routes that are open. */
  readonly token: string | null;
  readonly fetch: typeof fetch;
};

/** One request. `pointless` after how long, in milliseconds, an answer is not waited for any longer. */
export type Ask = {
  readonly path: string;
  /** Default GET, and POST with a body. */
  readonly method?: "DELETE";
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
};

/** Longest answer that is taken, in bytes. */
const maxAnswerBytes = 268_435_456;
const usualTimeoutMs = 60_000;

/** A refusal or fault after which the same request can be sent again. */
export class TryAgain extends ExoArmurError {
  /** Least wait before that, in milliseconds. */
  readonly afterMs: number;

  constructor(code: ErrorCode, message: string, afterMs: number, options?: ErrorOptions) {
    super(code, message, {}, options);
    this.name = "TryAgain";
    this.afterMs = afterMs;
  }
}

/** Refuses an origin to which a credential would travel in the clear. EXO_USAGE. */
export function requireSafeOrigin(origin: string): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  const local = url?.protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url?.origin === origin && (url.protocol === "https:" || local)) return;
  throw new ExoArmurError("EXO_USAGE", "origin: expected https, or http on this machine, without a path");
}

/**
 * Asks once and gives the bytes of the answer. A refusal is thrown with its code; TryAgain for what may pass: no answer,
 * too many requests, a control plane that is closing or overloaded. Rejects with `signal.reason` when that aborts.
 */
export async function ask(transport: Transport, one: Ask): Promise<Uint8Array> {
  const { signal, timeoutMs } = one;
  signal?.throwIfAborted();
  const late = AbortSignal.timeout(timeoutMs ?? usualTimeoutMs);
  try {
    const response = await send(transport, one, signal === undefined ? late : AbortSignal.any([signal, late]));
    return await readBounded(response);
  } catch (cause) {
    throw noAnswer(cause, transport, signal);
  }
}

/** Sends one request, and gives an answer that is none of a refusal. What `ask` throws, or what `fetch` does. */
export async function send(transport: Transport, one: Ask, signal: AbortSignal): Promise<Response> {
  const { origin, token } = transport;
  const { path, body } = one;
  const response = await transport.fetch(`${origin}${path}`, {
    method: one.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    // A credential goes to the origin it is for and nowhere else.
    redirect: "error",
    signal,
  });
  if (response.ok) return response;
  throw refusalOf(response, await readBounded(response), origin);
}

/** What a request without an answer comes to: the caller's own reason, a refusal as it is, else what may pass. */
export function noAnswer(cause: unknown, { origin }: Transport, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (cause instanceof ExoArmurError) return cause;
  return new TryAgain("EXO_CONTROL_PLANE", `no answer from ${origin}`, 0, { cause });
}

function refusalOf(response: Response, bytes: Uint8Array, origin: string): ExoArmurError {
  const { status } = response;
  const problem = problemSchema.safeParse(parse(bytes));
  const code =
    problem.success && Object.hasOwn(errorTable, problem.data.code) ? problem.data.code : "EXO_CONTROL_PLANE";
  const detail = problem.success ? problem.data.detail.slice(0, 4000) : "without a problem document";
  const message = code === "EXO_CONTROL_PLANE" ? `${origin} answered ${status}: ${detail}` : detail;
  if (status !== 429 && status !== 502 && status !== 503 && status !== 504)
    return new ExoArmurError(code as ErrorCode, message);
  const seconds = Number(response.headers.get("retry-after") ?? 0);
  return new TryAgain(code as ErrorCode, message, Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : 0);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return readJson(bytes, { maxBytes: maxAnswerBytes });
  } catch {
    return undefined;
  }
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const bytes = await readStream(response.body, maxAnswerBytes);
  if (bytes !== undefined) return bytes;
  throw new ExoArmurError("EXO_CONTROL_PLANE", `the answer is longer than ${maxAnswerBytes} bytes`);
}

/** The JSON of an answer under its contract. EXO_CONTROL_PLANE for anything else. */
export function readAnswer<T>(
  schema: { safeParse(value: unknown): { success: boolean; data?: T } },
  bytes: Uint8Array,
): T {
  const parsed = schema.safeParse(parse(bytes));
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  const shown = (decodeUtf8(bytes.subarray(0, 80)) ?? "bytes").slice(0, 80);
  throw new ExoArmurError("EXO_CONTROL_PLANE", `the answer is not what this route gives: ${JSON.stringify(shown)}`);
}
