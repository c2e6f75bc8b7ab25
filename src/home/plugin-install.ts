import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { removeIfThere, writeAtomic } from "./atomic.js";
import type { HomePaths } from "./paths.js";

/** The files of a plugin as they go into a home. `manifest` must state the module's digest. */
export type PluginFiles = {
  readonly name: string;
  readonly wasm: Uint8Array;
  /** Text of the manifest. */
  readonly manifest: string;
  /** Text of the signed manifest; undefined for an unsigned plugin, which takes away the signature of its predecessor. */
  readonly signed: string | undefined;
};

/**
 * Puts a plugin into the plugins folder, in place of one of its name. Each file is replaced whole, the module last: until
 * then the manifest's digest is that of no module there, which readers take for a plugin in the making, so that no
 * instant shows one plugin's manifest with another's module. EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function installPlugin({ plugins }: HomePaths, files: PluginFiles): Promise<void> {
  await mkdir(plugins, { recursive: true });
  const { name, wasm, manifest, signed } = files;
  await writeAtomic(join(plugins, `${name}.json`), manifest);
  const signature = join(plugins, `${name}.signed.json`);
  if (signed === undefined) await removeIfThere(signature);
  else await writeAtomic(signature, signed);
  await writeAtomic(join(plugins, `${name}.wasm`), wasm);
}
