import type { CheckMessage, WorkerMessage } from "./messages.js";

/** Greatest file that is read: what the verifier itself takes, 512 MiB. */
export const maxBytes = 536_870_912;

/** After this long a check is ended, whatever it is doing. Fuel ends guests; this ends what no fuel can. */
const limitSeconds = 120;

/** A check under way. */
export type Check = {
  /** Ends the worker and with it the check, and tells why. */
  readonly stop: (why: string) => void;
};

/**
 * Checks a file in a worker of its own, made from the script that the page carries. `tell` gets what it finds; a worker
 * that fails, answers what cannot be read or takes longer than {@link limitSeconds} is ended and told as `broken`.
 */
export function startCheck(job: CheckMessage, tell: (message: WorkerMessage) => void): Check {
  const source = document.getElementById("worker")?.textContent ?? "";
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  let ended = false;
  const end = (): void => {
    ended = true;
    clearTimeout(timer);
    worker.terminate();
    URL.revokeObjectURL(url);
  };
  const stop = (message: string): void => {
    if (ended) return;
    end();
    tell({ kind: "broken", message });
  };
  const timer = setTimeout(() => stop(`it was ended after ${limitSeconds} seconds`), limitSeconds * 1000);
  const worker = new Worker(url);
  worker.addEventListener("message", ({ data }: MessageEvent<WorkerMessage>) => {
    if (ended) return;
    if (data.kind === "replayed" || data.kind === "broken" || (data.kind === "verified" && data.call)) end();
    tell(data);
  });
  worker.addEventListener("error", (event) => stop(`the worker failed: ${event.message || "no reason given"}`));
  worker.addEventListener("messageerror", () => stop("what the worker found could not be read"));
  const moved = [job.bundle.buffer, ...(job.trust === null ? [] : [job.trust.buffer])] as ArrayBuffer[];
  worker.postMessage(job, moved);
  return { stop };
}
