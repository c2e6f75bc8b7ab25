import { spawn } from "node:child_process";
import { ok, type Result, refuse } from "../../errors.js";
import { errnoOf } from "../../home/paths.js";
import { exitCodes } from "../exit-codes.js";

/** How a verifier's process is started and how long it is waited for. */
export type ProcessQuestion = {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** Greatest size of what a verifier says, in bytes. */
const maxAnswerBytes = 1_048_576;

/** How a replay ends that found something, whatever it was. */
const answered: readonly number[] = [exitCodes.done, exitCodes.refused, exitCodes.unable];

/**
 * Runs a process to its end and gives the one line that it printed. EXO_VERIFIER when it cannot be started, prints nothing,
 * more than one line or too much, ends otherwise than a replay does, or is not done in time; it is then killed with its
 * group. Rejects with the signal's reason.
 */
export async function askProcess(question: ProcessQuestion): Promise<Result<Uint8Array>> {
  const { timeoutMs, signal } = question;
  signal.throwIfAborted();
  const run = start(question);
  const timer = setTimeout(() => run.cut(`gave no answer within ${timeoutMs} ms`), timeoutMs);
  const interrupted = (): void => run.cut("was interrupted");
  signal.addEventListener("abort", interrupted, { once: true });
  try {
    const { end, said, complaint } = await run.ended;
    signal.throwIfAborted();
    if (typeof end === "string") return refuse("EXO_VERIFIER", end);
    if (answered.includes(end)) return oneLine(said);
    return refuse("EXO_VERIFIER", `ended with exit code ${end}${complaint === "" ? "" : `: ${complaint}`}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", interrupted);
  }
}

/** How a process ended: its exit code, or what went wrong with it. */
type Ended = { readonly end: number | string; readonly said: Buffer; readonly complaint: string };

function start({ command, cwd, env }: ProcessQuestion): { ended: Promise<Ended>; cut(why: string): void } {
  const [program = "", ...args] = command;
  // A group of its own, so that whatever the program started ends with it.
  const isGroup = process.platform !== "win32";
  const child = spawn(program, args, { cwd, env: { ...env }, stdio: ["ignore", "pipe", "pipe"], detached: isGroup });
  const said: Buffer[] = [];
  let [length, complaint, isGone] = [0, "", false];
  let settle: (end: number | string) => void = () => undefined;
  const ended = new Promise<number | string>((resolve) => {
    settle = resolve;
  });
  const kill = (): void => {
    if (!isGone) killGroup(child.pid, isGroup);
  };
  const cut = (why: string): void => {
    kill();
    settle(why);
  };
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxAnswerBytes) cut(`printed more than ${maxAnswerBytes} bytes`);
    else said.push(chunk);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(0, 200);
  });
  child.once("error", (error) => settle(`could not be started: ${errnoOf(error) ?? error.message}`));
  child.once("exit", () => {
    kill();
    isGone = true;
  });
  child.once("close", (code, by) => settle(code ?? `was ended by ${by}`));
  return {
    cut,
    ended: ended.then((end) => {
      child.stdout.destroy();
      child.stderr.destroy();
      return { end, said: Buffer.concat(said), complaint: complaint.split("\n")[0] ?? "" };
    }),
  };
}

/** A report in canonical form has no line break of its own. */
function oneLine(said: Buffer): Result<Uint8Array> {
  const lines = said
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
  if (lines.length > 1) return refuse("EXO_VERIFIER", `answered ${lines.length} times`);
  const [line] = lines;
  return line === undefined
    ? refuse("EXO_VERIFIER", "ended without an answer")
    : ok(new Uint8Array(Buffer.from(line, "latin1")));
}

function killGroup(pid: number | undefined, isGroup: boolean): void {
  if (pid === undefined) return;
  try {
    process.kill(isGroup ? -pid : pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}
