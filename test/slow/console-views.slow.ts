import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realPool } from "../support/real.js";
import { type ConsoleWorld, openConsoleWorld } from "../web/console/world.js";
import { artifacts, browsers, chromiumBrowser, hasBrowser } from "../web/support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("the console's views in Chromium", () => {
  const browser = chromiumBrowser();
  const sandbox = realPool({ size: 1 });
  let world: ConsoleWorld;
  beforeAll(async () => {
    world = await openConsoleWorld(sandbox);
  });
  afterAll(async () => await world.plane.close());

  type Opened = { readonly page: Page; readonly seen: string[] };
  const open = async (options: Parameters<ReturnType<typeof browser>["newPage"]>[0] = {}): Promise<Opened> => {
    const page = await browser().newPage(options);
    const { origin } = world.plane.server;
    const seen = watchConsole(page, origin);
    await page.clock.setFixedTime(world.plane.rig.clock.now());
    await page.goto(`${origin}/`);
    await page.fill('input[name="token"]', await world.plane.login("admin"));
    await page.keyboard.press("Enter");
    await page.waitForSelector("nav");
    return { page, seen };
  };

  const visit = async (page: Page, hash: string): Promise<void> => {
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await page.waitForSelector("h1");
    await page.waitForTimeout(500);
  };

  it("screens", async () => {
    for (const [name, options] of [
      ["light", { colorScheme: "light" }],
      ["dark", { colorScheme: "dark" }],
      ["narrow", { colorScheme: "light", viewport: { width: 390, height: 800 } }],
    ] as const) {
      const { page, seen } = await open(options);
      for (const view of [
        "overview",
        "intents",
        "policies",
        "plugins",
        "kill-switch",
        `intents/${world.ids.hostile}`,
        `intents/${world.ids.approved}`,
      ]) {
        await visit(page, `#/${view}`);
        const file = view.includes("/") ? `intent-${view.endsWith(world.ids.hostile) ? "hostile" : "approved"}` : view;
        await page.screenshot({ path: join(artifacts, `console-${file}-${name}.png`), fullPage: true });
      }
      expect(seen).toEqual([]);
      await page.close();
    }
  });
});

function watchConsole(page: Page, origin: string): string[] {
  const seen: string[] = [];
  page.on("dialog", (dialog) => void dialog.dismiss().then(() => seen.push(`dialog: ${dialog.message()}`)));
  page.on("console", (message) => seen.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("blob:"))
      seen.push(`request: ${request.url()}`);
  });
  return seen;
}
