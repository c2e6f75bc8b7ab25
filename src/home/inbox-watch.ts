import { type FSWatcher, watch } from "node:fs";
import { hasOrders } from "./inbox.js";
import type { HomePaths } from "./paths.js";

/** How often the inbox is looked at where the system's notices do not come, in milliseconds. */
const pollMs = 250;

/**
 * Calls `onChange` whenever the inbox may hold an order: at a notice of the file system, and every 250 ms while one
 * waits or the inbox cannot be read. It may be called without need and must not throw. Does not keep the process alive.
 */
export function watchInbox(paths: HomePaths, onChange: () => void): { close(): void } {
  let closed = false;
  let queued = false;
  const look = (): void => {
    queued = false;
    if (!closed && mayHaveOrders(paths)) onChange();
  };
  // A file that is written and renamed gives several notices in a row: one look is enough for them.
  const notice = (): void => {
    if (queued) return;
    queued = true;
    setTimeout(look, 1).unref();
  };
  const watcher = watchFolder(paths.inbox, notice);
  const timer = setInterval(look, pollMs).unref();
  return {
    close() {
      closed = true;
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** Notices are a convenience: where the system gives none, polling does the work. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, notice).on("error", () => undefined);
  } catch {
    return undefined;
  }
}

function mayHaveOrders(paths: HomePaths): boolean {
  try {
    return hasOrders(paths);
  } catch {
    return true;
  }
}
