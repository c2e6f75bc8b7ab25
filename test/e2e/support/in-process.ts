import type { CliContext } from "../../../src/cli/context.js";
import { runCli } from "../../../src/cli/program.js";
import { systemEntropy } from "../../../src/crypto/random.js";
import { systemClock } from "../../../src/runtime/system.js";
import type { Ended, Shell } from "../cli.js";

/** Runs a command in this process, which is many times faster than a process of its own. */
export async function exo(
  { cwd }: Shell,
  args: readonly string[],
  given: Partial<Pick<CliContext, "signal" | "stdout" | "env">> = {},
): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const context: CliContext = {
    stdout: (text) => {
      written.stdout += typeof text === "string" ? text : new TextDecoder().decode(text);
    },
    stderr: (text) => {
      written.stderr += text;
    },
    readStdin: () => Promise.resolve(new Uint8Array(0)),
    ask: () => Promise.reject(new Error("not asked")),
    askSecret: () => Promise.reject(new Error("not asked")),
    cwd,
    env: {},
    isTTY: { stdin: false, stdout: false, stderr: false },
    clock: systemClock,
    entropy: systemEntropy,
    elapsed: () => 0,
    signal: new AbortController().signal,
    exit: { code: 0 },
    ...given,
  };
  const code = await runCli(args, context);
  return { code, ...written };
}
