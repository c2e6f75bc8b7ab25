import { existsSync, readdirSync } from "node:fs";
import { lstat, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { JsonValue } from "../canonical/jcs.js";
import { jsonSchema } from "../contracts/common.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { Clock } from "../ports.js";
import { isTemporaryName, readBounded, removeIfThere, syncFolder, writeAtomic } from "./atomic.js";
import { type DocumentKind, parseDocument } from "./document.js";
import { errnoOf, type HomePaths, writeFault } from "./paths.js";

/** Largest order that is taken, in bytes. */
const maxOrderBytes = 1_048_576;

/** Most orders one call of takeOrders returns. */
const maxOrders = 1_000;

/** Results and half-written files older than this are swept, in milliseconds. */
const keepMs = 3_600_000;

const maxResultBytes = 16_777_216;

/** A signed order that waits in the inbox. `name` is the id it was posted under. */
export type InboxOrder = { readonly name: string; readonly bytes: Uint8Array };

/** What became of an order. `code` is from the table of errors. */
export type OrderOutcome =
  | { readonly ok: true; readonly result?: JsonValue }
  | { readonly ok: false; readonly code: string; readonly message: string };

const orderForm = /^([0-9A-Za-z_-]{1,100})\.order\.json$/;

const resultForm = /\.result\.json$/;

const resultSchema = z.union([
  z.strictObject({ schema: z.literal("exoarmur.order-result/v1"), ok: z.literal(true), result: jsonSchema.optional() }),
  z.strictObject({
    schema: z.literal("exoarmur.order-result/v1"),
    ok: z.literal(false),
    code: z.string(),
    message: z.string(),
  }),
]);

const resultKind: DocumentKind<z.infer<typeof resultSchema>> = {
  schema: resultSchema,
  version: "exoarmur.order-result/v1",
};

/**
 * Posts an order: whole and durable at `inbox/<id>.order.json`, or not there. `id` is 1 to 100 letters, digits, `-` and
 * `_`, usually a ULID; an earlier result under it is removed. EXO_ORDER for another id or more than 1 MiB,
 * EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function postOrder(paths: HomePaths, bytes: Uint8Array, id: string): Promise<void> {
  const file = orderFile(paths, id);
  if (bytes.length > maxOrderBytes) {
    throw new ExoArmurError("EXO_ORDER", `An order has at most ${maxOrderBytes} bytes, this one has ${bytes.length}.`);
  }
  await removeIfThere(resultFile(paths, id));
  await writeAtomic(file, bytes);
}

/** True when an order waits. Cheap and synchronous: the owner asks before every start. EXO_HOME_DAMAGED without an inbox. */
export function hasOrders(paths: HomePaths): boolean {
  try {
    return readdirSync(paths.inbox).some((name) => orderForm.test(name));
  } catch (error) {
    throw unreadable(paths, error);
  }
}

/**
 * The waiting orders in the order of their names, at most 1,000; they stay until finishOrder. What is larger than
 * 1 MiB, a link or no plain file is moved to `inbox/refused/` and answered with EXO_ORDER. EXO_HOME_DAMAGED without an
 * inbox.
 */
export async function takeOrders(paths: HomePaths): Promise<InboxOrder[]> {
  const names = await readdir(paths.inbox).catch((error: unknown) => {
    throw unreadable(paths, error);
  });
  const orders: InboxOrder[] = [];
  for (const entry of names
    .sort()
    .filter((name) => orderForm.test(name))
    .slice(0, maxOrders)) {
    const name = orderForm.exec(entry)?.[1] ?? "";
    try {
      const read = await readBounded(join(paths.inbox, entry), { maxBytes: maxOrderBytes, follow: false });
      if (read !== undefined) orders.push({ name, bytes: read.bytes });
    } catch (error) {
      if (!isExoArmurError(error, "EXO_FILE")) throw error;
      await refuseOrder(paths, name, error.message);
    }
  }
  return orders;
}

/** True while an order has no answer: its file is removed once the answer is durable. */
export function isWaiting(paths: HomePaths, name: string): boolean {
  return existsSync(orderFile(paths, name));
}

/** Writes an order's outcome to `inbox/<name>.result.json` and then removes the order. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function finishOrder(paths: HomePaths, name: string, outcome: OrderOutcome): Promise<void> {
  const file = orderFile(paths, name);
  const text = JSON.stringify({ schema: "exoarmur.order-result/v1", ...outcome });
  await writeAtomic(resultFile(paths, name), `${text}\n`);
  await removeIfThere(file);
  await syncFolder(paths.inbox);
}

/**
 * Waits for the owner's answer to an order. Rejects with `signal.reason` when aborted; EXO_JSON_* or EXO_SCHEMA when the
 * result is not one. The result stays until it is swept.
 */
export async function awaitResult(
  paths: HomePaths,
  id: string,
  options: { readonly signal?: AbortSignal; readonly pollMs?: number } = {},
): Promise<OrderOutcome> {
  const { signal, pollMs = 50 } = options;
  const file = resultFile(paths, id);
  for (;;) {
    signal?.throwIfAborted();
    const read = await readBounded(file, { maxBytes: maxResultBytes, follow: false });
    if (read !== undefined) {
      const { schema: _, ...outcome } = await parseDocument(read.bytes, file, resultKind);
      return outcome as OrderOutcome;
    }
    await pause(pollMs, signal);
  }
}

/** Takes back an order that nobody has answered; nothing happens when it is gone. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function withdrawOrder(paths: HomePaths, id: string): Promise<void> {
  await removeIfThere(orderFile(paths, id));
}

/**
 * Removes from the inbox the results older than an hour, and from home, keys, bundles and inbox the half-written files
 * of that age that a crash left. For the owner, when it starts. EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function sweepInbox(paths: HomePaths, clock: Clock): Promise<void> {
  for (const folder of [paths.home, paths.keys, paths.bundles, paths.inbox]) {
    for (const name of await readdir(folder).catch((): string[] => [])) {
      const isResult = folder === paths.inbox && resultForm.test(name);
      if (!isResult && !isTemporaryName(name)) continue;
      const file = join(folder, name);
      const found = await stat(file).catch(() => undefined);
      if (found?.isFile() === true && clock.now() - found.mtimeMs > keepMs) await removeIfThere(file);
    }
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    // The timer rejects with an error of its own.
    signal?.throwIfAborted();
    throw error;
  }
}

async function refuseOrder(paths: HomePaths, name: string, why: string): Promise<void> {
  try {
    await mkdir(paths.refused, { recursive: true });
    await moveAside(orderFile(paths, name), join(paths.refused, name));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw writeFault(error, paths.refused);
  }
  await finishOrder(paths, name, { ok: false, code: "EXO_ORDER", message: why });
}

/** Renames to `target.order.json`, or to the first numbered name that is free: a folder gives way to nothing. */
async function moveAside(file: string, target: string): Promise<void> {
  for (let number = 1; ; number++) {
    const free = `${target}${number === 1 ? "" : `.${number}`}.order.json`;
    if ((await lstat(free).catch(() => undefined)) === undefined) return rename(file, free);
  }
}

function orderFile(paths: HomePaths, id: string): string {
  const entry = `${id}.order.json`;
  if (!orderForm.test(entry))
    throw new ExoArmurError("EXO_ORDER", "An order's id is 1 to 100 letters, digits, - and _.");
  return join(paths.inbox, entry);
}

function resultFile(paths: HomePaths, id: string): string {
  return orderFile(paths, id).replace(/\.order\.json$/, ".result.json");
}

function unreadable({ inbox }: HomePaths, error: unknown): ExoArmurError {
  const why = errnoOf(error) ?? "an unknown error";
  return new ExoArmurError("EXO_HOME_DAMAGED", `${inbox} could not be read: ${why}`, { file: inbox });
}
