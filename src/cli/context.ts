import { resolve } from "node:path";
import type { Clock, Entropy } from "../ports.js";
import type { ExitCode } from "./exit-codes.js";

/** What the command asks of the process it runs in. `main.ts` gives the real ones. */
export type CliContext = {
  /** Writes to standard output: results, and nothing else. Strings are written as they are, with their newlines. */
  readonly stdout: (text: string | Uint8Array) => void;
  /** Writes to standard error: logs, questions, progress, errors. */
  readonly stderr: (text: string) => void;
  /** All of standard input, or undefined when it is longer than `maxBytes`. */
  readonly readStdin: (maxBytes: number) => Promise<Uint8Array | undefined>;
  /** Asks on standard error and returns one line of standard input without its newline. */
  readonly ask: (question: string) => Promise<string>;
  /** Asks the same on a terminal without showing the answer. */
  readonly askSecret: (question: string) => Promise<string>;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Which of the streams are terminals. */
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Milliseconds that only go forward, for durations. */
  readonly elapsed: () => number;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** How the command ends; 0 unless a command sets it. */
  readonly exit: { code: ExitCode };
};

/** Absolute path of the home: `--home`, then EXOARMUR_HOME, then `.exoarmur` in the current folder. */
export function homeDir(context: CliContext, given: string | undefined): string {
  return resolve(context.cwd, given ?? (context.env["EXOARMUR_HOME"] || ".exoarmur"));
}
