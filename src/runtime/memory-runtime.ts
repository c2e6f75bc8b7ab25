import { parseContract } from "../contracts/common.js";
import { type HttpConfig, httpConfigSchema, type SandboxConfig, sandboxSchema } from "../contracts/config.js";
import { type Counterparty, counterpartiesSchema } from "../contracts/counterparty.js";
import type { Envelope } from "../contracts/dsse.js";
import { type Features, featuresSchema } from "../contracts/features.js";
import type { CapabilityName } from "../contracts/imports.js";
import { type Constraints, type ManifestDraft, manifestDraftSchema } from "../contracts/manifest.js";
import { type AnyPolicy, anyPolicySchema } from "../contracts/policy-cedar.js";
import type { SafetyConfig } from "../contracts/safety.js";
import { type SecretBinding, secretBindingsSchema } from "../contracts/secret.js";
import { type Trust, trustSchema } from "../contracts/trust.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { formatVkey, noteKey } from "../crypto/note-key.js";
import { signerFromSeed } from "../crypto/signer.js";
import { shadowPolicy } from "../pipeline/shadow.js";
import { loadProgram } from "../policy/program.js";
import type { Signer, Store, Vault } from "../ports.js";
import { defaultSafetyConfig } from "../safety/gate.js";
import { loadCedar } from "./cedar.js";
import { addPlugins, type Core, openCore, signPolicy } from "./core.js";
import { safetyUnder } from "./features.js";
import { startSweep } from "./sweep.js";
import type { World } from "./system.js";

/** Private keys of a runtime without a home. Whatever is left out is made anew and lives as long as the runtime. */
export type RuntimeKeys = {
  readonly runtime?: Signer;
  readonly log?: Signer;
  readonly policyAuthor?: Signer;
  /** 32 bytes that salts are derived from. */
  readonly saltKey?: Uint8Array;
};

/** A runtime put together from parts, without a home. */
export type RuntimeParts = {
  readonly store: Store;
  readonly policy: AnyPolicy;
  readonly plugins: readonly {
    readonly wasm: Uint8Array;
    readonly manifest: ManifestDraft;
    /** The resolved manifest as its publisher signed it. */
    readonly signed?: Envelope;
  }[];
  /** Refuse plugins without a signature of a publisher in `trust`. Default false. */
  readonly requireSignatures?: boolean;
  /** Directories executors may be granted, by alias; paths are absolute. Default: none. */
  readonly roots?: Readonly<Record<string, { readonly path: string; readonly access: "read" | "write" }>>;
  /** Constraints by executor name and capability. Default: none, which grants nothing but `log`. */
  readonly grants?: Readonly<Record<string, Readonly<Partial<Record<CapabilityName, Constraints>>>>>;
  readonly keys?: RuntimeKeys;
  /** Further trusted keys, such as approvers and operators. The runtime's own are added. */
  readonly trust?: Pick<Trust, "keys">;
  readonly safety?: SafetyConfig;
  /** Feature flags, as in config.json. The environment comes first. */
  readonly features?: Features;
  readonly tenantId?: string;
  readonly cellId?: string;
  /** How executors are run: in threads or child processes, how many, and how much may wait. */
  readonly sandbox?: SandboxConfig;
  /** How `http_request` reaches the world. Default: the system's DNS and the authorities Node.js comes with. */
  readonly http?: HttpConfig;
  /** Where each secret may go, by name. Default: none. */
  readonly secrets?: Readonly<Record<string, SecretBinding>>;
  /** Keeps the values of `secrets`. */
  readonly vault?: Vault;
  /** Who signs the answers of which origin; their keys are in `trust`, of the role counterparty. Default: nobody. */
  readonly counterparties?: readonly Counterparty[];
  /** A candidate that is asked beside `policy`, recorded and never obeyed (spec/what-if.md, Shadow mode). */
  readonly shadow?: { readonly policy: AnyPolicy };
};

/** The parts of a runtime without a home, and the trust document that verifies its bundles. */
export type MemoryCore = Core & { readonly store: Store; readonly trust: Trust; readonly inDoubt: readonly string[] };

/** Opens a runtime from parts. EXO_FLAG; EXO_SCHEMA for a malformed policy, manifest or trust. */
export async function openPartsCore(parts: RuntimeParts, world: World): Promise<MemoryCore> {
  const features = parseContract(featuresSchema, parts.features ?? {}, "features");
  const safety = safetyUnder(parts.safety ?? defaultSafetyConfig, world.env, features);
  const cellId = parts.cellId ?? "local";
  const tenantId = parts.tenantId ?? "default";
  const made = (): Signer => signerFromSeed(world.entropy.bytes(32));
  const { runtime = made(), log = made(), policyAuthor = made(), saltKey = world.entropy.bytes(32) } = parts.keys ?? {};
  const policy = parseContract(anyPolicySchema, parts.policy, "policy");
  await loadProgram(policy, loadCedar);
  const candidate = parts.shadow && parseContract(anyPolicySchema, parts.shadow.policy, "shadow policy");
  const shadow = candidate && shadowPolicy(candidate);
  const origin = `exoarmur/${cellId}/${log.keyId.slice(0, 16)}`;
  const own = [
    { role: "runtime", id: "runtime", signer: runtime },
    { role: "log", id: "log", signer: log },
    { role: "policy-author", id: "author", signer: policyAuthor },
  ] as const;
  const trust: Trust = parseContract(
    trustSchema,
    {
      schema: "exoarmur.trust/v1",
      logs: [{ origin, vkey: formatVkey(noteKey(origin, log.publicKey)) }],
      keys: [
        ...own.map(({ role, id, signer }) => ({
          role,
          id,
          publicKey: encodeBase64(signer.publicKey),
          from: null,
          until: null,
        })),
        ...(parts.trust?.keys ?? []),
      ],
      witnesses: { threshold: 0, vkeys: [] },
    },
    "trust",
  );
  const core = await openCore({
    world,
    store: parts.store,
    origin,
    signers: { runtime, log },
    saltKey,
    deployment: {
      cellId,
      defaultTenant: tenantId,
      tenants: [tenantId],
      grants: parts.grants ?? {},
      safety,
      trust,
      requireSignatures: parts.requireSignatures ?? false,
    },
    roots: parts.roots ?? {},
    governor: { killed: () => false, takeOrders: () => Promise.resolve() },
    sandbox: parseContract(sandboxSchema, parts.sandbox ?? {}, "sandbox"),
    http: parseContract(httpConfigSchema, parts.http ?? {}, "http"),
    counterparties: parseContract(counterpartiesSchema, parts.counterparties ?? [], "counterparties"),
    shadow,
    secrets: {
      secrets: parseContract(secretBindingsSchema, parts.secrets ?? {}, "secrets"),
      vault: parts.vault ?? { get: () => Promise.resolve(undefined) },
    },
  });
  const inDoubt = await core.pipeline.open();
  await core.pipeline.activatePolicy(await signPolicy(policy, policyAuthor));
  const plugins = parts.plugins.map(({ wasm, manifest, signed }) => {
    const draft = parseContract(manifestDraftSchema, manifest, "manifest");
    return { name: draft.name, wasm: wasm.slice(), manifest: draft, ...(signed === undefined ? {} : { signed }) };
  });
  await addPlugins(core.pipeline, plugins, world);
  // Expiry is judged when somebody decides; only a start needs somebody to look.
  const stopSweep = startSweep(core.pipeline, world.logger, ["held"]);
  const close = async (): Promise<void> => {
    await stopSweep();
    await core.close();
  };
  return { ...core, close, store: parts.store, trust, inDoubt };
}
