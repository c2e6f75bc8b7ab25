/** Timing: what the rows are made of. All times in milliseconds unless a name says otherwise. */

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
