import "./jitless.js";
import { readJson } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Trust, trustSchema } from "../contracts/trust.js";
import { refusedKeyOf } from "../contracts/trust-admission.js";
import { ExoArmurError } from "../errors.js";
import type { LoadCedar } from "../policy/program.js";
import { ReplayEngine } from "../replay/replay-engine.js";
import { resultDigest } from "../replay/result-digest.js";
import { tellStory } from "../replay/story/story.js";
import { createInlineSandbox } from "../sandbox/inline.js";
import { verifyBundle, verifyLoading } from "../verify/verify-bundle.js";
import { isCallDisclosure, verifyCall } from "../verify/verify-call.js";
import type { CheckMessage, SeenStep, WorkerMessage } from "./messages.js";

/** Host calls of which the page is told how they went. */
const seenCalls = 100_000;

/** Reads a trust file and admits every key in it. EXO_JSON_*, EXO_SCHEMA, EXO_KEY, EXO_KEY_REFUSED. */
function readTrust(bytes: Uint8Array): Trust {
  const trust = parseContract(trustSchema, readJson(bytes, { maxBytes: 16_777_216 }), "trust file");
  const refused = refusedKeyOf(trust);
  if (refused === undefined) return trust;
  throw new ExoArmurError(refused.error.code, `${refused.pointer}: ${refused.error.message}`);
}

async function check(
  { bundle, trust }: CheckMessage,
  post: (message: WorkerMessage) => void,
  cedar: LoadCedar | undefined,
): Promise<void> {
  const trusted = trust === null ? {} : { trust: readTrust(trust) };
  if (isCallDisclosure(bundle)) {
    post({ kind: "verified", report: verifyCall(bundle, trusted), call: true });
    return;
  }
  const verified = cedar === undefined ? verifyBundle(bundle, trusted) : await verifyLoading(bundle, trusted, cedar);
  post({ kind: "verified", report: verified, call: false });
  post({ kind: "story", story: tellStory(bundle) });
  const seen: SeenStep[] = [];
  const sandbox = createInlineSandbox({
    platform: navigator.userAgent,
    onCall: ({ call, memoryPages }) => {
      if (seen.length < seenCalls) seen.push({ fuel: call.fuel, memoryPages });
    },
  });
  const report = await new ReplayEngine({
    sandbox,
    ...trusted,
    ...(cedar === undefined ? {} : { cedar }),
  }).replayBundle(bundle);
  post({ kind: "replayed", report, seen, digest: resultDigest(report) });
}

/**
 * What the page's worker does: one check, then the page ends it. What it cannot do it says, and never passes.
 *
 * @param cedar loads Cedar's engine, where the page carries one
 */
export function serveChecks(cedar?: LoadCedar): void {
  addEventListener("message", (event: MessageEvent<CheckMessage>) => {
    const post = (message: WorkerMessage): void => postMessage(message);
    check(event.data, post, cedar).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      post({ kind: "broken", message: error instanceof ExoArmurError ? `${error.code}: ${message}` : message });
    });
  });
}
