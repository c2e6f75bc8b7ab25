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

const barCells = 24;

/**
 * Works through `total` parts; on a terminal, one line on stderr shows after a second how many are done and how many of
 * those were bad, and is erased at the end. `work` calls `step` for each part that is done.
 */
export async function withBar<T>(
  context: CliContext,
  total: number,
  work: (step: (bad: boolean) => void) => Promise<T>,
): Promise<T> {
  const start = context.elapsed();
  let [done, wrong, shownAt] = [0, 0, start + quietMs - frameMs];
  let shown = false;
  const step = (bad: boolean): void => {
    done += 1;
    wrong += Number(bad);
    const now = context.elapsed();
    if (!context.isTTY.stderr || now - shownAt < frameMs) return;
    [shownAt, shown] = [now, true];
    const cells = Math.floor((done / total) * barCells);
    const bar = `${"#".repeat(cells)}${"-".repeat(barCells - cells)}`;
    const rate = Math.round((done * 1000) / Math.max(1, now - start));
    context.stderr(`\r\x1b[2K[${bar}] ${done}/${total}   ${wrong} not passed   ${rate}/s`);
  };
  try {
    return await work(step);
  } finally {
    if (shown) context.stderr("\r\x1b[2K");
  }
}
