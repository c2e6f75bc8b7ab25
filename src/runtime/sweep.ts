import type { ProxyPipeline } from "../pipeline/proxy-pipeline.js";
import type { Logger } from "../ports.js";

const sweepMs = 1000;

/** What can be looked for: how, and what the log says where that failed. */
const looks = {
  expired: [(pipeline: ProxyPipeline) => pipeline.expireApprovals(), "expired approvals could not be closed"],
  held: [(pipeline: ProxyPipeline) => pipeline.resumeHeld(), "held approvals could not be started"],
} as const;

/**
 * Looks at once and every second for approval requests whose time has come: those that expired are closed, those whose
 * hold is over are started. The timer is only a hint; what counts are the pipeline's clock and what is in the store, so
 * what a stopped process missed is found by the first look of the next. Returns what ends it, when no look is under way.
 */
export function startSweep(
  pipeline: ProxyPipeline,
  logger: Logger,
  what: readonly (keyof typeof looks)[],
): () => Promise<void> {
  const underWay = new Set<Promise<void>>();
  const look = async (): Promise<void> => {
    for (const name of what) {
      const [run, failed] = looks[name];
      try {
        await run(pipeline);
      } catch (error) {
        logger.log("error", failed, { error: String(error) });
      }
    }
  };
  const start = (): void => {
    const one = look().finally(() => underWay.delete(one));
    underWay.add(one);
  };
  const timer = setInterval(start, sweepMs).unref();
  start();
  return async () => {
    clearInterval(timer);
    await Promise.all(underWay);
  };
}
