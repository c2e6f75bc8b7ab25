import { canonicalize } from "../canonical/jcs.js";
import { createVoucher } from "../capabilities/performers/counterparties/voucher.js";
import { createFsPerformers } from "../capabilities/performers/fs/files.js";
import { createClockPerformer, createLogPerformer, createRandomPerformer } from "../capabilities/performers/local.js";
import type { HttpConfig, SandboxConfig } from "../contracts/config.js";
import type { Counterparty } from "../contracts/counterparty.js";
import { type Envelope, payloadTypes, signEnvelope } from "../contracts/dsse.js";
import type { ManifestDraft } from "../contracts/manifest.js";
import { resolveManifest } from "../contracts/manifest-draft.js";
import type { AnyPolicy } from "../contracts/policy-cedar.js";
import type { Refusal } from "../errors.js";
import { openLedger } from "../log/ledger.js";
import type { Ledger } from "../log/ledger-types.js";
import { ProxyPipeline } from "../pipeline/proxy-pipeline.js";
import type { Deployment, Governor, ShadowPolicy } from "../pipeline/types.js";
import type { Notifier, SandboxHost, Signer, Store } from "../ports.js";
import { loadCedar } from "./cedar.js";
import { openHttp } from "./http.js";
import { NoticeDesk } from "./notice-desk.js";
import { openSandbox } from "./sandbox.js";
import { openSecretDesk, type SecretParts } from "./secrets.js";
import type { World } from "./system.js";

/** A plugin as it was found: module and manifest draft, or why it cannot be used. */
export type PluginSource =
  | {
      readonly name: string;
      readonly wasm: Uint8Array;
      readonly manifest: ManifestDraft;
      /** The resolved manifest as its publisher signed it. */
      readonly signed?: Envelope;
    }
  | { readonly name: string; readonly problem: Refusal };

/** What a runtime is put together from, however it was configured. */
export type CoreParts = {
  readonly world: World;
  readonly store: Store;
  readonly origin: string;
  /** Keys that signed for this log before. */
  readonly formerVkeys?: readonly string[];
  readonly signers: { readonly runtime: Signer; readonly log: Signer };
  readonly saltKey: Uint8Array;
  readonly deployment: Deployment;
  readonly roots: Readonly<Record<string, { readonly path: string; readonly access: "read" | "write" }>>;
  readonly governor: Governor;
  readonly sandbox: SandboxConfig;
  readonly http: HttpConfig;
  readonly secrets: SecretParts;
  readonly counterparties: readonly Counterparty[];
  /** The candidate that is asked beside the policy in force. */
  readonly shadow?: ShadowPolicy | undefined;
  /** Takes notices to people, where the caller gave no notifier of its own. */
  readonly notifier?: Notifier | undefined;
  /** Checks the store against what was published before, then is told of every checkpoint. */
  readonly onLedger?: (ledger: Ledger) => Ledger;
};

/** The parts that are open while a runtime runs. */
export type Core = {
  readonly pipeline: ProxyPipeline;
  readonly ledger: Ledger;
  readonly sandbox: SandboxHost;
  close(): Promise<void>;
};

/** Opens ledger, sandbox and pipeline over a store, as its only writer. */
export async function openCore(parts: CoreParts): Promise<Core> {
  const { world, store, signers, deployment } = parts;
  const desk = await openSecretDesk(parts.secrets, world.logger);
  const { trust } = deployment;
  const voucher = createVoucher({ counterparties: parts.counterparties, trust, clock: world.clock });
  const http = await openHttp(parts.http, { resolve: world.resolver, desk, voucher });
  const epoch = await store.acquire();
  const { origin, formerVkeys = [] } = parts;
  const opened = await openLedger({ store, epoch, origin, signer: signers.log, formerVkeys });
  const ledger = parts.onLedger?.(opened) ?? opened;
  const sandbox = await openSandbox(parts.sandbox, world.logger);
  const performers = {
    ...createClockPerformer(world.clock),
    ...createRandomPerformer(world.entropy),
    ...createLogPerformer(world.logger),
    ...createFsPerformers(parts.roots),
    ...http,
  };
  // The environment stays behind.
  const { env: _env, notifier: own, ...ports } = world;
  const notifier = own ?? parts.notifier;
  const { clock, entropy, logger } = world;
  const notices = notifier && new NoticeDesk({ notifier, store, ledger, clock, entropy, logger });
  const pipeline = new ProxyPipeline({
    ...ports,
    store,
    ledger,
    sandbox,
    performers,
    signer: signers.runtime,
    logPublicKey: signers.log.publicKey,
    saltKey: parts.saltKey,
    deployment,
    governor: parts.governor,
    notices,
    shadow: parts.shadow,
    cedar: loadCedar,
  });
  notices?.start();
  const close = async (): Promise<void> => {
    await pipeline.idle();
    await notices?.close();
    await sandbox.close();
    await ledger.close();
    await store.close();
  };
  return { pipeline, ledger, sandbox, close };
}

/** Admits plugins one by one; a bad one is registered as refused and stops no other. */
export async function addPlugins(
  pipeline: ProxyPipeline,
  plugins: readonly PluginSource[],
  world: World,
): Promise<void> {
  for (const plugin of plugins) tellRefused(plugin.name, await addPlugin(pipeline, plugin), world);
}

function tellRefused(name: string, refused: Refusal | null, { logger }: World): void {
  if (refused !== null) logger.log("warn", `plugin ${name} was refused: ${refused.code}: ${refused.message}`);
}

/** Carries a change of the plugins folder over to the pipeline: a new plugin takes the place of the one of its name. */
export async function changePlugin(
  pipeline: ProxyPipeline,
  { name, plugin }: { readonly name: string; readonly plugin: PluginSource | null },
  world: World,
): Promise<void> {
  if (plugin === null) {
    pipeline.removeExecutor(name);
    world.logger.log("info", `plugin ${name} was taken away`);
    return;
  }
  const refused = await addPlugin(pipeline, plugin);
  if (refused === null) world.logger.log("info", `plugin ${name} was admitted`);
  tellRefused(name, refused, world);
}

async function addPlugin(pipeline: ProxyPipeline, plugin: PluginSource): Promise<Refusal | null> {
  if ("problem" in plugin) {
    pipeline.refuseExecutor(plugin.name, plugin.problem);
    return plugin.problem;
  }
  const manifest = resolveManifest(plugin.manifest, plugin.wasm);
  if (!manifest.ok) {
    pipeline.refuseExecutor(plugin.name, manifest.error);
    return manifest.error;
  }
  const added = await pipeline.addExecutor(manifest.value, plugin.wasm, plugin.signed);
  return added.ok ? null : added.error;
}

/** Signs a resolved policy as its author. */
export async function signPolicy(policy: AnyPolicy, author: Signer): Promise<Envelope> {
  return await signEnvelope(payloadTypes.policy, canonicalize(policy), author);
}
