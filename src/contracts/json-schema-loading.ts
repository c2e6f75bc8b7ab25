import { ExoArmurError } from "../errors.js";
import type { ExecutorManifest, ManifestFunction } from "./manifest.js";

/** The checks of parameters and outputs (json-schema-check.ts). */
type SchemaChecks = Pick<typeof import("./json-schema-check.js"), "checkInput" | "checkOutput">;

let loaded: SchemaChecks | undefined;

/** Loads what checks schemas, if the manifest has any: whoever has none needs no validator. */
export async function loadSchemaChecks(manifest: ExecutorManifest): Promise<void> {
  if (manifest.functions.some(hasSchema)) loaded ??= await import("./json-schema-check.js");
}

/** The checks of a function's schemas, undefined when it has none. Throws EXO_INTERNAL when they were not loaded. */
export function schemaChecksOf(fn: ManifestFunction): SchemaChecks | undefined {
  if (!hasSchema(fn)) return undefined;
  if (loaded === undefined) throw new ExoArmurError("EXO_INTERNAL", `the schemas of ${fn.action} were not loaded`);
  return loaded;
}

function hasSchema(fn: ManifestFunction): boolean {
  return fn.inputSchema !== undefined || fn.outputSchema !== undefined;
}
