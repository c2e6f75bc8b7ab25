import { basename } from "node:path";
import { type ManifestDraft, manifestSchema } from "../../contracts/manifest.js";
import { ExoArmurError } from "../../errors.js";
import { inspectModule } from "../../wasm/inspect.js";

/**
 * The manifest of a bare module (spec/home.md, Plugins): one action NAME.FUNCTION for every exported function that can
 * be one, without capabilities. EXO_PLUGIN_REFUSED for a file name that is no executor's; EXO_WASM_* with every reason
 * when the module is not admitted without capabilities.
 */
export function draftManifest(file: string, wasm: Uint8Array): ManifestDraft {
  const name = basename(file).replace(/\.wasm$/, "");
  if (!manifestSchema.shape.name.safeParse(name).success) {
    throw new ExoArmurError("EXO_PLUGIN_REFUSED", `${file}: expected a lower-case name such as table-stats.wasm`, {
      file,
    });
  }
  const { functions, capabilities, digest } = inspectModule(wasm);
  if (capabilities.length > 0) {
    const asks = capabilities.join(", ");
    const message = `${file} imports ${asks}, and a manifest written for it has no capabilities; write ${name}.json beside it`;
    throw new ExoArmurError("EXO_WASM_IMPORT", message, { file });
  }
  const fit = functions.filter((fn) => /^[a-z0-9_-]{1,90}$/.test(fn));
  if (fit.length === 0) {
    const message = `${file} exports no function of type () -> i32 or () -> () whose name can be an action's: lower-case letters, digits, _ and -`;
    throw new ExoArmurError("EXO_WASM_EXPORT", message, { file });
  }
  return {
    schema: "exoarmur.executor/v1",
    name,
    version: "0.0.0",
    wasm: { digest },
    functions: fit.map((fn) => ({ name: fn, action: `${name}.${fn}` })),
  };
}
