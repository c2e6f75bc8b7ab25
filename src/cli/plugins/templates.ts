import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestSchema } from "../../contracts/manifest.js";
import type { PluginLanguage } from "../../contracts/plugin-project.js";
import { ExoArmurError } from "../../errors.js";
import { writeFault } from "../../home/paths.js";

/** The package's folder of templates and SDKs. */
const shipped = fileURLToPath(new URL("../../../plugins/", import.meta.url));

/** Where the SDK of a language is in the package, and where it goes in a new plugin. */
const sdks: Readonly<Record<PluginLanguage, readonly (readonly [from: string, to: string])[]>> = {
  assemblyscript: [
    ["sdk/assembly", "sdk/assembly"],
    ["sdk/README.md", "sdk/README.md"],
  ],
  rust: [["sdk-rust", "sdk"]],
  c: [["sdk-c", "sdk"]],
};

/** Names that Windows gives to devices, with any ending: a folder of such a name cannot be made there. */
const deviceName = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

/**
 * Makes the folder of a new plugin: the language's template with its name put in, and a copy of the SDK, so that it
 * stands alone. It is written beside its place and renamed there: there is all of it or nothing.
 *
 * @param folder the folder to make, whose last segment is the plugin's name
 * @returns paths of all files below it, sorted
 * @throws ExoArmurError EXO_USAGE for a name that is no executor's, EXO_FILE when anything is there already
 */
export async function createPlugin(folder: string, language: PluginLanguage): Promise<readonly string[]> {
  const name = basename(folder);
  if ((await lstat(folder).catch(() => undefined)) !== undefined) {
    throw new ExoArmurError("EXO_FILE", `${folder} exists already, and is left as it is`, { file: folder });
  }
  let scratch: string | undefined;
  try {
    scratch = await mkdtemp(join(dirname(folder), `.${name}.new-`));
    const made = join(scratch, name);
    await copyTree(join(shipped, "templates", language), made, (text) => text.replaceAll("__NAME__", name));
    for (const [from, to] of sdks[language]) await copyTree(join(shipped, from), join(made, to), (text) => text);
    const files = await listTree(made);
    // A folder that came to be meanwhile and is not empty makes this fail.
    await rename(made, folder);
    return files;
  } catch (error) {
    throw writeFault(error, folder);
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

/** Refuses a name that no executor can have, or no folder on some system. EXO_USAGE. */
export function checkPluginName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (!manifestSchema.shape.name.safeParse(name).success) {
    throw new ExoArmurError(
      "EXO_USAGE",
      `a plugin's name has lower-case letters, digits, - and _ and begins with a letter or digit, such as table-stats; got ${shown}`,
    );
  }
  if (deviceName.test(name)) throw new ExoArmurError("EXO_USAGE", `${shown} is the name of a device on Windows`);
}

/** Copies a file or a folder of text files; `put` is applied to names and contents. */
async function copyTree(from: string, to: string, put: (text: string) => string): Promise<void> {
  if ((await lstat(from)).isDirectory()) {
    await mkdir(to, { recursive: true });
    for (const entry of await readdir(from)) await copyTree(join(from, entry), join(to, put(entry)), put);
    return;
  }
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, put(await readFile(from, "utf8")), { flag: "wx" });
}

async function listTree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const below = folder.length + 1;
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(below).replaceAll("\\", "/"))
    .sort();
}
