import { digestOf } from "../canonical/digest.js";
import { ok, type Result, refuse } from "../errors.js";
import { pointerOf } from "./common.js";
import { defaultLimits, type ExecutorManifest, type ManifestDraft, manifestSchema } from "./manifest.js";

/**
 * Fills in what a manifest's author left out (spec/contracts.md, ExecutorManifest): the digest of the module, input
 * `parameters`, output `json`, effects `none`, no capabilities, the default limits. `wasm` is the module as it was
 * built. Refuses with EXO_PLUGIN_DIGEST when the draft states another digest, EXO_SCHEMA when the whole is no manifest.
 */
export function resolveManifest(draft: ManifestDraft, wasm: Uint8Array): Result<ExecutorManifest> {
  const digest = digestOf(wasm);
  if (draft.wasm !== undefined && draft.wasm.digest !== digest) {
    return refuse("EXO_PLUGIN_DIGEST", `${draft.name}: expected a module with ${draft.wasm.digest}, got ${digest}`);
  }
  const manifest = {
    schema: draft.schema,
    name: draft.name,
    version: draft.version,
    wasm: { digest },
    functions: draft.functions.map((fn) =>
      withoutUndefined({
        ...fn,
        input: fn.input ?? "parameters",
        output: fn.output ?? "json",
        effects: fn.effects ?? "none",
      }),
    ),
    capabilities: draft.capabilities ?? [],
    limits: { ...defaultLimits, ...withoutUndefined(draft.limits ?? {}) },
    ...(draft.publisher === undefined ? {} : { publisher: draft.publisher }),
  };
  const parsed = manifestSchema.safeParse(manifest);
  if (parsed.success) return ok(parsed.data);
  const lines = parsed.error.issues.slice(0, 8).map((issue) => `${pointerOf(issue.path) || "/"}: ${issue.message}`);
  return refuse("EXO_SCHEMA", `${draft.name}: ${lines.join("; ")}`);
}

/** Members that are present but undefined have no canonical form. */
function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
