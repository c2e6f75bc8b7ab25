import { canonicalText } from "../../canonical/jcs.js";
import type { CapabilityName } from "../../contracts/imports.js";
import type { ManifestDraft } from "../../contracts/manifest.js";
import { ExoArmurError } from "../../errors.js";
import { installPlugin } from "../../home/plugin-install.js";
import { readSigned } from "../../home/plugins.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { grantsLine, label } from "../module-text.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { judgeOrRefuse } from "../plugins/admission.js";
import { locatePlugin, readPlugin } from "../plugins/locate.js";
import { judgeSignature, type SignedBy } from "../plugins/signature.js";

/**
 * `plugins add PLUGIN`: copies a plugin into the home after the checks that its runtime makes; the copied manifest states
 * the module's digest. A bare module gets a manifest made from its exports, without capabilities. A runtime that owns the
 * home takes the plugin up by itself. EXO_PLUGIN_*, EXO_WASM_*, EXO_SCHEMA, EXO_TRUST, EXO_SIGNATURE, EXO_HOME_*.
 */
export async function addPlugin(
  context: CliContext,
  [what = "."]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const dir = homeDir(context, textOption(options, "home"));
  return await withHomeView(dir, async (view) => {
    const { place, draft, wasm, drafted } = await readPlugin(context, await locatePlugin(context, what, dir));
    const manifest = judgeOrRefuse(draft, wasm);
    const envelope = drafted ? undefined : await readSigned(place.signed);
    const signed = judgeSignature(view, manifest, envelope);
    if (!signed.ok) throw new ExoArmurError(signed.error.code, signed.error.message, { file: place.signed });
    const { paths, resolved } = view.home;
    const { $schema: _hint, ...stated } = draft;
    const pinned: ManifestDraft = { ...stated, wasm: manifest.wasm };
    await installPlugin(paths, {
      name: manifest.name,
      wasm,
      manifest: `${JSON.stringify(pinned, null, 2)}\n`,
      signed: envelope === undefined ? undefined : canonicalText(envelope),
    });
    const granted = Object.hasOwn(resolved.grants, manifest.name) ? (resolved.grants[manifest.name] ?? {}) : {};
    const missing = manifest.capabilities.map(({ name }) => name).filter((name) => !Object.hasOwn(granted, name));
    const { name, version, functions } = manifest;
    if (hasFlag(options, "json")) {
      const { digest } = manifest.wasm;
      const document = { name, version, digest, folder: paths.plugins, drafted, signedBy: signed.value, missing };
      printJson(context, { schema: "exoarmur.plugin-added/v1", ...document });
    } else {
      context.stdout(
        formatRows(
          [
            ["added", `${name}@${version}`, manifest.wasm.digest],
            ["folder", shownPath(context, paths.plugins)],
            ...(drafted ? [["manifest", `made from the exports, without capabilities: ${name}.json`]] : []),
            ["signed", signedText(signed.value)],
            ["actions", functions.map(({ action }) => action).join(", "), "the policy denies what no rule names"],
            ...grantRows(name, missing),
          ],
          label,
        ),
      );
    }
    return exitCodes.done;
  });
}

function grantRows(name: string, missing: readonly CapabilityName[]): readonly (readonly string[])[] {
  return missing.length === 0 ? [] : [["config", grantsLine(missing, name)]];
}

/** Who signed, in words. */
export function signedText(signed: SignedBy): string {
  return signed === null ? "by nobody" : `by ${signed.publisher}, key ${signed.keyIds.join(", ")}`;
}
