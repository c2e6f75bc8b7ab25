import { readFileSync } from "node:fs";
import type { PolicyRule } from "../../../src/contracts/policy.js";
import { readConsolePage } from "../../../src/control/console-page.js";
import type { SandboxHost } from "../../../src/ports.js";
import { openPlane, type Plane } from "../../control/support.js";
import { FakeDisk } from "../../support/fake-sandbox.js";
import { draft, pluginAt, requestOf } from "../../support/rig.js";
import { grant } from "../../support/sign.js";
import { keys } from "../../support/world.js";

/** Text that HTML would run, that turns around what follows, that cannot be seen, and that does not end. */
export const hostile = {
  html: `"><img src=https://exo.invalid/x onerror=alert(1)><script>alert(2)</script>`,
  turned: "in\u202Evoice\u2066.csv",
  unseen: "pay\u200Broll\u00AD",
  long: "x".repeat(1500),
} as const;

/** The same as a name may have it, and as it is shown. */
export const hostileName = `rule ${hostile.html} ${hostile.turned}`;

const rules: readonly PolicyRule[] = [
  {
    id: "remove-needs-a-person",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    rationale: "deleting cannot be undone",
    obligations: { approvals: 1, roles: ["approver"], narrow: { fs_remove: { paths: ["{target}"] } } },
  },
  {
    id: hostileName,
    match: { action: "fs.write", target: { under: "data/secret" } },
    verdict: "deny",
    rationale: `${hostile.html} ${hostile.unseen} ${hostile.long}`,
  },
  { id: "files", match: { action: "fs.*", target: { under: "data" } }, verdict: "allow" },
];

/** What the tests of the console look at. */
export type ConsoleWorld = {
  readonly plane: Plane;
  /** Ids of intents by what became of them. */
  readonly ids: Readonly<Record<"executed" | "denied" | "pending" | "approved" | "doubt" | "hostile", string>>;
};

const hourMs = 3_600_000;

/** A control plane that serves the built console over a cell in which a day of work was done, with real workers. */
export async function openConsoleWorld(sandbox: SandboxHost): Promise<ConsoleWorld> {
  const html = readFileSync(new URL("../../../dist/web/console.html", import.meta.url));
  const disk = new FakeDisk();
  const plane = await openPlane({
    page: readConsolePage(new Uint8Array(html)),
    rig: { sandbox, disk, rules, plugins: [pluginAt("plugins/fs")], performers: disk.performers },
  });
  const { rig } = plane;
  rig.pipeline.refuseExecutor("table", {
    code: "EXO_WASM_FEATURE",
    message: `threads are not admitted ${hostile.html}`,
  });
  const run = async (action: string, path: string, more: object = {}) =>
    await rig.pipeline.execute(draft(action, path, { ...more } as never));
  for (let hour = 0; hour < 20; hour++) {
    for (let each = 0; each < (hour * 7) % 5; each++) await run("fs.read", "data/orders.csv");
    if (hour % 4 === 1) await run("fs.read", "elsewhere/orders.csv");
    if (hour % 6 === 2) {
      const asked = requestOf(await run("fs.remove", `data/old-${hour}.csv`));
      disk.files.set(`data/old-${hour}.csv`, "");
      await rig.pipeline.decide(await grant(asked, "alice", keys.alice));
    }
    rig.clock.advance(hourMs);
  }
  const executed = await run("fs.read", "data/orders.csv");
  const denied = await run("fs.read", "elsewhere/new");
  disk.files.set("data/week.csv", "");
  const asked = await run("fs.remove", "data/week.csv");
  await rig.pipeline.decide(await grant(requestOf(asked), "alice", keys.alice));
  disk.onWrite = () => Promise.resolve("unknown");
  const doubt = await run("fs.write", "data/report.csv", { parameters: { text: "a,b" } });
  disk.onWrite = null;
  const hostileOne = await run("fs.write", `data/secret/${hostile.turned}${hostile.unseen}`, {
    actor: { id: `agent ${hostile.html}`, type: "agent" },
    parameters: { text: `${hostile.html}\u0000\u001B[2J${hostile.long}` },
    correlationId: hostile.html,
  });
  rig.clock.advance(60_000);
  const pending = await run("fs.remove", "data/orders.csv");
  return {
    plane,
    ids: {
      executed: executed.intentId,
      denied: denied.intentId,
      pending: pending.intentId,
      approved: asked.intentId,
      doubt: doubt.intentId,
      hostile: hostileOne.intentId,
    },
  };
}
