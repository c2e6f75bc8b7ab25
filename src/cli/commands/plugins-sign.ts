import { canonicalize, canonicalText } from "../../canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../contracts/dsse.js";
import { ExoArmurError } from "../../errors.js";
import { writeAtomic } from "../../home/atomic.js";
import { homePaths } from "../../home/paths.js";
import { hasFlag, type Options } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { readSigningKey } from "../operator.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { judgeOrRefuse } from "../plugins/admission.js";
import { locatePlugin, readPlugin } from "../plugins/locate.js";

/**
 * `plugins sign [PLUGIN] --key KEY`: signs the resolved manifest, which names the module's digest, as its publisher, and
 * writes NAME.signed.json beside it. EXO_PLUGIN_SIGNATURE unless the manifest names the key's owner as its publisher;
 * EXO_KEY, EXO_KEY_MODE, EXO_FILE for the key; what admits no plugin signs none.
 */
export async function signPlugin(
  context: CliContext,
  [what = "."]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const place = await locatePlugin(context, what, undefined);
  const { draft, wasm, drafted } = await readPlugin(context, place);
  const key = await readSigningKey(context, homePaths(homeDir(context, undefined)), "publisher", options);
  if (drafted || draft.publisher !== key.id) {
    const came = draft.publisher === undefined ? "nothing" : JSON.stringify(draft.publisher);
    const message = `${place.manifest}: /publisher: expected ${JSON.stringify(key.id)}, whose key this is, got ${came}`;
    throw new ExoArmurError("EXO_PLUGIN_SIGNATURE", message, { file: place.manifest, pointer: "/publisher" });
  }
  const manifest = judgeOrRefuse(draft, wasm);
  const envelope = await signEnvelope(payloadTypes.manifest, canonicalize(manifest), key.signer);
  await writeAtomic(place.signed, canonicalText(envelope));
  const { name, version, publisher } = manifest;
  const { digest } = manifest.wasm;
  if (hasFlag(options, "json")) {
    const signature = { path: place.signed, publisher, keyId: key.signer.keyId };
    printJson(context, { schema: "exoarmur.plugin-signature/v1", name, version, digest, signature });
    return exitCodes.done;
  }
  context.stdout(
    formatRows([
      ["signed", `${name}@${version}`, `module ${digest}`],
      ["by", key.id, `publisher key ${key.signer.keyId}`],
      ["file", shownPath(context, place.signed)],
    ]),
  );
  return exitCodes.done;
}
