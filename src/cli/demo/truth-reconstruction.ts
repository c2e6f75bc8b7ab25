import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalize } from "../../canonical/jcs.js";
import type { PolicyRule } from "../../contracts/policy.js";
import { sha256Hex } from "../../crypto/sha256.js";
import { writeBundle } from "../../home/bundles.js";
import type { Clock, Entropy } from "../../ports.js";
import { createRuntime } from "../../runtime.js";
import type { Workspace } from "./workspace.js";

/** The file that the agent asks to delete, outside every root. */
const privateFile = "/tmp/exoarmur-demo-private/secret-exports/customer-records.csv";

/** The only directory the executor is granted. */
const authorizedRoot = "/tmp/exoarmur-demo-authorized";

/** Correlation id of the demo, which is also its audit stream id. */
const truthStream = "canonical-truth-reconstruction-demo";

/** Policy of the demo: deleting is allowed inside the authorized root, and nowhere else. */
export const truthRules: readonly PolicyRule[] = [
  { id: "delete-inside-root", match: { action: "fs.remove", target: { under: "data" } }, verdict: "allow" },
];

/** What the demo found. Every member is measured, none assumed. */
export type TruthOutcome = {
  readonly bundlePath: string;
  readonly replayHash: string;
  readonly denied: boolean;
  readonly executed: boolean;
  readonly replayPassed: boolean;
};

/** An agent asks to delete a file outside its root; the file is checked to be there afterwards, byte for byte. */
export async function reconstructTruth(
  workspace: Workspace,
  ports: { clock: Clock; entropy: Entropy },
): Promise<TruthOutcome> {
  const content = "id,name,email\n1,Ada,ada@example.org\n";
  await mkdir(join(privateFile, ".."), { recursive: true });
  await mkdir(authorizedRoot, { recursive: true });
  await writeFile(privateFile, content);
  await pointRootAt(workspace, authorizedRoot);
  const runtime = await createRuntime({ home: workspace.paths.home, ...ports });
  try {
    const result = await runtime.execute({
      actor: { id: "records-agent", type: "agent" },
      action: "fs.remove",
      parameters: { path: privateFile },
      correlationId: truthStream,
    });
    const untouched = existsSync(privateFile) && (await readFile(privateFile, "utf8")) === content;
    if (!("bundle" in result))
      return { bundlePath: "", replayHash: "", denied: false, executed: !untouched, replayPassed: false };
    const bundlePath = await writeBundle(workspace.paths, result.intentId, result.bundle.bytes());
    const replayed = await runtime.replay(truthStream);
    const { result: verdict, levels, counts, divergence } = replayed;
    return {
      bundlePath,
      replayHash: sha256Hex(canonicalize({ bundle: result.bundle.digest, verdict, levels, counts, divergence })),
      denied: result.status === "denied",
      executed: !untouched,
      replayPassed: verdict === "success",
    };
  } finally {
    await runtime.close();
  }
}

/** The lines of the reference's demo, in its order. */
export function truthLines(outcome: TruthOutcome): string[] {
  return [
    `Proof bundle written: ${outcome.bundlePath}`,
    `Proof bundle replay hash: ${outcome.replayHash}`,
    `DEMO_RESULT=${outcome.denied ? "DENIED" : "ALLOWED"}`,
    `ACTION_EXECUTED=${outcome.executed}`,
    `AUDIT_STREAM_ID=${truthStream}`,
    `REPLAY_VERDICT=${outcome.replayPassed ? "PASS" : "FAIL"}`,
  ];
}

async function pointRootAt({ paths }: Workspace, directory: string): Promise<void> {
  const config = JSON.parse(await readFile(paths.config, "utf8")) as { roots: { data: { path: string } } };
  config.roots.data.path = directory;
  await writeFile(paths.config, `${JSON.stringify(config, null, 2)}\n`);
}
