import { readFileSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import type { SessionRole } from "../../../src/contracts/access.js";
import type { PolicyRule } from "../../../src/contracts/policy.js";
import { readConsolePage } from "../../../src/control/console-page.js";
import { encodeBase64, encodeUtf8 } from "../../../src/crypto/encoding.js";
import { sha256 } from "../../../src/crypto/sha256.js";
import type { SandboxHost } from "../../../src/ports.js";
import { openPlane, type Plane } from "../../control/support.js";
import { FakeDisk } from "../../support/fake-sandbox.js";
import { draft, pluginAt, requestOf } from "../../support/rig.js";
import { grant } from "../../support/sign.js";
import { keys, trusted } from "../../support/world.js";
import { watchConsole } from "./browser.js";

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

/** A page of the console, and what it did that it must not do. */
export type Opened = { readonly page: Page; readonly seen: string[] };

/** Who logs in: with a token, or with a key of the test world under its name in the trust file. */
export type Login =
  | { readonly token: string }
  | { readonly key: keyof typeof keys; readonly id: string; readonly role: SessionRole };

/** Opens the console on the world's clock, and logs in as a person does. */
export async function openConsole(
  browser: Browser,
  { plane }: ConsoleWorld,
  who: Login,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const page = await browser.newPage(options);
  const { origin } = plane.server;
  const seen = watchConsole(page, origin);
  await page.clock.setFixedTime(plane.rig.clock.now());
  await page.goto(`${origin}/`);
  if ("token" in who) {
    await page.click("text=With a reader's token");
    await page.fill("#token", who.token);
    await page.keyboard.press("Enter");
  } else {
    await page.setInputFiles(".keys input[type=file]", {
      ...{ name: `${who.id}.key`, mimeType: "application/json", buffer: keyFile(who) },
    });
    await page.getByRole("button", { name: `Log in as ${who.id}` }).click();
  }
  await page.waitForSelector("nav");
  return { page, seen };
}

/** The key file of a home for a key of the test world. */
function keyFile({ key, id, role }: Extract<Login, { key: string }>): Buffer {
  const { keyId } = keys[key];
  const { publicKey } = trusted(role, id, keys[key]);
  // As signerNamed makes it.
  const seed = encodeBase64(sha256(encodeUtf8(`test key ${key}`)));
  return Buffer.from(JSON.stringify({ schema: "exoarmur.key/v1", role, id, keyId, publicKey, seed }));
}

/** Each view, and what is there when it has read what it shows. */
const readyBy: Readonly<Record<string, string>> = {
  overview: "figure.chart",
  intents: "table.intents",
  activity: "ol.events",
  policies: "table.rules",
  plugins: ".card",
  "kill-switch": "table.switches",
};

/** Names of the views of the whole cell. */
export const viewNames = Object.keys(readyBy);

/** Goes to a view, or to an intent's, and waits until it shows what it read. */
export async function visit(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${hash}`)}`);
  const [view, id] = hash.split("/");
  if (view === "intents" && id !== undefined) await page.waitForSelector(`.intent .facts >> text=${id}`);
  await page.waitForSelector(readyBy[hash] ?? "h2");
}

/** What the view says, as it is laid out, with single spaces. */
export async function textOf(page: Page): Promise<string> {
  const text = await page.locator("main").evaluate((main: { innerText: string }) => main.innerText);
  return text.replace(/\s+/g, " ");
}
