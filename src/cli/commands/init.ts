import { resolve } from "node:path";
import { createHome } from "../../home/create.js";
import { hasFlag, type Options } from "../action.js";
import { readBundledPlugins } from "../bundled-plugins.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatRows, printJson, shellWord, shownPath } from "../output.js";

/** `init [DIR]`: makes a home and tells what is in it. EXO_HOME_EXISTS, EXO_HOME_READ_ONLY, EXO_FILE. */
export async function init(context: CliContext, [given]: readonly string[], options: Options): Promise<ExitCode> {
  const dir = homeDir(context, given);
  const bundledPlugins = await readBundledPlugins();
  const { files, trust, keyIds, paths } = await createHome(dir, { entropy: context.entropy, bundledPlugins });
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.init/v1", home: paths.home, files, keyIds, trust });
    return exitCodes.done;
  }
  context.stdout(formatRows(files.map(({ path, about }) => [shownPath(context, path), about])));
  const isDefault = paths.home === resolve(context.cwd, ".exoarmur");
  const home = isDefault ? "" : ` --home ${shellWord(shownPath(context, dir))}`;
  const intent = '{"actor":"me","action":"table.stats","parameters":{"path":"data/orders.csv"}}';
  context.stdout(`next: echo '${intent}' | npx exoarmur run -${home}\n`);
  return exitCodes.done;
}
