import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { visible } from "../../src/web/visible.js";
import { realPool } from "../support/real.js";
import { stumbles, tabTo } from "../web/console/browser.js";
import {
  type ConsoleWorld,
  hostile,
  hostileName,
  type Opened,
  openConsole,
  openConsoleWorld,
  textOf,
  viewNames,
  visit,
} from "../web/console/world.js";
import { artifacts, browsers, chromiumBrowser, fileIn, hasBrowser, scratchFolder } from "../web/support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("the console's views in Chromium", () => {
  const browser = chromiumBrowser();
  const folder = scratchFolder();
  const sandbox = realPool({ size: 1 });
  let world: ConsoleWorld;
  beforeAll(async () => {
    world = await openConsoleWorld(sandbox);
    fileIn(folder, "trust.json", JSON.stringify(world.plane.rig.trust));
  });
  afterAll(async () => await world.plane.close());

  const open = async (token: string, options: BrowserContextOptions = {}): Promise<Opened> =>
    await openConsole(browser(), world, { token }, options);
  const viewer = async (): Promise<string> => await world.plane.login("admin");
  const api = async (path: string): Promise<Record<string, never>> => {
    const answer = await world.plane.ask(path, { token: await viewer() });
    return answer.json as Record<string, never>;
  };

  describe("each view shows what the API says", () => {
    let page: Page;
    let seen: string[];
    beforeAll(async () => {
      ({ page, seen } = await open(await viewer()));
    });

    it("overview: what waits, what is in force, how long the log is, and every intent of the day in the chart", async () => {
      await visit(page, "overview");
      const shown = await textOf(page);
      expect(shown).toContain("Open Actions start where policy and safety allow them.");
      expect(shown).toContain("Waiting for approval 1 In doubt 1 Running 0");
      expect(shown).toContain(`Log entries ${world.plane.rig.ledger.size}`);
      expect(shown).toContain("test version 1");
      const { items } = (await api("/v1/intents?limit=100")) as unknown as { items: { state: string }[] };
      const denied = items.filter(({ state }) => state === "denied").length;
      const counts = await page.locator(".legend .count").allTextContents();
      expect(counts.map(Number).reduce((sum, count) => sum + count, 0)).toBe(items.length);
      expect(counts.map(Number)).toEqual([items.length - denied - 5, 5, denied]);
      await page.click("text=As a table");
      const cells = (await page.locator(".chart td").allTextContents()).map(Number);
      expect(cells).toHaveLength(24 * 3);
      expect(cells.reduce((sum, count) => sum + count, 0)).toBe(items.length);
      await page.click("text=week");
      await page.locator(".chart tbody tr").nth(27).waitFor({ state: "attached" });
      expect(await page.getAttribute(".chart svg", "aria-label")).toContain("the last week, by 6 hours");
    });

    it("intents: page by page, every one once, newest first", async () => {
      await visit(page, "intents");
      const { items } = (await api("/v1/intents?limit=100")) as unknown as { items: { intentId: string }[] };
      const ids = async (): Promise<(string | undefined)[]> => {
        const links = await page
          .locator("table.intents a")
          .evaluateAll((all) => all.map((one) => (one as never as { hash: string }).hash));
        return links.map((hash) => hash.split("/").at(-1));
      };
      const first = await ids();
      expect(first).toHaveLength(50);
      await page.click("text=Older");
      await expect.poll(() => page.locator("table.intents a").count()).toBe(items.length - 50);
      expect([...first, ...(await ids())]).toEqual(items.map(({ intentId }) => intentId));
      await page.click("text=Newer");
      await expect.poll(() => page.locator("table.intents a").count()).toBe(50);
      expect(await ids()).toEqual(first);
    });

    it("intents: filters are the API's, and stand in the address", async () => {
      await visit(page, "intents");
      await page.selectOption("#filter-state", "denied");
      await page.fill("#filter-action", "fs.read");
      await page.keyboard.press("Enter");
      const { items } = (await api("/v1/intents?state=denied&action=fs.read")) as unknown as { items: unknown[] };
      await expect.poll(() => page.locator("table.intents tbody tr").count()).toBe(items.length);
      expect(await page.evaluate("location.hash")).toBe("#/intents/state%3Ddenied%26action%3Dfs.read");
      await page.fill("#filter-action", "no action");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".problem");
      expect(await page.textContent(".problem")).toMatch(/^EXO_SCHEMA .* request [0-9A-HJKMNP-TV-Z]{26}$/);
      expect(seen.splice(0)).toEqual([expect.stringContaining("400")]);
    });

    it("an intent: every event with its payload, the figures of the run, the approval that it waits for", async () => {
      await visit(page, `intents/${world.ids.approved}`);
      const events = world.plane.rig.pipeline.trace(world.ids.approved);
      expect(await page.locator(".events .title").allTextContents()).toEqual(
        events.map(({ eventType }) => eventType.replaceAll("_", " ")),
      );
      await page.click(".events summary >> text=approval granted");
      expect(JSON.parse((await page.textContent(".events [open] pre")) ?? "")).toEqual(
        events.find(({ eventType }) => eventType === "approval_granted")?.payload,
      );
      const { result } = (await api(`/v1/intents/${world.ids.approved}`)) as never as {
        result: { fuel: { used: number } };
      };
      expect(await textOf(page)).toContain(
        `fuel ${result.fuel.used.toLocaleString("en-US")} of 1,000,000,000 host calls 1`,
      );
      await visit(page, `intents/${world.ids.pending}`);
      await page.waitForSelector("text=Review the approval request");
      expect(await page.locator("#proof").count()).toBe(0);
      await visit(page, `intents/${world.ids.denied}`);
      await page.waitForSelector(".reason");
      expect(await page.textContent(".reason")).toMatch(/EXO_POLICY_DENIED.*By default\..*No approval would help\./);
    });

    it("activity: every event, newest first, and those of one type", async () => {
      await visit(page, "activity");
      const { items } = (await api("/v1/events?limit=50")) as unknown as { items: { eventType: string }[] };
      const titles = async (): Promise<string[]> => await page.locator(".events .title").allTextContents();
      expect(await titles()).toEqual(items.map(({ eventType }) => eventType.replaceAll("_", " ")));
      await page.click("text=Older");
      await expect.poll(() => page.getByRole("button", { name: "Newer" }).isEnabled()).toBe(true);
      await page.selectOption("#event-type", "plugin_admitted");
      await expect.poll(titles).toEqual(["plugin admitted"]);
      expect(await page.textContent(".events .telling")).toBe("fs 1.0.0");
    });

    it("plugins, policies and kill switches", async () => {
      await visit(page, "plugins");
      const [fs] = world.plane.rig.pipeline.executors.list();
      expect(await textOf(page)).toContain(fs?.plugin.digest);
      expect(await page.locator(".card tbody tr").count()).toBe(fs?.manifest.functions.length);
      expect(await textOf(page)).toContain("EXO_WASM_FEATURE threads are not admitted");
      await visit(page, "policies");
      expect(await page.locator("table.rules tbody tr").count()).toBe(4);
      expect(await textOf(page)).toContain("1 approval by approver");
      await page.click("text=The document");
      const { document } = await api("/v1/policy");
      expect(await page.textContent("details pre")).toBe(visible(JSON.stringify(document, null, 2), true));
      await visit(page, "kill-switch");
      expect(await page.locator("table.switches .off").count()).toBe(3);
      expect(await page.locator("table.switches button").count()).toBe(0);
    });

    it("nothing left the origin, no policy was broken, nothing was said to the browser's console", () => {
      expect(seen).toEqual([]);
    });
  });

  it("text that tries to be more than text is shown, all of it, and does nothing", async () => {
    const { page, seen } = await open(await viewer());
    await page.setViewportSize({ width: 390, height: 800 });
    for (const view of [...viewNames, `intents/${world.ids.hostile}`]) {
      await visit(page, view);
      for (const summary of await page.locator("summary").all()) await summary.click();
      expect(await page.locator("main script, main img, main iframe").count()).toBe(0);
      const text = (await page.textContent("main")) ?? "";
      expect(
        ["\u202E", "\u2066", "\u200B", "\u00AD", "\u0000", "\u001B"].filter((char) => text.includes(char)),
      ).toEqual([]);
      expect(await stumbles(page)).toEqual([]);
    }
    const shown = await textOf(page);
    for (const part of [hostile.html, "in\\u{202E}voice\\u{2066}.csv", "pay\\u{200B}roll\\u{00AD}", hostile.long]) {
      expect(shown).toContain(part);
    }
    expect(shown).toContain(hostileName.replace("\u202E", "\\u{202E}").replace("\u2066", "\\u{2066}"));
    expect(seen).toEqual([]);
    await page.close();
  });

  describe("the proof of an intent", () => {
    let page: Page;
    let seen: string[];
    beforeAll(async () => {
      ({ page, seen } = await open(await viewer()));
    });
    const verify = async (): Promise<string> => {
      await page.click("text=Verify and replay here");
      await page.waitForSelector(".verdict:not(.checking)");
      return (await page.textContent("#verdict")) ?? "";
    };

    it("one click verifies and replays it; without a trust file that shows only that it is whole", async () => {
      await visit(page, `intents/${world.ids.approved}`);
      expect(await verify()).toBe("Pass");
      expect(await page.textContent(".mode")).toMatch(/^Self-check only/);
      await page.setInputFiles("#trust-file", join(folder, "trust.json"));
      await page.waitForSelector(".proof >> text=trust.json");
      expect(await verify()).toBe("Pass");
      expect(await page.textContent(".mode")).toMatch(/^Pinned keys/);
      expect(await page.locator(".steps li.call").count()).toBe(1);
      await page.screenshot({ path: join(artifacts, "console-proof-light.png"), fullPage: true });
      expect(await stumbles(page)).toEqual([]);
    });

    it("the trust file stays chosen for the next intent, and one that is none is no pass", async () => {
      await visit(page, `intents/${world.ids.executed}`);
      await page.waitForSelector(".proof >> text=trust.json");
      expect(await verify()).toBe("Pass");
      await page.setInputFiles("#trust-file", fileIn(folder, "none.json", "[]"));
      await page.waitForSelector(".proof >> text=none.json");
      expect(await verify()).toBe("Unable");
      await page.setInputFiles("#trust-file", join(folder, "trust.json"));
    });

    it("a bundle that was altered on its way fails", async () => {
      await page.route(`**/v1/intents/${world.ids.executed}/bundle`, async (route) => {
        const answer = await route.fetch();
        const bytes = await answer.body();
        bytes[bytes.length - 40] = (bytes.at(-40) ?? 0) ^ 1;
        await route.fulfill({ response: answer, body: bytes });
      });
      await visit(page, `intents/${world.ids.executed}`);
      expect(await verify()).toBe("Fail");
      await page.unroute(`**/v1/intents/${world.ids.executed}/bundle`);
      expect(await verify()).toBe("Pass");
    });

    it("the download has the very bytes, under the intent's name", async () => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download bundle")]);
      expect(download.suggestedFilename()).toBe(`${world.ids.executed}.proof.json`);
      const bytes = world.plane.rig.pipeline.bundle(world.ids.executed)?.bytes();
      expect(new Uint8Array(readFileSync(await download.path()))).toEqual(bytes);
      expect(seen).toEqual([]);
      await page.close();
    });
  });

  it("an intent is found, opened, verified and left without a mouse", async () => {
    const { page, seen } = await open(await viewer());
    await tabTo(page, "Intents");
    await page.keyboard.press("Enter");
    await page.waitForSelector("table.intents");
    await tabTo(page, "Search");
    await tabTo(page, "fs.remove");
    await page.keyboard.press("Enter");
    await page.waitForSelector("ol.events");
    await page.goBack();
    await page.waitForSelector("table.intents");
    await visit(page, `intents/${world.ids.executed}`);
    await tabTo(page, "Verify and replay here");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".verdict.pass");
    await tabTo(page, "Overview").catch(() => tabTo(page, "Overview"));
    await page.keyboard.press("Enter");
    await page.waitForSelector("figure.chart");
    expect(seen).toEqual([]);
    await page.close();
  });

  it("what happens meanwhile is shown, and takes neither the focus nor the place", async () => {
    const { page, seen } = await open(await viewer(), { viewport: { width: 1000, height: 500 } });
    await visit(page, "intents");
    await page.fill("#filter-actorId", "half a na");
    await page.evaluate("scrollTo(0, 600)");
    const place = async (row: number) => {
      const link = page.locator("table.intents a").nth(row);
      return [await link.getAttribute("href"), await link.boundingBox()] as const;
    };
    const before = await place(12);
    const { intentId } = await world.plane.rig.pipeline.execute({
      ...{ action: "fs.read", parameters: { path: "data/live.csv" }, actor: { id: "late-agent", type: "agent" } },
    } as never);
    await page.waitForSelector(`a[href="#/intents/${intentId}"]`);
    expect(await page.evaluate("[document.activeElement.id, document.activeElement.value]")).toEqual([
      "filter-actorId",
      "half a na",
    ]);
    const [href, box] = await place(13);
    expect(href).toBe(before[0]);
    expect(Math.abs((box?.y ?? 0) - (before[1]?.y ?? 0))).toBeLessThan(2);
    expect(seen).toEqual([]);
    await page.close();
  });

  it("who has one tenant sees that one; who may not ask is not made to", async () => {
    const own = await open(world.plane.token({ kind: "viewer" }, "other"));
    await visit(own.page, "overview");
    expect(await textOf(own.page)).toContain("Waiting for approval 0 In doubt 0");
    await visit(own.page, "kill-switch");
    expect(await textOf(own.page)).not.toContain("tenant default");
    await own.page.evaluate("location.hash = '#/intents'");
    await own.page.waitForSelector("text=None.");
    expect(await own.page.locator("#filter-tenantId").count()).toBe(0);
    expect(own.seen).toEqual([]);
    await own.page.evaluate(`location.hash = '#/intents/${world.ids.executed}'`);
    await own.page.waitForSelector(".problem");
    expect(await own.page.textContent(".problem")).toContain("EXO_INTENT_UNKNOWN");
    await own.page.close();

    const agent = await open(
      world.plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] }),
    );
    const refused: string[] = [];
    agent.page.on("response", (answer) => answer.status() >= 400 && refused.push(answer.url()));
    for (const view of viewNames) {
      await agent.page.evaluate(`location.hash = '#/${view}'`);
      await agent.page.waitForSelector("h1");
    }
    await visit(agent.page, "overview");
    expect(refused).toEqual([]);
    expect(agent.seen).toEqual([]);
    await agent.page.close();
  });

  it.each([
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["narrow", { colorScheme: "light", viewport: { width: 390, height: 800 } }],
  ] as const)("for the eye: %s", async (look, options) => {
    const { page, seen } = await open(await viewer(), options);
    const views = {
      ...Object.fromEntries(viewNames.map((name) => [name, name])),
      intent: `intents/${world.ids.approved}`,
      hostile: `intents/${world.ids.hostile}`,
    };
    for (const [name, view] of Object.entries(views)) {
      await visit(page, view);
      expect([view, await stumbles(page)]).toEqual([view, []]);
      await page.screenshot({ path: join(artifacts, `console-${name}-${look}.png`), fullPage: true });
    }
    expect(seen).toEqual([]);
    await page.close();
  });
});
