import { readFile } from "node:fs/promises";
import type { BundledPlugin } from "../home/create.js";

/** Executors that a new home starts with. */
const starters = ["fs", "table-stats"] as const;

/** Reads the executors that a new home starts with. */
export async function readBundledPlugins(): Promise<BundledPlugin[]> {
  return await readPackagePlugins(starters);
}

/** Reads executors that come with the package, from its plugins folder. */
export async function readPackagePlugins(names: readonly string[]): Promise<BundledPlugin[]> {
  const folder = new URL("../../plugins/", import.meta.url);
  const read = async (file: string): Promise<Uint8Array> => new Uint8Array(await readFile(new URL(file, folder)));
  return await Promise.all(
    names.map(async (name) => ({ name, wasm: await read(`${name}.wasm`), manifest: await read(`${name}.json`) })),
  );
}
