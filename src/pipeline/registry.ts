import { deepFreeze } from "../canonical/freeze.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import type { IntentDraft } from "../contracts/intent.js";
import { type ExecutorManifest, type ManifestFunction, manifestSchema, sealingOf } from "../contracts/manifest.js";
import { type Material, plainMaterial } from "../contracts/material.js";
import { ok, type Refusal, type Result, refuse } from "../errors.js";
import type { SealedModule } from "../wasm/seal.js";

/** An admitted executor: its documents as materials, and the module that runs. */
export type Executor = {
  readonly manifest: ExecutorManifest;
  readonly manifestMaterial: Material;
  readonly plugin: Material;
  readonly sealed: SealedModule;
  /** Absent for a plugin that nobody signed. */
  readonly signature?: PublisherSignature;
};

/** A publisher's signature on a manifest: the envelope, evidence of the admission, and the keys that signed. */
export type PublisherSignature = {
  readonly envelope: Material;
  readonly evidence: Material;
  readonly signers: readonly Uint8Array[];
};

/** An executor and the function of it that an action means. */
export type Resolved = { readonly executor: Executor; readonly fn: ManifestFunction };

/**
 * Admits a plugin under its manifest: digest, import allow-list, metering, and that every function named is exported.
 *
 * @param wasm exact bytes of the module
 * @throws ExoArmurError EXO_SCHEMA when the manifest is none
 */
export async function admitExecutor(given: ExecutorManifest, wasm: Uint8Array): Promise<Result<Executor>> {
  // Both are the caller's to change afterwards; what was admitted is not.
  const plugin = plainMaterial(wasm.slice());
  const manifestMaterial = plainMaterial(canonicalize(given));
  const manifest = deepFreeze(parseContract(manifestSchema, parseCanonical(manifestMaterial.bytes), "manifest"));
  if (manifest.wasm.digest !== plugin.digest) {
    return refuse(
      "EXO_PLUGIN_DIGEST",
      `${manifest.name}: the manifest names ${manifest.wasm.digest}, the module is ${plugin.digest}`,
    );
  }
  // Loaded with the first executor: importing the package needs no meter.
  const { sealModule } = await import("../wasm/seal.js");
  const sealed = sealModule(plugin.bytes, sealingOf(manifest));
  if (!sealed.ok) return refuse(sealed.error.code, `${manifest.name}: ${sealed.error.message}`);
  for (const fn of manifest.functions) {
    if (!sealed.value.exports.includes(fn.name)) {
      const found = sealed.value.exports.join(", ") || "none";
      return refuse(
        "EXO_WASM_EXPORT",
        `${manifest.name}: expected an exported function ${fn.name} of type () -> i32; exported are: ${found}`,
      );
    }
  }
  return ok({ manifest, manifestMaterial, plugin, sealed: sealed.value });
}

/** The executors of a runtime, and the ones that were refused. Later registrations of a name replace earlier ones. */
export class ExecutorRegistry {
  readonly #admitted = new Map<string, Executor>();
  readonly #refused = new Map<string, Refusal>();

  /** Registers an admitted executor under its manifest's name. */
  add(executor: Executor): void {
    this.#refused.delete(executor.manifest.name);
    this.#admitted.set(executor.manifest.name, executor);
  }

  /** Remembers why a plugin was refused, so that an intent that names it is told. */
  addRefused(name: string, refusal: Refusal): void {
    this.#admitted.delete(name);
    this.#refused.set(name, refusal);
  }

  /** Forgets a plugin: intents that name it find no executor. Runs that have started keep theirs. */
  remove(name: string): void {
    this.#admitted.delete(name);
    this.#refused.delete(name);
  }

  /** All admitted executors, by name. */
  list(): readonly Executor[] {
    return [...this.#admitted.values()].sort((a, b) => (a.manifest.name < b.manifest.name ? -1 : 1));
  }

  /** All refused plugins, by name. */
  listRefused(): readonly (readonly [name: string, refusal: Refusal])[] {
    return [...this.#refused];
  }

  /** True while this very executor is the one registered under its name. */
  holds(executor: Executor): boolean {
    return this.#admitted.get(executor.manifest.name) === executor;
  }

  /**
   * Finds the function an action means. EXO_EXECUTOR_UNKNOWN, EXO_EXECUTOR_AMBIGUOUS when two claim it and none is
   * named, EXO_PLUGIN_REFUSED when the named plugin was not admitted.
   */
  resolve(action: string, named: IntentDraft["executor"]): Result<Resolved> {
    const want = typeof named === "string" ? { name: named } : named;
    const refusal = want === undefined ? undefined : this.#refused.get(want.name);
    if (want !== undefined && refusal !== undefined) {
      return refuse(
        "EXO_PLUGIN_REFUSED",
        `the executor ${want.name} was not admitted: ${refusal.code}: ${refusal.message}`,
      );
    }
    const found: Resolved[] = [];
    for (const executor of this.list()) {
      if (want !== undefined && executor.manifest.name !== want.name) continue;
      for (const fn of executor.manifest.functions) {
        const sameName = want?.function === undefined || fn.name === want.function;
        if (fn.action === action && sameName) found.push({ executor, fn });
      }
    }
    const [first, second] = found;
    if (first === undefined) return this.#unknown(action, want?.name);
    if (second === undefined) return ok(first);
    const names = found.map(({ executor, fn }) => `${executor.manifest.name}/${fn.name}`).join(", ");
    return refuse("EXO_EXECUTOR_AMBIGUOUS", `${action} is claimed by ${names}; name one in executor`);
  }

  #unknown(action: string, name: string | undefined): Result<never> {
    const refused = [...this.#refused].map(([plugin, { code }]) => `${plugin} (${code})`);
    const hint = refused.length === 0 ? "" : `; not admitted: ${refused.join(", ")}`;
    const who = name === undefined ? "no executor" : `the executor ${name} does not exist or`;
    return refuse("EXO_EXECUTOR_UNKNOWN", `${who} claims the action ${action}${hint}`);
  }
}
