import type { SandboxConfig } from "../contracts/config.js";
import type { Logger, SandboxHost } from "../ports.js";
import { createSandboxPool, openProcessPool } from "../sandbox/pool.js";
import { examineProcesses, type Restriction } from "../sandbox/processes/isolation.js";

/** The built worker entries, beside this module. */
const workerUrl = new URL("../sandbox/worker.js", import.meta.url);
const processUrl = new URL("../sandbox/worker-process.js", import.meta.url);

/** Opens the sandbox of a configuration; threads unless it says processes. EXO_ISOLATION, EXO_USAGE. */
export async function openSandbox(config: SandboxConfig, logger: Logger): Promise<SandboxHost> {
  const { kind = "threads", workers, queueBound, queueBytes, memoryMb, user } = config;
  const options = {
    logger,
    ...(workers === undefined ? {} : { size: workers }),
    ...(queueBound === undefined ? {} : { queueBound }),
    ...(queueBytes === undefined ? {} : { queueBytes }),
  };
  return kind === "threads"
    ? createSandboxPool({ ...options, workerUrl })
    : await openProcessPool({ ...options, processUrl, memoryMb, user });
}

/** What the workers of a configuration are confined to on this machine. Starts a process to see. EXO_ISOLATION. */
export async function examineIsolation({ kind, memoryMb, user }: SandboxConfig): Promise<readonly Restriction[]> {
  if (kind === "processes") {
    return await examineProcesses({ processUrl, memoryMb, user });
  }
  return [
    { what: "environment", inForce: true, detail: "empty" },
    {
      what: "own process",
      inForce: false,
      detail: "a thread has what the runtime has, should V8 fail to hold a guest",
    },
  ];
}
