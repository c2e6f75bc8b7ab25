import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { Predicate, Statement } from "../../src/contracts/bundle.js";
import { executionStatuses } from "../../src/contracts/execution.js";
import type { ReplayReport } from "../../src/contracts/replay-report.js";
import { type Trust, trustSchema } from "../../src/contracts/trust.js";
import { sha256Hex } from "../../src/crypto/sha256.js";
import type { SandboxHost } from "../../src/ports.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import type { VerificationReport } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import type { Recordings } from "./make.js";

/** The folder of all histories; each folder in it is one combination of revisions. */
export const historiesFolder: string = fileURLToPath(new URL("./", import.meta.url));

/** The folder of these revisions. */
export function folderOf(revisions: Predicate["revisions"]): string {
  const names = ["bundle", "canonical", "meter", "abi", "policy", "safety"] as const;
  return names.map((name) => `${name}${revisions[name]}`).join("-");
}

type Check = readonly [id: string, state: string, code: string | null];

/** What verifying and replaying a recording came to, without its wording, which may change. */
export type Outcome = {
  readonly verification: { readonly result: string; readonly checks: readonly Check[] };
  readonly replay: Pick<ReplayReport, "result" | "levels" | "counts" | "executions" | "divergence">;
};

/** One recording of a folder and what is known of it. */
export type History = {
  readonly sha256: string;
  readonly trust: string;
  readonly outcome: Outcome;
};

/** A folder's `expected.json`: every recording by name. */
export type Expected = { readonly [name: string]: History };

const checksOf = ({ checks }: VerificationReport): Check[] =>
  checks.map(({ id, state, code }) => [id, state, code ?? null]);

/** Verifies a recording and replays it. */
export async function outcomeOf(bytes: Uint8Array, trust: Trust, sandbox: SandboxHost): Promise<Outcome> {
  const verified = verifyBundle(bytes, { trust });
  const { result, levels, counts, executions, divergence } = await new ReplayEngine({
    trust,
    sandbox,
  }).replayBundle(bytes);
  return {
    verification: { result: verified.result, checks: checksOf(verified) },
    replay: { result, levels, counts, executions, divergence },
  };
}

/** A later build may make more checks, as long as nothing they say is worse than a pass. */
export function withoutNewChecks(found: Outcome, known: Outcome): Outcome {
  const { result, checks } = found.verification;
  const ids = new Set(known.verification.checks.map(([id]) => id));
  const kept = checks.filter(([id, state]) => ids.has(id) || (state !== "pass" && state !== "not_applicable"));
  return { verification: { result, checks: kept }, replay: found.replay };
}

/** Reads a folder's `expected.json`; empty where there is none. */
export function readExpected(folder: string): Expected {
  const file = join(folder, "expected.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Expected) : {};
}

/** A recording's bytes and trust file. */
export function readHistory(folder: string, name: string, { trust }: History): { bytes: Uint8Array; trust: Trust } {
  return {
    bytes: new Uint8Array(readFileSync(join(folder, `${name}.proof.json`))),
    trust: trustSchema.parse(JSON.parse(readFileSync(join(folder, trust), "utf8"))),
  };
}

/** What a recording's statement says of it. */
export function predicateOf(bytes: Uint8Array): Predicate {
  const { envelope } = JSON.parse(new TextDecoder().decode(bytes)) as { envelope: { payload: string } };
  return (JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Statement).predicate;
}

/** Adds recordings that a folder does not have, with what they come to now. What is there is never written again. */
export async function addRecordings(
  folder: string,
  { trust, recordings }: Recordings,
  sandbox: SandboxHost,
): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const known = readExpected(folder);
  const added: { [name: string]: History } = {};
  const trustBytes = canonicalize(trust);
  const trustFile = `trust-${sha256Hex(trustBytes).slice(0, 8)}.json`;
  for (const { name, bytes } of recordings) {
    if (Object.hasOwn(known, name)) continue;
    if (!existsSync(join(folder, trustFile))) writeFileSync(join(folder, trustFile), trustBytes, { flag: "wx" });
    writeFileSync(join(folder, `${name}.proof.json`), bytes, { flag: "wx" });
    added[name] = { sha256: sha256Hex(bytes), trust: trustFile, outcome: await outcomeOf(bytes, trust, sandbox) };
  }
  if (Object.keys(added).length > 0) {
    const lines = Object.entries({ ...known, ...added }).map(
      ([name, history]) => `${JSON.stringify(name)}:${JSON.stringify(history)}`,
    );
    writeFileSync(join(folder, "expected.json"), `{\n${lines.join(",\n")}\n}\n`);
  }
  return Object.keys(added);
}

/** Every way a run can end that a bundle records as such; `in_doubt` ends as a resolution. */
const statuses = executionStatuses.filter((status) => status !== "in_doubt");
const ends = ["intent_denied", "execution_completed", "execution_failed", "execution_resolved"];

/** What histories of these revisions lack: the folder, a shipped executor that completed, a status, an end. */
export function missingOf(revisions: Predicate["revisions"], executors: readonly string[]): string[] {
  const folder = join(historiesFolder, folderOf(revisions));
  const expected = readExpected(folder);
  const predicates = Object.entries(expected).map(([name, history]) =>
    predicateOf(readHistory(folder, name, history).bytes),
  );
  const runs = predicates.flatMap(({ execution }) => (execution === undefined ? [] : [execution]));
  const ran = new Set(Object.keys(expected).filter((name) => completed(expected[name])));
  const found = new Set<string>([
    ...runs.map(({ status }) => status),
    ...predicates.flatMap(({ events }) => events.map(({ eventType }) => eventType)),
  ]);
  return [
    ...[...statuses, ...ends, "approval_granted", "approval_denied", "approval_expired"].filter(
      (one) => !found.has(one),
    ),
    ...executors.filter((executor) => ![...ran].some((name) => name === executor || name.startsWith(`${executor}-`))),
  ];
}

const completed = (history: History | undefined): boolean =>
  history?.outcome.replay.executions[0]?.recorded.status === "completed";

/** The executors that are shipped: each has its manifest beside its module. The one that never ends is no use. */
export function shippedExecutors(): string[] {
  const folder = fileURLToPath(new URL("../../plugins/", import.meta.url));
  const names = readdirSync(folder).filter((name) => name.endsWith(".wasm"));
  return names.map((name) => name.slice(0, -".wasm".length)).filter((name) => name !== "spin");
}
