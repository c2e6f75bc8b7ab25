import { resolve } from "node:path";
import { type PluginLanguage, pluginLanguages } from "../../contracts/plugin-project.js";
import { ExoArmurError } from "../../errors.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatRows, printJson } from "../output.js";
import { readProject } from "../plugins/project.js";
import { checkPluginName, createPlugin } from "../plugins/templates.js";

/** `plugins new NAME`: a folder that builds, tests and runs at once. EXO_USAGE for a bad name, EXO_FILE when it is there. */
export async function newPlugin(
  context: CliContext,
  [name = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const language = textOption(options, "lang") ?? "assemblyscript";
  if (!isLanguage(language)) {
    throw new ExoArmurError("EXO_USAGE", `--lang: there is no ${language}; there are ${pluginLanguages.join(", ")}`);
  }
  checkPluginName(name);
  const folder = resolve(context.cwd, name);
  const files = await createPlugin(folder, language);
  const { source } = await readProject(folder);
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.plugin-new/v1", name, language, folder, files });
    return exitCodes.done;
  }
  context.stdout(
    formatRows([
      [`${name}/${source}`, `the source, in ${language}`],
      [`${name}/${name}.json`, "the manifest: functions, actions, capabilities"],
      [`${name}/cases/`, "tests: a call, and how it must end"],
      [`${name}/sdk/`, "the SDK, a copy: this folder stands alone"],
    ]),
  );
  context.stdout(`next: exoarmur plugins build ${name} && exoarmur plugins test ${name}\n`);
  return exitCodes.done;
}

function isLanguage(text: string): text is PluginLanguage {
  return (pluginLanguages as readonly string[]).includes(text);
}
