import { readFileSync } from "node:fs";
import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import { advance, endStates, type IntentState, restingStates } from "../../src/contracts/lifecycle.js";
import { type ManifestDraft, manifestDraftSchema } from "../../src/contracts/manifest.js";
import { resolveManifest } from "../../src/contracts/manifest-draft.js";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import type { SafetyConfig } from "../../src/contracts/safety.js";
import type { Trust, TrustedKey } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import type { Result } from "../../src/errors.js";
import { auditTree } from "../../src/log/audit.js";
import { type Ledger, openLedger } from "../../src/log/ledger.js";
import { type IntentRecord, readState } from "../../src/pipeline/documents.js";
import { ProxyPipeline } from "../../src/pipeline/proxy-pipeline.js";
import { intentKeys } from "../../src/pipeline/store-keys.js";
import type { Deployment, ExecutionResult, PipelinePorts, ShadowPolicy } from "../../src/pipeline/types.js";
import type { LoadCedar } from "../../src/policy/program.js";
import type { Logger, SandboxHost, Signer, Store, StoreReader } from "../../src/ports.js";
import { defaultSafetyConfig } from "../../src/safety/gate.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { FakeDisk, FakeSandbox } from "./fake-sandbox.js";
import { keys, origin, seededEntropy, seededIds, type TestClock, testClock, trustOf, usualKeys } from "./world.js";

/** Reads a file of the repository. */
export function repositoryFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
}

/** A plugin as rigs take it. */
export type Plugin = {
  readonly manifest: ManifestDraft;
  readonly wasm: Uint8Array;
  /** The resolved manifest as a publisher signed it. */
  readonly signed?: Envelope;
};

/** A plugin whose manifest names a publisher, signed by a key. */
export async function signedPlugin({ manifest, wasm }: Plugin, signer: Signer, publisher = "acme"): Promise<Plugin> {
  const draft = { ...manifest, publisher };
  const resolved = resolveManifest(draft, wasm);
  if (!resolved.ok) throw new Error(resolved.error.message);
  const signed = await signEnvelope(payloadTypes.manifest, canonicalize(resolved.value), signer);
  return { manifest: draft, wasm, signed };
}

/** A plugin of the repository: `plugins/fs`, `test/fixtures/loop`. `change` edits its manifest. */
export function pluginAt(path: string, change: (draft: ManifestDraft) => ManifestDraft = (draft) => draft): Plugin {
  const text = new TextDecoder().decode(repositoryFile(`${path}.json`));
  return { manifest: change(manifestDraftSchema.parse(JSON.parse(text))), wasm: repositoryFile(`${path}.wasm`) };
}

/** The least module that exports these functions, `() -> i32`. Scripts stand in for what it does. */
export function stubModule(names: readonly string[], filler = 0): Uint8Array {
  const text = (name: string): number[] => [name.length, ...encodeUtf8(name)];
  const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];
  const count = names.length;
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 0, 1, 0x7f]),
    ...section(3, [count, ...names.map(() => 0)]),
    ...section(7, [count, ...names.flatMap((name, index) => [...text(name), 0x00, index])]),
    ...section(10, [count, ...names.flatMap(() => [4, 0, 0x41, filler, 0x0b])]),
  ]);
}

/** The manifest of plugins/fs over a stub that is sealed in no time, with effect keys where asked for. */
export function fsPlugin(options: { effectKey?: string[]; version?: string; filler?: number } = {}): Plugin {
  const { manifest } = pluginAt("plugins/fs", (draft) => ({
    ...draft,
    version: options.version ?? draft.version,
    functions: draft.functions.map((fn) =>
      fn.effects === "write" && options.effectKey !== undefined ? { ...fn, effectKey: options.effectKey } : fn,
    ),
  }));
  const names = manifest.functions.map((fn) => fn.name);
  return { manifest, wasm: stubModule(names, options.filler) };
}

export const usualRules: readonly PolicyRule[] = [
  { id: "allow-read", match: { action: "fs.read", target: { under: "data" } }, verdict: "allow" },
  { id: "allow-write", match: { action: "fs.write", target: { under: "data" } }, verdict: "allow" },
  {
    id: "remove-needs-a-person",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    obligations: { approvals: 1, roles: ["approver"], narrow: { fs_remove: { paths: ["{target}"] } } },
  },
  { id: "defer-list", match: { action: "fs.list" }, verdict: "defer" },
];

/** A policy of the tests. */
export function policyOf(rules: readonly PolicyRule[], version = 1): PolicyDocument {
  return { schema: "exoarmur.policy/v1", policyId: "test", version, rules: [...rules] };
}

const fsGrants: Deployment["grants"] = {
  fs: {
    fs_read: { roots: ["data"] },
    fs_write: { roots: ["data"] },
    fs_list: { roots: ["data"] },
    fs_remove: { roots: ["data"] },
  },
};

export type RigOptions = {
  readonly store?: Store;
  readonly clock?: TestClock;
  /** Seed of ids and entropy. A restart over the same store needs another one, as a new process has. */
  readonly seed?: string;
  readonly disk?: FakeDisk;
  readonly sandbox?: SandboxHost;
  readonly rules?: readonly PolicyRule[];
  readonly policyVersion?: number;
  readonly author?: Signer;
  readonly plugins?: readonly Plugin[];
  readonly grants?: Deployment["grants"];
  readonly safety?: SafetyConfig;
  readonly trustKeys?: readonly TrustedKey[];
  readonly tenants?: readonly string[];
  readonly requireSignatures?: boolean;
  readonly performers?: PipelinePorts["performers"];
  readonly logger?: Logger;
  readonly shadow?: ShadowPolicy;
  readonly cedar?: LoadCedar;
  /** Default: the keys of the test world, in this process. */
  readonly signers?: { readonly runtime?: Signer; readonly log?: Signer };
};

/** A pipeline over test ports, and what the tests look at. */
export type Rig = {
  readonly pipeline: ProxyPipeline;
  readonly ledger: Ledger;
  readonly store: Store;
  readonly clock: TestClock;
  readonly disk: FakeDisk;
  readonly sandbox: FakeSandbox;
  readonly trust: Trust;
  readonly inDoubt: readonly string[];
  /** Stands for the KILL file and the inbox. */
  readonly governor: { killFile: boolean; takeOrders: () => Promise<void> };
  activate(rules: readonly PolicyRule[], version: number, author?: Signer): Promise<void>;
  add(plugin: Plugin): Promise<Result<void>>;
};

/** Opens a pipeline over a store, as a process does. Everything is fixed but what the options change. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const clock = options.clock ?? testClock();
  const seed = options.seed ?? "seed";
  const store = options.store ?? createMemoryStore();
  const disk = options.disk ?? new FakeDisk();
  const sandbox = options.sandbox ?? new FakeSandbox();
  const trust = trustOf(options.trustKeys ?? usualKeys);
  const epoch = await store.acquire();
  const ledger = await openLedger({ store, epoch, origin, signer: options.signers?.log ?? keys.log });
  const governor = { killFile: false, takeOrders: () => Promise.resolve() };
  const pipeline = new ProxyPipeline({
    clock,
    ids: seededIds(clock, seed),
    entropy: seededEntropy(`entropy/${seed}`),
    logger: options.logger ?? { log: () => undefined },
    store,
    ledger,
    sandbox,
    performers: options.performers ?? disk.performers,
    signer: options.signers?.runtime ?? keys.runtime,
    logPublicKey: keys.log.publicKey,
    saltKey: sha256(encodeUtf8("salt key")),
    deployment: {
      cellId: "local",
      defaultTenant: "default",
      tenants: options.tenants ?? ["default", "other"],
      grants: options.grants ?? fsGrants,
      safety: options.safety ?? {
        ...defaultSafetyConfig,
        sources: { ...defaultSafetyConfig.sources, cellLoad: "off" },
      },
      trust,
      requireSignatures: options.requireSignatures ?? false,
    },
    shadow: options.shadow,
    governor: { killed: () => governor.killFile, takeOrders: () => governor.takeOrders() },
    ...(options.cedar === undefined ? {} : { cedar: options.cedar }),
  });
  const inDoubt = await pipeline.open();
  const activate: Rig["activate"] = async (rules, version, author = keys.author) => {
    const policy = policyOf(rules, version);
    await pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, canonicalize(policy), author));
  };
  const add: Rig["add"] = async ({ manifest, wasm, signed }) => {
    const resolved = resolveManifest(manifest, wasm);
    if (!resolved.ok) throw new Error(resolved.error.message);
    return await pipeline.addExecutor(resolved.value, wasm, signed);
  };
  await activate(options.rules ?? usualRules, options.policyVersion ?? 1, options.author);
  for (const plugin of options.plugins ?? [fsPlugin()]) await add(plugin);
  return {
    pipeline,
    ledger,
    store,
    clock,
    disk,
    sandbox: sandbox as FakeSandbox,
    trust,
    inDoubt,
    governor,
    activate,
    add,
  };
}

export const agent = { id: "report-agent", type: "agent" } as const;

/** An intent draft. */
export function draft(action: string, path: string, more: { readonly [name: string]: unknown } = {}): never {
  const { parameters, ...rest } = more as { parameters?: object };
  return { actor: agent, action, parameters: { path, ...parameters }, ...rest } as never;
}

/** State documents of all intents of a store. */
export function intentRecords(reader: StoreReader): IntentRecord[] {
  const found: IntentRecord[] = [];
  for (const [key] of reader.range(intentKeys.all)) {
    const record = readState<IntentRecord>(reader, key);
    if (record !== undefined) found.push(record);
  }
  return found;
}

/** Walks the lifecycle over events and gives the state they lead to. */
function stateOf(events: readonly Pick<CanonicalEvent, "eventType">[]): IntentState {
  let state: IntentState | "none" = "none";
  for (const { eventType } of events) {
    const next = advance(state, eventType);
    if (next === undefined) throw new Error(`${eventType} cannot follow ${state}`);
    state = next;
  }
  if (state === "none") throw new Error("no events");
  return state;
}

const terminal = ["intent_denied", "execution_completed", "execution_failed", "execution_resolved"];

/**
 * What must hold of any store at any time: the log's tree is whole, every intent rests in a resting state which is the
 * one its events lead to, has at most one terminal event, and exactly one bundle, which verifies, once it has ended.
 */
export function checkStore(rig: Pick<Rig, "pipeline" | "store" | "trust">): IntentRecord[] {
  const audit = auditTree(rig.store);
  if (!audit.ok) throw new Error(`log: ${audit.problems.join("; ")}`);
  const records = intentRecords(rig.store);
  for (const record of records) {
    const events = rig.pipeline.trace(record.intentId);
    const state = stateOf(events);
    if (state !== record.state)
      throw new Error(`${record.intentId}: events lead to ${state}, record is ${record.state}`);
    if (!restingStates.has(state)) throw new Error(`${record.intentId} rests in ${state}`);
    const ends = events.filter((event) => terminal.includes(event.eventType)).length;
    if (ends !== (endStates.has(state) ? 1 : 0)) throw new Error(`${record.intentId}: ${ends} terminal events`);
    const open = rig.store.get(intentKeys.open(record.intentId)) !== undefined;
    if (open === endStates.has(state)) throw new Error(`${record.intentId}: open is ${open} in ${state}`);
    const bundle = rig.pipeline.bundle(record.intentId);
    if ((bundle !== undefined) !== endStates.has(state)) throw new Error(`${record.intentId}: bundle in ${state}`);
    if (bundle !== undefined) verified(bundle.bytes(), rig.trust);
  }
  return records;
}

/** Throws unless a bundle passes every check of the verifier that applies. */
export function verified(bytes: Uint8Array, trust: Trust): void {
  const report = verifyBundle(bytes, { trust });
  if (report.result === "pass") return;
  const wrong = report.checks.filter((check) => check.state === "fail" || check.state === "unable");
  throw new Error(wrong.map((check) => `${check.id}: ${check.code ?? ""} ${check.message}`).join("\n"));
}

/** A result's status and reason code, as one word. */
export function endOf(result: ExecutionResult): string {
  return "reason" in result ? `${result.status} ${result.reason.code}` : result.status;
}

/** The approval request of a pending result. */
export function requestOf(
  result: ExecutionResult,
): Extract<ExecutionResult, { status: "approval_pending" }>["approval"] {
  if (result.status !== "approval_pending") throw new Error(`expected approval_pending, got ${endOf(result)}`);
  return result.approval;
}

/** Events of an intent by type. */
export function eventTypes(rig: Rig, intentId: string): string[] {
  return rig.pipeline.trace(intentId).map((event) => event.eventType);
}
