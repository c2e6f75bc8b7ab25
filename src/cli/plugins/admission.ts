import { alwaysGranted } from "../../contracts/imports.js";
import type { ExecutorManifest, ManifestDraft } from "../../contracts/manifest.js";
import { resolveManifest } from "../../contracts/manifest-draft.js";
import { ExoArmurError } from "../../errors.js";
import { inspectModule, type ModuleReport } from "../../wasm/inspect.js";
import type { Reason } from "../../wasm/reasons.js";
import { type ModuleTerms, manifestReasons } from "../module-terms.js";

/** A plugin judged as a home would judge it: the report of its module, and every reason against the two together. */
export type Admission = {
  readonly report: ModuleReport;
  readonly terms: ModuleTerms;
  readonly reasons: readonly Reason[];
  /** The resolved manifest, when nothing speaks against it. */
  readonly manifest: ExecutorManifest | null;
  /** Capabilities the manifest asks for and the module does not import. */
  readonly unused: readonly string[];
};

/** Judges a plugin: imports against the manifest's capabilities, exports against its functions, digest, caps. Throws EXO_SCHEMA when the draft does not resolve. */
export function judgePlugin(draft: ManifestDraft, wasm: Uint8Array): Admission {
  const resolved = resolveManifest(draft, wasm);
  if (!resolved.ok && resolved.error.code !== "EXO_PLUGIN_DIGEST") {
    throw new ExoArmurError(resolved.error.code, resolved.error.message);
  }
  const limits = resolved.ok ? resolved.value.limits : undefined;
  const capabilities = (draft.capabilities ?? []).map(({ name }) => name);
  const { memoryPages, tableElements } = limits ?? { memoryPages: 16_384, tableElements: 1_000_000 };
  const terms: ModuleTerms = { manifest: draft, capabilities, memoryPages, tableElements };
  const report = inspectModule(wasm, { capabilities, memoryPages, tableElements });
  const reasons = [...report.reasons, ...manifestReasons(terms, report)];
  const needed = new Set<string>(report.capabilities);
  const unused = capabilities.filter((name) => !needed.has(name) && !alwaysGranted.includes(name));
  return { report, terms, reasons, manifest: resolved.ok && reasons.length === 0 ? resolved.value : null, unused };
}

/** The resolved manifest of a plugin that nothing speaks against; else throws the first reason, and says how many there are. */
export function judgeOrRefuse(draft: ManifestDraft, wasm: Uint8Array): ExecutorManifest {
  const { manifest, reasons } = judgePlugin(draft, wasm);
  if (manifest !== null) return manifest;
  const [first = { code: "EXO_PLUGIN_REFUSED" as const, message: "not admitted" }, ...more] = reasons;
  const rest = more.map(({ code, message }) => `; ${code}: ${message}`).join("");
  throw new ExoArmurError(first.code, `${draft.name}: ${first.message}${rest}`);
}
