import { alwaysGranted } from "../../contracts/imports.js";
import type { ExecutorManifest } from "../../contracts/manifest.js";
import { resolveManifest } from "../../contracts/manifest-draft.js";
import { isExoArmurError, type Refusal } from "../../errors.js";
import { type PluginFile, readPlugins } from "../../home/plugins.js";
import type { AdmittedPlugin } from "../../pipeline/admission.js";
import { readState } from "../../pipeline/documents.js";
import { admittedKey } from "../../pipeline/store-keys.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { type HomeView, withHomeView } from "../home-view.js";
import { formatRows, printJson } from "../output.js";
import { judgeOrRefuse } from "../plugins/admission.js";
import { judgeSignature, type SignedBy } from "../plugins/signature.js";
import { signedText } from "./plugins-add.js";

type Listed = {
  readonly name: string;
  readonly version: string | null;
  readonly digest: string | null;
  readonly functions: readonly { readonly name: string; readonly action: string; readonly effects: string }[];
  readonly signedBy: SignedBy;
  readonly refused: Refusal | null;
  /** Capabilities that config.json grants, and those that it does not. */
  readonly granted: readonly string[];
  readonly missing: readonly string[];
  /** Index in the log of the admission that stands, or null while it was never admitted. */
  readonly admittedAt: number | null;
};

/**
 * `plugins list`: every plugin of the home, and whether it is admitted. Read beside the owner; nothing is admitted by
 * being listed. EXO_HOME_*.
 */
export async function listPlugins(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  return await withHomeView(homeDir(context, textOption(options, "home")), async (view) => {
    const plugins = (await readPlugins(view.home)).map((plugin) => listOne(view, plugin));
    if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.plugins/v1", plugins });
    else context.stdout(plugins.map(textOf).join("") || "no plugins\n");
    return exitCodes.done;
  });
}

function listOne(view: HomeView, plugin: PluginFile): Listed {
  const unread = { version: null, digest: null, functions: [], signedBy: null, granted: [], missing: [] };
  if (plugin.problem !== undefined) {
    return { name: plugin.name, ...unread, refused: plugin.problem, admittedAt: null };
  }
  const resolved = resolveManifest(plugin.manifest, plugin.wasm);
  if (!resolved.ok) return { name: plugin.name, ...unread, refused: resolved.error, admittedAt: null };
  const manifest = resolved.value;
  const { name, version, functions } = manifest;
  const signed = judgeSignature(view, manifest, plugin.signed);
  const refused = judge(plugin) ?? (signed.ok ? null : signed.error);
  const grants = view.home.resolved.grants;
  const own = Object.hasOwn(grants, name) ? (grants[name] ?? {}) : {};
  const asked = manifest.capabilities.map((one) => one.name).filter((one) => !alwaysGranted.includes(one));
  return {
    name,
    version,
    digest: manifest.wasm.digest,
    functions: functions.map((fn) => ({ name: fn.name, action: fn.action, effects: fn.effects })),
    signedBy: signed.ok ? signed.value : null,
    refused,
    granted: asked.filter((one) => Object.hasOwn(own, one)),
    missing: asked.filter((one) => !Object.hasOwn(own, one)),
    admittedAt: admittedAt(view, manifest),
  };
}

function judge(plugin: Extract<PluginFile, { readonly problem?: never }>): Refusal | null {
  try {
    judgeOrRefuse(plugin.manifest, plugin.wasm);
    return null;
  } catch (error) {
    if (isExoArmurError(error)) return { code: error.code, message: error.message };
    throw error;
  }
}

function admittedAt({ store }: HomeView, manifest: ExecutorManifest): number | null {
  return readState<AdmittedPlugin>(store, admittedKey(manifest.name))?.index ?? null;
}

function textOf({ name, version, digest, functions, signedBy, refused, granted, missing }: Listed): string {
  const actions = functions.map((fn) => `${fn.action} (${fn.effects})`).join(", ");
  return formatRows([
    [refused === null ? "admitted" : "refused", version === null ? name : `${name}@${version}`, digest ?? ""],
    ...(refused === null ? [] : [["", `${refused.code}: ${refused.message}`]]),
    ...(actions === "" ? [] : [["", actions]]),
    ...(version === null ? [] : [["", `signed ${signedText(signedBy)}`]]),
    ...(granted.length === 0 ? [] : [["", `granted ${granted.join(", ")}`]]),
    ...(missing.length === 0 ? [] : [["", `not granted ${missing.join(", ")}`]]),
  ]);
}
