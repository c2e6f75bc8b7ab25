import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CliContext } from "../../src/cli/context.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { systemClock } from "../../src/runtime/system.js";

/** The built command. */
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** What it runs, to be loaded as it is. */
const PROGRAM = new URL("../../dist/cli/program.js", import.meta.url).href;

const encoder = new TextEncoder();

/** The package. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A CSV with four rows. */
export const ORDERS = "order,region,amount\n1,north,10.5\n2,south,20\n3,north,7\n4,east,1\n";

/** How a command ended. */
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** What a command is given beside its arguments. */
export type Given = { readonly input?: string | Uint8Array; readonly env?: Record<string, string> };

/** A folder of its own with `data/orders.csv`, in which commands run. */
export class Shell {
  readonly cwd: string;

  constructor(from?: Shell) {
    this.cwd = mkdtempSync(join(tmpdir(), "exo-cli-"));
    if (from === undefined) {
      mkdirSync(join(this.cwd, "data"));
      this.write("data/orders.csv", ORDERS);
    } else {
      cpSync(from.cwd, this.cwd, { recursive: true, preserveTimestamps: true });
    }
  }

  path(...names: string[]): string {
    return join(this.cwd, ...names);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return name;
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Rewrites a JSON file of the home. */
  edit(name: string, change: (value: Record<string, unknown>) => unknown): void {
    this.write(name, JSON.stringify(change(JSON.parse(this.read(name)) as Record<string, unknown>)));
  }

  /** Names in a folder, sorted. */
  list(name: string): string[] {
    return readdirSync(this.path(name)).sort();
  }

  /** Runs `exoarmur ARGS` to its end. */
  async exo(args: readonly string[], given: Given = {}): Promise<Ended> {
    return await ending(this.start(args, given));
  }

  /** Runs `exoarmur run -` with an intent. */
  async run(intent: unknown, args: readonly string[] = [], given: Given = {}): Promise<Ended> {
    return await this.exo(["run", "-", ...args], { ...given, input: JSON.stringify(intent) });
  }

  /** Starts `exoarmur ARGS`. */
  start(args: readonly string[], { input = "", env = {} }: Given = {}): ChildProcess {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("EXOARMUR_"));
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.cwd,
      env: { ...Object.fromEntries(inherited), ...env },
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
    return child;
  }

  remove(): void {
    rmSync(this.cwd, { recursive: true, force: true });
  }
}

/** Runs a command in the test's process: with this folder, streams of its own and no terminal, many times faster. */
export async function near(
  { cwd }: Pick<Shell, "cwd">,
  args: readonly string[],
  { input = "", env = {}, ...given }: Given & Partial<Pick<CliContext, "signal" | "stdout">> = {},
): Promise<Ended> {
  const { runCli } = (await import(PROGRAM)) as typeof import("../../src/cli/program.js");
  const out: Uint8Array[] = [];
  let stderr = "";
  const code = await runCli(args, {
    stdout: (text) => void out.push(typeof text === "string" ? encoder.encode(text) : text),
    stderr: (text) => {
      stderr += text;
    },
    readStdin: (maxBytes) => {
      const bytes = typeof input === "string" ? encoder.encode(input) : input;
      return Promise.resolve(bytes.length > maxBytes ? undefined : bytes);
    },
    ask: () => Promise.resolve(""),
    askSecret: () => Promise.resolve(""),
    cwd,
    env: { PATH: process.env["PATH"], ...env },
    isTTY: { stdin: false, stdout: false, stderr: false },
    clock: systemClock,
    entropy: systemEntropy,
    elapsed: () => performance.now(),
    signal: new AbortController().signal,
    exit: { code: 0 },
    ...given,
  });
  return { code, stdout: Buffer.concat(out).toString("utf8"), stderr };
}

/** A shell whose commands run near, for what is not about processes, signals and streams. */
export class NearShell extends Shell {
  override async exo(args: readonly string[], given: Given = {}): Promise<Ended> {
    return await near(this, args, given);
  }
}

/** Collects what a process prints until it ends. */
export async function ending(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Output with everything that differs from run to run replaced: ids, figures, key ids, durations. */
export function steady(text: string): string {
  return text
    .replaceAll(/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, "<ID>")
    .replaceAll(/[\d,]+ fuel/g, "<N> fuel")
    .replaceAll(/\d+ host calls?/g, "<N> host calls")
    .replaceAll(/\b\d+ ms/g, "<N> ms");
}

/** The only JSON document on stdout. */
export function jsonOf({ stdout }: Ended): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The code of an error printed with --json. */
export function errorOf(ended: Ended): string {
  return (jsonOf(ended)["error"] as { code: string }).code;
}

/** An intent that the starter policy allows. */
export const statsIntent = { actor: "me", action: "table.stats", parameters: { path: "data/orders.csv" } };

/** An intent that the starter policy gives to a person. */
export const removeIntent = { actor: "me", action: "fs.remove", parameters: { path: "data/orders.csv" } };
