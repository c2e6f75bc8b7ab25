import type { SandboxConfig } from "../contracts/config.js";
import { examineIsolation } from "../runtime/sandbox.js";
import { type Diagnosis, examine } from "./diagnosis.js";

/** Which kind of worker runs executors and which restrictions really hold on this machine (spec/sandbox.md, Isolation). */
export async function diagnoseIsolation(config: SandboxConfig): Promise<Diagnosis> {
  const { kind = "threads" } = config;
  return await examine("isolation", async () => {
    const restrictions = await examineIsolation(config);
    const list = (inForce: boolean): string =>
      restrictions
        .filter((restriction) => restriction.inForce === inForce)
        .map(({ what, detail }) => `${what} (${detail})`)
        .join(", ");
    const missing = list(false);
    const message = `${kind}; in force: ${list(true)}${missing === "" ? "" : `; not in force: ${missing}`}`;
    // Threads are what was asked for; a process that lacks something may not be.
    return kind === "threads" || missing === "" ? message : { state: "warn", message };
  });
}
