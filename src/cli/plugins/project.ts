import { join } from "node:path";
import { type PluginProject, pluginProjectSchema } from "../../contracts/plugin-project.js";
import { ExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import { maxDocumentBytes, parseDocument } from "../../home/document.js";

const projectKind = { schema: pluginProjectSchema, version: "exoarmur.plugin-project/v1" };

/** Reads `exoarmur.json` of a plugin's folder. EXO_FILE when it is missing; EXO_JSON_*, EXO_SCHEMA, EXO_SCHEMA_VERSION. */
export async function readProject(folder: string): Promise<PluginProject> {
  const file = join(folder, "exoarmur.json");
  const read = await readBounded(file, { maxBytes: maxDocumentBytes });
  if (read !== undefined) return await parseDocument(read.bytes, file, projectKind);
  const message = `${file} does not exist; it says how the plugin is built, and exoarmur plugins new writes it`;
  throw new ExoArmurError("EXO_FILE", message, { file });
}
