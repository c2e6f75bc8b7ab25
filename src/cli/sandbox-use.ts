import type { SandboxConfig } from "../contracts/config.js";
import { isExoArmurError } from "../errors.js";
import { openHome } from "../home/open.js";
import type { SandboxHost } from "../ports.js";
import { openSandbox } from "../runtime/sandbox.js";
import { type Options, textOption } from "./action.js";
import { type CliContext, homeDir } from "./context.js";
import { createStderrLogger } from "./logging.js";

/** Does `work` with a sandbox as the home has it; the defaults where there is no home, which a bundle does not need. */
export async function withSandbox<T>(
  context: CliContext,
  options: Options,
  workers: number,
  work: (sandbox: SandboxHost) => Promise<T>,
): Promise<T> {
  const config = await sandboxConfigOf(homeDir(context, textOption(options, "home")));
  const sandbox = await openSandbox({ ...config, workers }, createStderrLogger(context));
  try {
    return await work(sandbox);
  } finally {
    await sandbox.close();
  }
}

async function sandboxConfigOf(dir: string): Promise<SandboxConfig> {
  try {
    return (await openHome(dir)).resolved.sandbox;
  } catch (error) {
    if (isExoArmurError(error, "EXO_HOME_MISSING")) return {};
    throw error;
  }
}
