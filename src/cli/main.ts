#!/usr/bin/env node
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { systemEntropy } from "../crypto/random.js";
import { ExoArmurError } from "../errors.js";
import { systemClock } from "../runtime/system.js";
import type { CliContext } from "./context.js";
import { exitCodes } from "./exit-codes.js";

/** Whoever read our output has gone: nothing more is written, and the command goes on to its own end. */
function onStreamError(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

async function readStdin(maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      process.stdin.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function ask(question: string, signal: AbortSignal, interrupt: () => void, hidden = false): Promise<string> {
  // A reader of lines on a terminal echoes by itself, to its output; without one nothing is shown. The question comes
  // after it, since until then the terminal echoes.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const streams = hidden ? { output: nowhere, terminal: true } : { output: process.stderr };
  const lines = createInterface({ input: process.stdin, ...streams });
  if (hidden) process.stderr.write(question);
  // On a terminal Ctrl-C comes as a key, not as a signal, and Ctrl-D ends the input without an answer.
  lines.once("SIGINT", interrupt);
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question(question, { signal }), ended]);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
    if (hidden) process.stderr.write("\n");
  }
}

function createContext(): CliContext {
  const interrupted = new AbortController();
  const interrupt = (): void => {
    // A second signal does not wait for what is under way.
    if (interrupted.signal.aborted) process.exit(exitCodes.interrupted);
    interrupted.abort(new ExoArmurError("EXO_CANCELLED", "interrupted"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const { signal } = interrupted;
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    readStdin,
    ask: (question) => ask(question, signal, interrupt),
    askSecret: (question) => ask(question, signal, interrupt, true),
    cwd: process.cwd(),
    env: process.env,
    // The property is absent, not false, on anything but a terminal.
    isTTY: {
      stdin: Boolean(process.stdin.isTTY),
      stdout: Boolean(process.stdout.isTTY),
      stderr: Boolean(process.stderr.isTTY),
    },
    clock: systemClock,
    entropy: systemEntropy,
    elapsed: () => performance.now(),
    signal,
    exit: { code: exitCodes.done },
  };
}

process.stdout.on("error", onStreamError);
process.stderr.on("error", onStreamError);
process.on("uncaughtException", (error) => {
  process.stderr.write(`error EXO_INTERNAL: ${error.message}\n`);
  if (process.env["EXOARMUR_DEBUG"] === "1") process.stderr.write(`${error.stack ?? ""}\n`);
  process.exit(exitCodes.internal);
});
const { runCli } = await import("./program.js");
process.exitCode = await runCli(process.argv.slice(2), createContext());
