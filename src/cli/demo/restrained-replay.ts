import { join } from "node:path";
import { parseContract } from "../../contracts/common.js";
import { eventSchema } from "../../contracts/event.js";
import { isExoArmurError } from "../../errors.js";
import { readAnchor } from "../../home/anchor.js";
import { readBounded } from "../../home/atomic.js";
import { compareCheckpoint } from "../../log/audit.js";
import type { Logger } from "../../ports.js";
import { auditStore } from "../../replay/audit-log.js";
import { storeAuditSource } from "../../replay/audit-source.js";
import { ReplayEngine } from "../../replay/replay-engine.js";
import { eventDigestOf } from "../../replay/replay-events.js";
import { openSandbox } from "../../runtime/sandbox.js";
import { verifyBundle } from "../../verify/verify-bundle.js";
import { type HomeView, withHomeView } from "../home-view.js";

/** One recorded event, as the timeline shows it. */
export type TimelineRow = {
  readonly sequence: number;
  readonly recordedAt: string;
  readonly eventType: string;
  readonly digest: string;
};

/** What a replay of one audit stream came to. It verified when nothing was found wrong. */
export type RestrainedReplay = {
  readonly streamId: string;
  readonly verified: boolean;
  readonly timeline: readonly TimelineRow[];
  /** How many executions were run again. */
  readonly executions: number;
  readonly problems: readonly string[];
};

const maxBundleBytes = 16_777_216;

/**
 * Replays an audit stream of a demo's home, reading only: the whole store is audited against its log and the published
 * checkpoint, every bundle of the stream verified, as stored and as handed out, and every execution run again with the
 * recorded answers. No capability is there to be performed, and nothing listens. Never throws for what a home can hold.
 */
export async function replayRestrained(dir: string, streamId: string, logger: Logger): Promise<RestrainedReplay> {
  try {
    return await withHomeView(dir, async (view) => await replayView(view, streamId, logger));
  } catch (error) {
    // Whatever cannot be read does not verify.
    const message = error instanceof Error ? error.message : String(error);
    const problem = isExoArmurError(error) ? `${error.code}: ${message}` : message;
    return { streamId, verified: false, timeline: [], executions: 0, problems: [problem] };
  }
}

async function replayView(view: HomeView, streamId: string, logger: Logger): Promise<RestrainedReplay> {
  const { home, store, prover } = view;
  const problems = auditProblems(view);
  const auditSource = storeAuditSource(store, prover);
  const sandbox = await openSandbox({ ...home.resolved.sandbox, workers: 1 }, logger);
  try {
    const report = await new ReplayEngine({ sandbox, trust: home.trust, auditStore: auditSource }).replayCorrelation(
      streamId,
    );
    problems.push(...report.failures, ...report.warnings);
    if (report.result !== "success" && problems.length === 0) problems.push(`the replay ended ${report.result}`);
    const events = auditSource
      .chains(streamId)
      .flatMap((chain) => chain.events.map((event) => parseContract(eventSchema, event, "event")));
    const intentIds = new Set(events.flatMap(({ intentId }) => intentId ?? []));
    for (const intentId of intentIds) problems.push(...(await bundleProblems(view, intentId)));
    const timeline = events.map((event) => ({
      sequence: event.sequence,
      recordedAt: event.recordedAt,
      eventType: event.eventType,
      digest: eventDigestOf(event),
    }));
    return {
      streamId,
      verified: problems.length === 0,
      timeline,
      executions: report.executions.length,
      problems: [...new Set(problems)],
    };
  } finally {
    await sandbox.close();
  }
}

/** What is wrong with the store as a whole: against its own log, and against the checkpoint published last. */
function auditProblems({ home, store, log }: HomeView): string[] {
  if (log() === undefined) return [];
  const audit = auditStore(store, { ...home.log, trust: home.trust });
  const problems = audit.checks
    .filter(({ state }) => state === "fail" || state === "unable")
    .map(({ title, code, message }) => `${title}: ${code ?? ""} ${message}`);
  const anchor = readAnchor(home.paths);
  const standing = anchor === undefined ? "missing" : compareCheckpoint(store, anchor);
  if (standing !== "consistent") problems.push(`the log and the published checkpoint: ${standing}`);
  return problems;
}

/** What is wrong with a bundle as it was handed out. */
async function bundleProblems({ home }: HomeView, intentId: string): Promise<string[]> {
  const file = join(home.paths.bundles, `${intentId}.proof.json`);
  const read = await readBounded(file, { maxBytes: maxBundleBytes });
  if (read === undefined) return [`the bundle of intent ${intentId} is missing`];
  return verifyBundle(read.bytes, { trust: home.trust })
    .checks.filter(({ state }) => state === "fail" || state === "unable")
    .map(({ title, code, message }) => `bundle file: ${title}: ${code ?? ""} ${message}`);
}

/** The timeline, what was found, and the reference's line last. */
export function replayLines({ streamId, verified, timeline, executions, problems }: RestrainedReplay): string[] {
  const widest = Math.max(0, ...timeline.map(({ eventType }) => eventType.length));
  return [
    `stream      ${streamId}`,
    ...timeline.map(
      ({ sequence, recordedAt, eventType, digest }) =>
        `${String(sequence).padStart(2)}   ${recordedAt}   ${eventType.padEnd(widest)}   ${digest.slice(0, 23)}`,
    ),
    ...problems.map((problem) => `problem     ${problem}`),
    `executions  ${executions} run again, with nothing listening`,
    `REPLAY_VERIFIED=${verified}`,
  ];
}
