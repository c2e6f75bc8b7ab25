import { Worker } from "node:worker_threads";
import { type BatchRow, rowWithout } from "./rows.js";
import type { WorkerStart } from "./verify-worker.js";

/** How a batch is worked through. */
export type PoolOptions = WorkerStart & {
  /** Threads, at least 1; no more are started than there are files. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Called whenever a file is done. */
  readonly onDone: (row: BatchRow) => void;
  /** The thread's program; for tests of what happens when it dies. */
  readonly program?: URL;
};

/**
 * Verifies files on several threads, each with one file at a time, and gives the rows in the order of the files. A
 * thread that dies makes its file `unable`, and another takes its place. Rejects with the signal's reason.
 *
 * @param files absolute paths
 */
export async function verifyFiles(files: readonly string[], options: PoolOptions): Promise<readonly BatchRow[]> {
  const { jobs, signal, trust, onDone, program = new URL("./verify-worker.js", import.meta.url) } = options;
  signal.throwIfAborted();
  const rows: BatchRow[] = [];
  const threads = new Set<Worker>();
  let next = 0;
  const stop = (): void => void Promise.all([...threads].map((thread) => thread.terminate()));

  const open = (): Worker => {
    const start: WorkerStart = { trust };
    const thread = new Worker(program, { env: {}, execArgv: [], stdin: true, workerData: start });
    threads.add(thread);
    thread.once("exit", () => threads.delete(thread));
    // What it throws between two files would end the process; that it is gone shows at the next.
    thread.on("error", () => undefined);
    return thread;
  };
  const serve = async (): Promise<void> => {
    let thread = open();
    for (let at = next++; at < files.length; at = next++) {
      const row = await ask(thread, files[at] ?? "");
      signal.throwIfAborted();
      rows[at] = row ?? rowWithout("unable", "EXO_INTERNAL", "the thread that verified it ended");
      onDone(rows[at] as BatchRow);
      if (row === undefined) {
        await thread.terminate();
        thread = open();
      }
    }
    await thread.terminate();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, serve));
    return rows;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Gives a thread one file; undefined when it ends before it answers. */
async function ask(thread: Worker, file: string): Promise<BatchRow | undefined> {
  return await new Promise((resolve) => {
    const settle = (row?: BatchRow): void => {
      thread.off("message", settle).off("error", lose).off("exit", lose);
      resolve(row);
    };
    const lose = (): void => settle();
    thread.on("message", settle).on("error", lose).on("exit", lose);
    thread.postMessage(file);
  });
}
