import { setTimeout as sleep } from "node:timers/promises";
import { ulidSource } from "../canonical/ids.js";
import { canonicalize, type JsonValue } from "../canonical/jcs.js";
import type { Envelope } from "../contracts/dsse.js";
import { type ErrorCode, ExoArmurError, errorTable, isExoArmurError } from "../errors.js";
import { awaitResult, type OrderOutcome, postOrder, withdrawOrder } from "../home/inbox.js";
import { readOwner } from "../home/owner-lock.js";
import type { HomePaths } from "../home/paths.js";
import { createRuntime } from "../runtime.js";
import type { CliContext } from "./context.js";
import { createStderrLogger } from "./logging.js";

/** How long to wait for a live owner, in milliseconds; without it, until it answers or Ctrl-C. */
export type DeliveryOptions = {
  readonly timeoutMs?: number;
  /** Leaves an order that was not answered in the inbox, for the owner to carry out when it comes round. */
  readonly keep?: boolean;
};

/** How often a waiting command looks whether the owner still lives, in milliseconds. */
const sliceMs = 1000;

/**
 * Has a signed order carried out and returns its result. The order goes into the inbox; a live owner takes it from
 * there, and where there is none, or it dies, this process becomes the owner and takes it itself. The owner's refusal
 * is thrown with its code; EXO_ORDER_TIMEOUT when a live owner does not answer; the signal's reason on Ctrl-C.
 */
export async function deliverOrder(
  context: CliContext,
  paths: HomePaths,
  envelope: Envelope,
  options: DeliveryOptions = {},
): Promise<JsonValue> {
  const id = ulidSource(context.clock, context.entropy).next();
  await postOrder(paths, canonicalize(envelope), id);
  let answered = false;
  try {
    const outcome = await waitForAnswer(context, paths, id, options);
    answered = true;
    if (outcome.ok) return outcome.result ?? null;
    const code = Object.hasOwn(errorTable, outcome.code) ? (outcome.code as ErrorCode) : "EXO_INTERNAL";
    throw new ExoArmurError(code, outcome.message);
  } finally {
    if (!answered && options.keep !== true) await withdrawOrder(paths, id);
  }
}

async function waitForAnswer(
  context: CliContext,
  paths: HomePaths,
  id: string,
  { timeoutMs }: DeliveryOptions,
): Promise<OrderOutcome> {
  const start = context.elapsed();
  for (;;) {
    const owner = readOwner(paths, context.clock);
    if (owner === undefined) {
      const outcome = await carryOut(context, paths, id);
      if (outcome !== undefined) return outcome;
      await sleep(20);
      context.signal.throwIfAborted();
      continue;
    }
    const left = timeoutMs === undefined ? sliceMs : timeoutMs - (context.elapsed() - start);
    if (left <= 0) {
      const message = `the owner of the home (process ${owner.pid}) did not answer within ${(timeoutMs ?? 0) / 1000} s`;
      throw new ExoArmurError("EXO_ORDER_TIMEOUT", message, { file: paths.ownerLock });
    }
    const outcome = await answerWithin(context, paths, id, Math.min(sliceMs, left));
    if (outcome !== undefined) return outcome;
  }
}

/** Becomes the owner, which carries out what waits in the inbox; undefined when another process was quicker. */
async function carryOut(context: CliContext, paths: HomePaths, id: string): Promise<OrderOutcome | undefined> {
  try {
    const { clock, entropy, env } = context;
    const logger = createStderrLogger(context);
    const runtime = await createRuntime({ home: paths.home, clock, entropy, env, logger });
    try {
      return await awaitResult(paths, id, { signal: context.signal, pollMs: 5 });
    } finally {
      await runtime.close();
    }
  } catch (error) {
    if (isExoArmurError(error, "EXO_HOME_LOCKED")) return undefined;
    throw error;
  }
}

async function answerWithin(
  context: CliContext,
  paths: HomePaths,
  id: string,
  ms: number,
): Promise<OrderOutcome | undefined> {
  const slice = AbortSignal.timeout(Math.max(1, Math.ceil(ms)));
  try {
    return await awaitResult(paths, id, { signal: AbortSignal.any([context.signal, slice]) });
  } catch (error) {
    context.signal.throwIfAborted();
    if (slice.aborted && error === slice.reason) return undefined;
    throw error;
  }
}
