import type { ProxyPipeline } from "../pipeline/proxy-pipeline.js";
import type { Logger } from "../ports.js";

const sweepMs = 1000;

/**
 * Looks every second for approval requests whose time has come: those that expired are closed, those whose hold is over
 * are started. The timer is only a hint; what counts are the pipeline's clock and what is in the store, so what a
 * stopped process missed is found by the first look of the next. Returns what ends it, when no look is under way.
 */
export function startSweep(pipeline: ProxyPipeline, logger: Logger): () => Promise<void> {
  const looks = new Set<Promise<void>>();
  const look = async (): Promise<void> => {
    try {
      await pipeline.expireApprovals();
    } catch (error) {
      logger.log("error", "expired approvals could not be closed", { error: String(error) });
    }
    try {
      await pipeline.resumeHeld();
    } catch (error) {
      logger.log("error", "held approvals could not be started", { error: String(error) });
    }
  };
  const start = (): void => {
    const one = look().finally(() => looks.delete(one));
    looks.add(one);
  };
  const timer = setInterval(start, sweepMs).unref();
  start();
  return async () => {
    clearInterval(timer);
    await Promise.all(looks);
  };
}
