import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type ManifestDraft, manifestDraftSchema, manifestSchema } from "../../contracts/manifest.js";
import { ExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import { maxDocumentBytes, parseDocument } from "../../home/document.js";
import { homePaths } from "../../home/paths.js";
import { type CliContext, homeDir } from "../context.js";
import { inputs } from "../files.js";
import { shownPath } from "../output.js";
import { draftManifest } from "./manifest-draft.js";

/** Where a plugin is: its folder and its files, which need not be there yet. All paths are absolute. */
export type PluginPlace = {
  readonly folder: string;
  readonly manifest: string;
  readonly module: string;
  /** The signed manifest, as `plugins sign` writes it. */
  readonly signed: string;
};

/** A plugin as it was read. */
export type FoundPlugin = {
  readonly place: PluginPlace;
  readonly draft: ManifestDraft;
  readonly wasm: Uint8Array;
  /** True when no manifest was there and one was made from the exports. */
  readonly drafted: boolean;
};

const manifestKind = { schema: manifestDraftSchema, version: "exoarmur.executor/v1" };

/** JSON files of a plugin's folder that are no manifest. */
const otherFiles = new Set(["exoarmur.json", "package.json", "package-lock.json", "tsconfig.json", "asconfig.json"]);

/** The files of a plugin whose manifest is `file`. */
function placeOf(file: string): PluginPlace {
  const stem = file.replace(/\.json$/, "");
  return { folder: dirname(file), manifest: file, module: `${stem}.wasm`, signed: `${stem}.signed.json` };
}

/**
 * Finds a plugin by what a person calls it: a folder that holds one, a .wasm or .json file, or the name of one that is
 * installed in the home. EXO_FILE when there is none, EXO_PLUGIN_REFUSED for a folder with no or several manifests.
 *
 * @param home the option `--home`
 */
export async function locatePlugin(context: CliContext, what: string, home: string | undefined): Promise<PluginPlace> {
  const path = resolve(context.cwd, what);
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true) return placeOf(await manifestOf(path));
  if (there?.isFile() === true) {
    if (/\.(?:wasm|json)$/.test(path)) return placeOf(path.replace(/\.wasm$/, ".json"));
    throw new ExoArmurError("EXO_FILE", `${what}: expected a folder, a .wasm or a .json file`, { file: path });
  }
  const { plugins } = homePaths(homeDir(context, home));
  const installed = join(plugins, `${what}.json`);
  const isName = manifestSchema.shape.name.safeParse(what).success;
  if (isName && (await stat(installed).catch(() => undefined)) !== undefined) return placeOf(installed);
  const missing = isName ? ` and no plugin of that name is in ${shownPath(context, plugins)}` : "";
  throw new ExoArmurError("EXO_FILE", `${what} does not exist${missing}`, { file: path });
}

async function manifestOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter(
    (name) =>
      name.endsWith(".json") && !name.endsWith(".signed.json") && !name.startsWith(".") && !otherFiles.has(name),
  );
  const own = `${basename(folder)}.json`;
  const name = names.length > 1 && names.includes(own) ? own : names[0];
  if (name === undefined || (names.length > 1 && name !== own)) {
    const found = names.length === 0 ? "none" : names.sort().join(", ");
    const message = `${folder}: expected one manifest such as ${own}, got ${found}`;
    throw new ExoArmurError("EXO_PLUGIN_REFUSED", message, { file: folder });
  }
  return join(folder, name);
}

/** Reads a plugin's manifest. EXO_FILE when it is missing; EXO_JSON_*, EXO_SCHEMA with line and pointer; EXO_PLUGIN_REFUSED when it names another executor than its file. */
export async function readManifest({ manifest }: PluginPlace): Promise<ManifestDraft> {
  const read = await readBounded(manifest, { maxBytes: maxDocumentBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${manifest} does not exist`, { file: manifest });
  return await parseManifest(manifest, read.bytes);
}

async function parseManifest(file: string, bytes: Uint8Array): Promise<ManifestDraft> {
  const draft = await parseDocument(bytes, file, manifestKind);
  if (`${draft.name}.json` === basename(file)) return draft;
  const message = `${file}: /name: expected ${basename(file).replace(/\.json$/, "")}, the name of the file, got ${draft.name}`;
  throw new ExoArmurError("EXO_PLUGIN_REFUSED", message, { file, pointer: "/name" });
}

/**
 * Reads a plugin whole; a module without a manifest gets one made from its exports. Errors as readManifest and
 * draftManifest; EXO_FILE when the module is missing, with what to do.
 */
export async function readPlugin(context: CliContext, place: PluginPlace): Promise<FoundPlugin> {
  const text = await readBounded(place.manifest, { maxBytes: maxDocumentBytes });
  const draft = text === undefined ? undefined : await parseManifest(place.manifest, text.bytes);
  const read = await readBounded(place.module, { maxBytes: inputs.module.maxBytes });
  if (read === undefined) {
    const how = `make it with: exoarmur plugins build ${shownPath(context, place.folder)}`;
    throw new ExoArmurError("EXO_FILE", `${place.module} does not exist; ${how}`, { file: place.module });
  }
  const wasm = read.bytes;
  if (draft !== undefined) return { place, draft, wasm, drafted: false };
  return { place, draft: draftManifest(place.module, wasm), wasm, drafted: true };
}
