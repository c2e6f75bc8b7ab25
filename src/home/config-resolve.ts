import { resolve } from "node:path";
import { pointerOf } from "../contracts/common.js";
import {
  type Config,
  configSchema,
  type HttpConfig,
  type NotifyConfig,
  type SandboxConfig,
  type WitnessConfig,
} from "../contracts/config.js";
import type { Counterparty } from "../contracts/counterparty.js";
import type { Features } from "../contracts/features.js";
import type { Constraints } from "../contracts/manifest.js";
import type { SafetyConfig } from "../contracts/safety.js";
import type { ConfiguredSecret } from "../contracts/secret.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { defaultSafetyConfig } from "../safety/gate.js";
import type { DocumentKind } from "./document.js";
import type { HomePaths } from "./paths.js";

/** A root directory: its absolute path and whether executors may change what is in it. */
export type Root = { readonly path: string; readonly access: "read" | "write" };

/** A signer program: its path is absolute, or a bare name that is looked for on PATH. */
export type ResolvedSigner = {
  readonly command: readonly string[];
  /** Raw 32 bytes. */
  readonly publicKey?: Uint8Array;
  /** Names of variables it gets beside the usual ones. */
  readonly env: readonly string[];
  readonly timeoutMs: number;
};

/** Signer programs by role. */
export type ResolvedSigners = { readonly runtime?: ResolvedSigner; readonly log?: ResolvedSigner };

/** config.json with its defaults filled in (spec/home.md). */
export type ResolvedConfig = {
  readonly tenantId: string;
  readonly cellId: string;
  /** Every tenant of the cell, `tenantId` first. */
  readonly tenants: readonly string[];
  /** Root directories by alias. */
  readonly roots: Readonly<Record<string, Root>>;
  /** Constraints by executor, then by capability. */
  readonly grants: Readonly<Record<string, Readonly<Record<string, Constraints>>>>;
  readonly safety: SafetyConfig;
  /** Refuse executors without a publisher's signature. */
  readonly requireSignatures: boolean;
  readonly sandbox: SandboxConfig;
  /** `caFile` is absolute. */
  readonly http: HttpConfig;
  readonly secrets: Readonly<Record<string, ConfiguredSecret>>;
  readonly counterparties: readonly Counterparty[];
  /** Whom the runtime tells that people are needed; null for nobody. */
  readonly notify: NotifyConfig | null;
  readonly signers: ResolvedSigners;
  /** The candidate of shadow mode, an absolute path; null for none. */
  readonly shadowFile: string | null;
  readonly witnesses: readonly WitnessConfig[];
  readonly features: Features;
};

/** config.json as a document. */
export const configKind: DocumentKind<Config> = { schema: configSchema, version: "exoarmur.config/v1" };

/**
 * Fills in a configuration's defaults and makes its paths absolute, relative to the folder that holds the home.
 * EXO_SCHEMA when a grant names a root or secret that is not configured.
 */
export function resolveConfig(config: Config, paths: HomePaths): ResolvedConfig {
  const roots: Record<string, Root> = {};
  for (const [alias, { path, access }] of Object.entries(config.roots)) {
    if (path.includes("\0")) throw wrong(paths, `/roots/${alias}/path`, "expected a path without a NUL character");
    roots[alias] = { path: resolve(paths.base, path), access };
  }
  const sources = config.safety?.sources ?? {};
  const defaults = defaultSafetyConfig.sources;
  const { runs, fuel } = config.safety?.budgets ?? {};
  return {
    tenantId: config.tenantId,
    cellId: config.cellId,
    tenants: [...new Set([config.tenantId, ...(config.tenants ?? [])])],
    roots,
    grants: resolveGrants(config, paths),
    safety: {
      schema: defaultSafetyConfig.schema,
      sources: {
        trustScore: sources.trustScore ?? defaults.trustScore,
        cellLoad: sources.cellLoad ?? defaults.cellLoad,
        networkHealth: sources.networkHealth ?? defaults.networkHealth,
      },
      budgets: {
        ...defaultSafetyConfig.budgets,
        ...(runs === undefined ? {} : { runs }),
        ...(fuel === undefined ? {} : { fuel }),
      },
    },
    requireSignatures: config.plugins?.requireSignatures ?? false,
    sandbox: config.sandbox ?? {},
    http: resolveHttp(config, paths),
    secrets: config.secrets ?? {},
    counterparties: config.counterparties ?? [],
    notify: config.notify ?? null,
    signers: resolveSigners(config, paths),
    shadowFile: resolveShadow(config, paths),
    witnesses: config.witnesses ?? [],
    features: config.features,
  };
}

function resolveHttp({ http = {} }: Config, paths: HomePaths): HttpConfig {
  if (http.caFile === undefined) return http;
  if (http.caFile.includes("\0")) throw wrong(paths, "/http/caFile", "expected a path without a NUL character");
  return { ...http, caFile: resolve(paths.base, http.caFile) };
}

function resolveShadow({ shadow }: Config, paths: HomePaths): string | null {
  if (shadow === undefined) return null;
  if (shadow.policy.includes("\0")) throw wrong(paths, "/shadow/policy", "expected a path without a NUL character");
  return resolve(paths.base, shadow.policy);
}

function resolveSigners({ signers = {} }: Config, paths: HomePaths): ResolvedSigners {
  const resolved: { runtime?: ResolvedSigner; log?: ResolvedSigner } = {};
  for (const role of ["runtime", "log"] as const) {
    const signer = signers[role];
    if (signer === undefined) continue;
    const [program = "", ...args] = signer.command;
    const publicKey = decodeBase64(signer.publicKey ?? "");
    resolved[role] = {
      command: [/[/\\]/.test(program) ? resolve(paths.base, program) : program, ...args],
      env: signer.env ?? [],
      timeoutMs: signer.timeoutMs ?? 10_000,
      ...(signer.publicKey === undefined || publicKey === undefined ? {} : { publicKey }),
    };
  }
  return resolved;
}

function resolveGrants(config: Config, paths: HomePaths): Record<string, Record<string, Constraints>> {
  const grants: Record<string, Record<string, Constraints>> = {};
  for (const [executor, capabilities] of Object.entries(config.grants)) {
    const granted: Record<string, Constraints> = {};
    for (const [capability, constraints] of Object.entries(capabilities)) {
      if (constraints === undefined) continue;
      for (const member of ["roots", "secrets"] as const) {
        const configured = config[member] ?? {};
        for (const [index, name] of (constraints[member] ?? []).entries()) {
          if (Object.hasOwn(configured, name)) continue;
          const known = Object.keys(configured).join(", ") || "none";
          const pointer = pointerOf(["grants", executor, capability, member, index]);
          throw wrong(paths, pointer, `expected a name under /${member} (${known}), got ${JSON.stringify(name)}`);
        }
      }
      granted[capability] = constraints;
    }
    grants[executor] = granted;
  }
  return grants;
}

function wrong({ config }: HomePaths, pointer: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_SCHEMA", `${config}: ${pointer}: ${what}`, { file: config, pointer });
}
