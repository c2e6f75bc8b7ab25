import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { signGrantWith } from "../../approval/sign.js";
import { formatTime } from "../../canonical/time.js";
import type { Envelope } from "../../contracts/dsse.js";
import type { PolicyRule } from "../../contracts/policy.js";
import { decodeUtf8, encodeBase64Url } from "../../crypto/encoding.js";
import { isExoArmurError } from "../../errors.js";
import { writeBundle } from "../../home/bundles.js";
import { keyFileOf, readKeyFile } from "../../home/keys.js";
import { starterPolicy } from "../../home/starter.js";
import type { ExecutionResult } from "../../pipeline/types.js";
import type { Clock, Entropy } from "../../ports.js";
import type { BundleHandle } from "../../proof/bundle.js";
import { createRuntime, type Runtime } from "../../runtime.js";
import { verifyBundle } from "../../verify/verify-bundle.js";
import { orderRows, ordersCsv } from "./orders-csv.js";
import type { Workspace } from "./workspace.js";

/** Policy of the demo: a new home's own (statistics are free, deleting needs a person), and the looping plugin may try. */
export const storyRules: readonly PolicyRule[] = [
  ...starterPolicy.rules,
  { id: "allow-spin", match: { action: "demo.spin" }, verdict: "allow" },
];

/** One step of the story: what happened, whether it is what had to happen, and the figures of its run. */
export type StoryStep = {
  readonly what: string;
  readonly outcome: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly fuel: number | null;
  readonly hostCalls: number | null;
};

/** Where the story plays. */
export type Stage = {
  readonly workspace: Workspace;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Called when a step is done, with its number from 1. */
  readonly told: (step: StoryStep, number: number) => void;
};

type Kept = { readonly path: string; readonly bundle: BundleHandle };

/** Plays the seven steps on real files and returns them. Nothing is printed here. */
export async function playStory(stage: Stage): Promise<{ steps: StoryStep[]; bundles: string[] }> {
  const { workspace, told } = stage;
  const orders = join(workspace.data, "orders.csv");
  const outside = join(workspace.files, "secrets", "keys.csv");
  await writeFile(orders, ordersCsv());
  await mkdir(join(workspace.files, "secrets"), { recursive: true });
  await writeFile(outside, "name,key\nprod,hunter2\n");
  const runtime = await createRuntime({ home: workspace.paths.home, clock: stage.clock, entropy: stage.entropy });
  const steps: StoryStep[] = [];
  const kept: Kept[] = [];
  const tell = (step: StoryStep): void => {
    steps.push(step);
    told(step, steps.length);
  };
  const keep = async (result: ExecutionResult): Promise<void> => {
    if (!("bundle" in result)) return;
    const path = await writeBundle(workspace.paths, result.intentId, result.bundle.bytes());
    kept.push({ path, bundle: result.bundle });
  };
  try {
    const agent = runtime.as({ id: "report-agent", type: "agent" });
    const stats = await agent.call("table.stats", { path: "data/orders.csv" });
    await keep(stats);
    tell(statsStep(stats));
    const denied = await agent.call("fs.remove", { path: "secrets/keys.csv" });
    await keep(denied);
    tell(deniedStep(denied, existsSync(outside)));
    const asked = await agent.call("fs.remove", { path: "data/orders.csv" });
    const { result, grant } = await approve(runtime, asked, stage);
    await keep(result);
    tell(removedStep(asked, result, existsSync(orders)));
    tell(await spentStep(runtime, grant));
    const spun = await agent.call("demo.spin", {});
    await keep(spun);
    tell(spinStep(spun));
    tell(await replayStep(runtime, kept));
    tell(await tamperStep(runtime, workspace, kept[0]));
  } finally {
    await runtime.close();
  }
  return { steps, bundles: kept.map(({ path }) => path) };
}

function step(what: string, outcome: string, ok: boolean, detail: string, run?: ExecutionResult): StoryStep {
  const figures =
    run?.status === "executed"
      ? { fuel: run.fuel.used, hostCalls: run.hostCalls }
      : run?.status === "failed"
        ? { fuel: run.execution.fuel.used, hostCalls: run.execution.transcript.size }
        : { fuel: null, hostCalls: null };
  return { what, outcome, ok, detail, ...figures };
}

/** The columns of a table-stats output, as far as the demo prints them. */
function amountsOf(output: unknown): { rows: number; sum: number; mean: number } | null {
  if (typeof output !== "object" || output === null || !("rows" in output) || !("columns" in output)) return null;
  const { rows, columns } = output;
  if (typeof rows !== "number" || !Array.isArray(columns)) return null;
  for (const column of columns as unknown[]) {
    if (typeof column !== "object" || column === null || !("name" in column) || column.name !== "amount") continue;
    if (!("sum" in column) || !("mean" in column)) continue;
    const { sum, mean } = column;
    if (typeof sum === "number" && typeof mean === "number") return { rows, sum, mean };
  }
  return null;
}

function statsStep(result: ExecutionResult): StoryStep {
  const amounts = result.status === "executed" ? amountsOf(result.output) : null;
  const detail =
    amounts === null
      ? reasonOf(result)
      : `${amounts.rows} rows, sum of amount ${amounts.sum.toFixed(2)}, mean ${amounts.mean.toFixed(2)}`;
  return step("table.stats data/orders.csv", result.status, amounts?.rows === orderRows, detail, result);
}

function reasonOf(result: ExecutionResult): string {
  return "reason" in result ? `${result.reason.code}: ${result.reason.message}` : result.status;
}

function deniedStep(result: ExecutionResult, stillThere: boolean): StoryStep {
  const ruled = result.decision?.ruleIds.join(", ") ?? "none";
  const ok = result.status === "denied" && stillThere;
  return step(
    "fs.remove secrets/keys.csv",
    result.status,
    ok,
    `rule ${ruled}; the file is ${stillThere ? "still there" : "GONE"}`,
    result,
  );
}

async function approve(
  runtime: Runtime,
  asked: ExecutionResult,
  stage: Stage,
): Promise<{ result: ExecutionResult; grant: Envelope | null }> {
  if (asked.status !== "approval_pending") return { result: asked, grant: null };
  const { signer, id } = await readKeyFile(keyFileOf(stage.workspace.paths.keys, "approver"), "approver");
  const grant = await signGrantWith(asked.approval, {
    signer,
    approverId: id,
    decision: "approve",
    signedAt: formatTime(stage.clock.now()),
    nonce: encodeBase64Url(stage.entropy.bytes(32)),
  });
  return { result: await runtime.decide(grant), grant };
}

function removedStep(asked: ExecutionResult, result: ExecutionResult, stillThere: boolean): StoryStep {
  const ok = asked.status === "approval_pending" && result.status === "executed" && !stillThere;
  const detail = `asked for a person, approved by another key; the file is ${stillThere ? "STILL THERE" : "gone"}`;
  return step("fs.remove data/orders.csv", result.status, ok, ok ? detail : `${detail}: ${reasonOf(result)}`, result);
}

async function spentStep(runtime: Runtime, grant: Envelope | null): Promise<StoryStep> {
  const what = "the same grant again";
  if (grant === null) return step(what, "none", false, "there was no grant to use again");
  try {
    await runtime.decide(grant);
    return step(what, "ACCEPTED", false, "the grant was accepted a second time");
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return step(what, "refused", error.code === "EXO_APPROVAL_SPENT", error.code);
  }
}

function spinStep(result: ExecutionResult): StoryStep {
  const status = result.status === "failed" ? result.execution.status : result.status;
  return step("demo.spin, which never ends", status, status === "out_of_fuel", reasonOf(result), result);
}

async function replayStep(runtime: Runtime, kept: readonly Kept[]): Promise<StoryStep> {
  let same = 0;
  let executions = 0;
  const problems: string[] = [];
  for (const { bundle } of kept) {
    const verified = verifyBundle(bundle.bytes(), { trust: runtime.trust });
    const replayed = await runtime.replay(bundle);
    executions += replayed.executions.length;
    if (verified.result === "pass" && replayed.result === "success") same += 1;
    else
      problems.push(
        ...replayed.failures,
        ...verified.checks.filter((check) => check.state === "fail").map((check) => check.message),
      );
  }
  const ok = same === kept.length && kept.length === 4 && executions === 3;
  const detail = ok
    ? `${same} bundles verified, ${executions} executions run again with the files gone: same output, fuel, host calls`
    : problems.join("; ");
  return step("verify and replay every bundle", ok ? "identical" : "DIFFERS", ok, detail);
}

async function tamperStep(runtime: Runtime, workspace: Workspace, first: Kept | undefined): Promise<StoryStep> {
  const what = "one byte of a bundle flipped";
  if (first === undefined) return step(what, "none", false, "there was no bundle to flip");
  const bytes = first.bundle.bytes();
  const at = middleOfLargestMaterial(bytes);
  // Another letter of base64, so that the file stays well formed and only a digest can tell.
  bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41;
  const path = join(workspace.paths.bundles, "tampered.proof.json.broken");
  await writeFile(path, bytes);
  const report = verifyBundle(bytes, { trust: runtime.trust });
  const broken = report.checks.find((check) => check.state === "fail");
  const detail = broken === undefined ? "nothing was noticed" : `byte ${at}: ${broken.title}: ${broken.message}`;
  return step(what, report.result === "fail" ? "caught" : "MISSED", broken !== undefined, detail.slice(0, 160));
}

/** Where the largest material of a bundle, the plugin, has its middle byte. */
function middleOfLargestMaterial(bundle: Uint8Array): number {
  const text = decodeUtf8(bundle) ?? "";
  const { materials } = JSON.parse(text) as { materials: Record<string, string> };
  const largest = Object.values(materials).reduce((best, one) => (one.length > best.length ? one : best), "");
  return text.indexOf(largest) + Math.floor(largest.length / 2);
}

/** A path as a person in `cwd` would write it. */
export function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path);
  return shown.startsWith("..") ? path : shown;
}
