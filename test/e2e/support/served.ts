import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Shell } from "../cli.js";

/** What turns the control plane on. */
export const controlFlags = {
  EXOARMUR_FLAG_V2_FEDERATION_ENABLED: "1",
  EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "1",
};

/** `exoarmur serve` in a process of its own. */
export type Served = {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly inDoubt: readonly string[];
  stderr(): string;
  /** Resident memory in bytes, as the kernel counts it. */
  resident(): number;
  /** Sends a signal and waits for the end. Gives the exit code, null after a kill. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
};

/** Starts it over a home and waits until it listens. `port` 0 takes a free one. */
export async function startServed(shell: Shell, port = 0): Promise<Served> {
  const child = shell.start(["serve", "--port", String(port), "--json"], { env: controlFlags });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let text = "";
  for await (const part of child.stdout?.setEncoding("utf8") ?? []) {
    text += String(part);
    if (text.endsWith("}\n")) break;
  }
  if (text === "") throw new Error(`serve did not start: ${stderr}`);
  const { origin, inDoubt } = JSON.parse(text) as { origin: string; inDoubt: string[] };
  return {
    child,
    origin,
    inDoubt,
    stderr: () => stderr,
    resident: () => {
      const [, kib = "0"] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "latin1")) ?? [];
      return Number(kib) * 1024;
    },
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const closed = once(child, "close");
      child.kill(signal);
      const [code] = (await closed) as [number | null];
      return code;
    },
  };
}
