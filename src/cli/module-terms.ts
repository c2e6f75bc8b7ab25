import { basename } from "node:path";
import { type CapabilityName, capabilityNames, isCapabilityName } from "../contracts/imports.js";
import { defaultLimits, limitsSchema, type ManifestDraft, manifestDraftSchema } from "../contracts/manifest.js";
import { ExoArmurError } from "../errors.js";
import { parseDocument } from "../home/document.js";
import type { ModuleReport } from "../wasm/inspect.js";
import { structuralLimits } from "../wasm/limits.js";
import type { Reason } from "../wasm/reasons.js";
import { type Options, textOption, textsOption } from "./action.js";
import type { CliContext } from "./context.js";
import { inputName, inputs, readInput } from "./files.js";
import { formatCount } from "./output.js";

/** What a module is judged under. `capabilities` are those granted; caps in 64 KiB pages and in elements. */
export type ModuleTerms = {
  /** The manifest of `--manifest`. */
  readonly manifest: ManifestDraft | undefined;
  readonly capabilities: readonly CapabilityName[];
  readonly memoryPages: number;
  readonly tableElements: number;
};

const manifestKind = { schema: manifestDraftSchema, version: "exoarmur.executor/v1" };

/**
 * Reads `--manifest`, `--capability`, `--memory-pages` and `--table-elements`. Caps come from the option, then from the
 * manifest, then from its defaults; capabilities from manifest and options together. EXO_USAGE for a name or number that
 * is none; EXO_FILE, EXO_JSON_*, EXO_SCHEMA for the manifest.
 */
export async function readTerms(context: CliContext, options: Options): Promise<ModuleTerms> {
  const named = textsOption(options, "capability").map(checkCapability);
  const memoryPages = readCap(options, "memoryPages", "--memory-pages", structuralLimits.memoryPages);
  const tableElements = readCap(options, "tableElements", "--table-elements", structuralLimits.tableElements);
  const path = textOption(options, "manifest");
  const manifest =
    path === undefined
      ? undefined
      : await parseDocument(await readInput(context, path, inputs.document), inputName(path), manifestKind);
  return {
    manifest,
    capabilities: [...(manifest?.capabilities ?? []).map(({ name }) => name), ...named],
    memoryPages: memoryPages ?? manifest?.limits?.memoryPages ?? defaultLimits.memoryPages,
    tableElements: tableElements ?? manifest?.limits?.tableElements ?? defaultLimits.tableElements,
  };
}

function checkCapability(name: string): CapabilityName {
  if (isCapabilityName(name)) return name;
  throw new ExoArmurError("EXO_USAGE", `--capability: there is no ${name}; there are ${capabilityNames.join(", ")}`);
}

function readCap(options: Options, name: string, option: string, most: number): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw new ExoArmurError(
    "EXO_USAGE",
    `${option}: expected a whole number from 0 to ${formatCount(most)}, got ${text}`,
  );
}

/** Where there is no manifest: every capability, and the caps that a manifest has by itself. */
export const openTerms: ModuleTerms = {
  manifest: undefined,
  capabilities: capabilityNames,
  memoryPages: defaultLimits.memoryPages,
  tableElements: defaultLimits.tableElements,
};

/** `openTerms` with the sizes a module starts with where they are greater, as far as a manifest can give them. */
export function raisedTerms({ memory, tables }: Pick<ModuleReport, "memory" | "tables">): ModuleTerms {
  const { memoryPages, tableElements } = limitsSchema.shape;
  const elements = tables.reduce((sum, { initial }) => sum + initial, 0);
  return {
    ...openTerms,
    memoryPages: Math.max(openTerms.memoryPages, Math.min(memory?.initial ?? 0, memoryPages.maxValue ?? 0)),
    tableElements: Math.max(openTerms.tableElements, Math.min(elements, tableElements.maxValue ?? 0)),
  };
}

/** What of its manifest a module does not keep: EXO_PLUGIN_DIGEST, and EXO_WASM_EXPORT for a function it lacks. */
export function manifestReasons(
  { manifest }: ModuleTerms,
  { digest, functions }: Pick<ModuleReport, "digest" | "functions">,
): readonly Reason[] {
  if (manifest === undefined) return [];
  const reasons: Reason[] = [];
  const named = manifest.wasm?.digest;
  if (named !== undefined && named !== digest) {
    reasons.push({ code: "EXO_PLUGIN_DIGEST", message: `the manifest names ${named}, the module is ${digest}` });
  }
  for (const { name } of manifest.functions) {
    if (functions.includes(name)) continue;
    const message = `the manifest names the function ${name}; exported as () -> i32 or () -> () are: ${functions.join(", ") || "none"}`;
    reasons.push({ code: "EXO_WASM_EXPORT", message });
  }
  return reasons;
}

/** Name of the executor for lines of configuration: the manifest's, else the file's. */
export function executorName(path: string, { manifest }: ModuleTerms): string {
  return manifest?.name ?? (path === "-" ? "NAME" : basename(path).replace(/\.wasm$/, ""));
}
