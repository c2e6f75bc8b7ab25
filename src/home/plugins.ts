import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { canonicalize } from "../canonical/jcs.js";
import { type Envelope, envelopeSchema } from "../contracts/dsse.js";
import { type ManifestDraft, manifestDraftSchema } from "../contracts/manifest.js";
import { resolveManifest } from "../contracts/manifest-draft.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError, type Refusal } from "../errors.js";
import { isValidModule } from "../wasm/engine.js";
import { inspectModule } from "../wasm/inspect.js";
import { readBounded } from "./atomic.js";
import { maxDocumentBytes, parseDocument } from "./document.js";
import { errnoOf, type HomePaths } from "./paths.js";

/** Largest module that is read, in bytes. */
const maxModuleBytes = 67_108_864;

/** A plugin of the drop-in folder: module and manifest draft, or why it cannot be used. `file` is the manifest's path. */
export type PluginFile =
  | {
      readonly name: string;
      readonly file: string;
      readonly wasm: Uint8Array;
      readonly manifest: ManifestDraft;
      /** `NAME.signed.json`, when it is there. */
      readonly signed?: Envelope;
      readonly problem?: never;
    }
  | {
      readonly name: string;
      readonly file: string;
      readonly problem: Refusal;
      readonly wasm?: never;
      readonly manifest?: never;
      readonly signed?: never;
    };

const nameForm = /^[a-z0-9][a-z0-9_-]{0,99}$/;

/**
 * Reads `plugins/NAME.json` with `NAME.wasm` beside it, in the order of their names (spec/home.md). NAME is the
 * executor's name. A pair that is incomplete, malformed, oversized or misnamed becomes an entry with its problem and
 * stops no other. EXO_HOME_DAMAGED when the folder cannot be read.
 */
export async function readPlugins({ paths }: { readonly paths: HomePaths }): Promise<PluginFile[]> {
  const names = new Set<string>();
  for (const entry of await listPlugins(paths.plugins)) {
    const name = pluginNameOf(entry);
    if (name !== undefined) names.add(name);
  }
  const plugins: PluginFile[] = [];
  for (const name of [...names].sort()) plugins.push(await readPlugin(paths.plugins, name));
  return plugins;
}

/** The plugin that a file of the folder belongs to, or undefined when it is no plugin's. */
export function pluginNameOf(entry: string): string | undefined {
  return /^([^.].*?)(?:\.signed)?\.(?:json|wasm)$/.exec(entry)?.[1];
}

/** Reads one plugin of the folder. */
export async function readPlugin(folder: string, name: string): Promise<PluginFile> {
  const file = join(folder, `${name}.json`);
  try {
    if (!nameForm.test(name)) throw refused(file, "expected a lower-case name such as table-stats.json");
    const draft = await readBounded(file, { maxBytes: maxDocumentBytes, follow: false });
    if (draft === undefined) throw refused(file, "is missing; exoarmur plugins add writes it");
    const manifest = await parseDocument(draft.bytes, file, {
      schema: manifestDraftSchema,
      version: "exoarmur.executor/v1",
    });
    if (manifest.name !== name)
      throw refused(file, `names the executor ${manifest.name}; file and executor have one name`);
    const wasm = await readBounded(join(folder, `${name}.wasm`), { maxBytes: maxModuleBytes, follow: false });
    if (wasm === undefined) throw refused(join(folder, `${name}.wasm`), "is missing");
    const signed = await readSigned(join(folder, `${name}.signed.json`));
    return { name, file, wasm: wasm.bytes, manifest, ...(signed === undefined ? {} : { signed }) };
  } catch (error) {
    if (!(error instanceof ExoArmurError)) throw error;
    return { name, file, problem: { code: error.code, message: error.message } };
  }
}

/**
 * False for a plugin that somebody may be in the middle of putting there: it cannot be read, its module is cut short or
 * lacks a function, or manifest, module and signature do not belong together.
 */
export function isWhole({ manifest, wasm, signed }: PluginFile): boolean {
  if (manifest === undefined || !isValidModule(wasm)) return false;
  // The beginning of a module can be a module too.
  const { functions } = inspectModule(wasm);
  const resolved = resolveManifest(manifest, wasm);
  const hasAll = manifest.functions.every(({ name }) => functions.includes(name));
  return (
    hasAll && resolved.ok && (signed === undefined || signed.payload === encodeBase64(canonicalize(resolved.value)))
  );
}

/**
 * Reads a signed manifest, `NAME.signed.json`: a DSSE envelope as strict JSON. Undefined when there is none. EXO_FILE,
 * EXO_JSON_*, EXO_SCHEMA. Nothing is verified by being read.
 */
export async function readSigned(file: string): Promise<Envelope | undefined> {
  const read = await readBounded(file, { maxBytes: maxDocumentBytes, follow: false });
  if (read === undefined) return undefined;
  return await parseDocument(read.bytes, file, { schema: envelopeSchema, version: "exoarmur.envelope/v1" });
}

/** Names in the plugins folder; a missing folder is damage, or `empty`. EXO_HOME_DAMAGED. */
export async function listPlugins(folder: string, missing: "damage" | "empty" = "damage"): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (missing === "empty" && errnoOf(error) === "ENOENT") return [];
    const why = errnoOf(error) ?? "an unknown error";
    throw new ExoArmurError("EXO_HOME_DAMAGED", `${folder} could not be read: ${why}`, { file: folder });
  }
}

function refused(file: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_PLUGIN_REFUSED", `${file}: ${what}`, { file });
}
