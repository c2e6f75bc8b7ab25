/** Timing: what the rows are made of. All times in milliseconds unless a name says otherwise. */
import { readFileSync } from "node:fs";

/** The value below which `part` (0 to 1) of the samples lie. */
export function quantile(samples, part) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export const median = (samples) => quantile(samples, 0.5);

/** The geometric mean of ratios. */
export function geometricMean(ratios) {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/**
 * Milliseconds that a synchronous piece of work takes this thread, and what it returns. What the thread spent waiting
 * for a processor that others were using is taken off where the system tells it (Linux).
 */
export function onProcessor(work) {
  // The clock is read first and last: a wait it sees and the system doesn't tell makes a run long, never short.
  const start = performance.now();
  const before = waited();
  const result = work();
  const wait = waited() - before;
  return { result, ms: performance.now() - start - wait };
}

/** Milliseconds that this thread has waited for a processor so far; 0 where the system does not tell. */
function waited() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

/**
 * Does `count` operations, `concurrency` at a time. `each` is what one costs: its latency when they come one by one, the
 * share of the wall clock when they overlap.
 */
export async function concurrently(count, concurrency, operation) {
  const latencies = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      const start = performance.now();
      await operation(index);
      latencies.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const wall = performance.now() - start;
  const p50 = median(latencies);
  const each = concurrency === 1 ? p50 : wall / count;
  return { count, concurrency, each, p50, p99: quantile(latencies, 0.99), rate: (count / wall) * 1000 };
}

/** Median and p99 of a short synchronous operation in microseconds, timed in batches for about `ms`. */
export function repeatedly(ms, operation) {
  let batch = 1;
  for (let spent = 0; spent < 0.5; batch *= 2) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) operation();
    spent = performance.now() - start;
  }
  const samples = [];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) operation();
    samples.push(((performance.now() - start) / batch) * 1000);
  }
  return { p50: median(samples), p99: quantile(samples, 0.99), samples: samples.length * batch };
}
