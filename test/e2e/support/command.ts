import { fileURLToPath } from "node:url";
import type { CliContext } from "../../../src/cli/context.js";
import { systemEntropy } from "../../../src/crypto/random.js";
import type { Ended, Shell } from "../cli.js";

const program: string = fileURLToPath(new URL("../../../dist/cli/program.js", import.meta.url));

/** Runs `exoarmur ARGS` as it was built, in this process: what a process of its own would print, without its start. */
export async function command(
  shell: Pick<Shell, "cwd">,
  args: readonly string[],
  input = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { runCli } = (await import(program)) as typeof import("../../../src/cli/program.js");
  let stdout = "";
  let stderr = "";
  const context: CliContext = {
    stdout: (text) => {
      stdout += typeof text === "string" ? text : new TextDecoder().decode(text);
    },
    stderr: (text) => {
      stderr += text;
    },
    readStdin: () => Promise.resolve(new TextEncoder().encode(input)),
    ask: () => Promise.resolve(""),
    askSecret: () => Promise.resolve(""),
    cwd: shell.cwd,
    env: { PATH: process.env["PATH"], ...env },
    isTTY: { stdin: false, stdout: false, stderr: false },
    clock: { now: () => Date.now() },
    entropy: systemEntropy,
    elapsed: () => performance.now(),
    signal: new AbortController().signal,
    exit: { code: 0 },
  };
  const code = await runCli(args, context);
  return { code, stdout, stderr };
}
