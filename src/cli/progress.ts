import type { CliContext } from "./context.js";

const quietMs = 1000;
const frameMs = 100;
const frames = "|/-\\";

/** Waits for `work`; on a terminal, one line on stderr shows after a second that it goes on, and is erased at the end. */
export async function withProgress<T>(context: CliContext, label: string, work: Promise<T>): Promise<T> {
  if (!context.isTTY.stderr) return await work;
  const start = context.elapsed();
  let shown = 0;
  const timer = setInterval(() => {
    const ms = context.elapsed() - start;
    if (ms < quietMs) return;
    const frame = frames[shown % frames.length] ?? "";
    shown += 1;
    context.stderr(`\r\x1b[2K${frame} ${label} ${(ms / 1000).toFixed(1)} s`);
  }, frameMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (shown > 0) context.stderr("\r\x1b[2K");
  }
}
