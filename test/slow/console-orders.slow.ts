import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { realPool } from "../support/real.js";
import { draft, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";
import { stumbles, tabTo } from "../web/console/browser.js";
import { type ConsoleWorld, hostile, openConsole, openConsoleWorld, textOf, visit } from "../web/console/world.js";
import { artifacts, browsers, chromiumBrowser, fileIn, hasBrowser, scratchFolder } from "../web/support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("orders signed in the console", () => {
  const browser = chromiumBrowser();
  const folder = scratchFolder();
  const sandbox = realPool({ size: 1 });
  let world: ConsoleWorld;
  beforeAll(async () => {
    world = await openConsoleWorld(sandbox);
  });
  afterAll(async () => await world.plane.close());

  const logSize = (): number => world.plane.rig.ledger.size;
  /** Pictures of what is shown: light, dark, narrow. */
  const shots = async (page: Page, name: string): Promise<void> => {
    const size = page.viewportSize();
    for (const [look, colorScheme, width] of [
      ["light", "light", 1280],
      ["dark", "dark", 1280],
      ["narrow", "light", 390],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      expect([look, await stumbles(page)]).toEqual([look, []]);
      await page.screenshot({
        path: join(artifacts, `console-${name}-${look}.png`),
        fullPage: (await page.locator("dialog").count()) === 0,
      });
    }
    await page.emulateMedia({ colorScheme: "light" });
    if (size !== null) await page.setViewportSize(size);
  };

  describe("an action in doubt", () => {
    let page: Page;
    let seen: string[];
    beforeAll(async () => {
      ({ page, seen } = await openConsole(browser(), world, { key: "operator", id: "ops", role: "operator" }));
    });
    const open = async (): Promise<void> => {
      await page.evaluate(`location.hash = "#/in-doubt"`);
      await page.getByRole("button", { name: `Resolve ${world.ids.doubt}` }).click();
    };

    it("is not resolved without an outcome and something that shows it, nor by what is given up", async () => {
      const before = logSize();
      await open();
      const sign = page.getByRole("button", { name: "Sign and resolve" });
      expect(await sign.isDisabled()).toBe(true);
      await page.getByRole("radio", { name: /^not executed/ }).check();
      expect(await sign.isDisabled()).toBe(true);
      const file = fileIn(folder, "ledger.txt", "no such line in the bank's ledger");
      await page.setInputFiles("#evidence", file);
      await page.getByText(digestOf(readFileSync(file))).waitFor();
      await shots(page, "in-doubt");
      await page.keyboard.press("Escape");
      await page.locator("dialog").waitFor({ state: "detached" });
      expect(logSize()).toBe(before);
      expect(world.plane.rig.pipeline.status(world.ids.doubt).status).toBe("in_doubt");
    });

    it("is closed by what an operator signed, with the digest of the evidence and not the evidence", async () => {
      const sent: string[] = [];
      page.on("request", (request) => sent.push(request.postData() ?? ""));
      await open();
      await page.getByRole("radio", { name: /^not executed/ }).check();
      await page.setInputFiles("#evidence", fileIn(folder, "ledger.txt", "no such line in the bank's ledger"));
      await page.getByRole("button", { name: "Sign and resolve" }).click();
      await page.getByText(`${world.ids.doubt} was resolved as not executed.`).waitFor();
      await page.getByText("Nothing is in doubt.").waitFor();
      const resolved = world.plane.rig.pipeline.trace(world.ids.doubt).at(-1);
      expect(resolved).toMatchObject({
        eventType: "execution_resolved",
        payload: { outcome: "not_executed", evidence: [digestOf(encodeUtf8("no such line in the bank's ledger"))] },
      });
      expect(sent.filter((body) => body.includes("ledger"))).toEqual([]);
      expect(seen).toEqual([]);
    });
  });

  describe("the kill switch", () => {
    let page: Page;
    let seen: string[];
    beforeAll(async () => {
      ({ page, seen } = await openConsole(browser(), world, { key: "operator", id: "ops", role: "operator" }));
    });
    const standing = async (): Promise<string | null> => await page.textContent(".standing strong");

    it("is not switched without its scope typed, nor by what is given up", async () => {
      await visit(page, "kill-switch");
      expect(await standing()).toBe("Off");
      const before = logSize();
      await page.getByRole("button", { name: "Switch on for every tenant" }).click();
      expect(await page.textContent("dialog")).toMatch(/Nothing starts there.*cell.*local.*signed by.*ops/s);
      const sign = page.getByRole("button", { name: "Sign and switch on" });
      expect(await sign.isDisabled()).toBe(true);
      await page.fill("#typed-scope", "every tenan");
      await page.keyboard.press("Enter");
      expect(await sign.isDisabled()).toBe(true);
      await shots(page, "kill-switch-order");
      await page.keyboard.press("Escape");
      await page.locator("dialog").waitFor({ state: "detached" });
      expect([logSize(), await standing()]).toEqual([before, "Off"]);
    });

    it("on, without a mouse: what waited and is granted afterwards is denied", async () => {
      await tabTo(page, "Switch on for every tenant");
      await page.keyboard.press("Enter");
      await page.waitForSelector("dialog #typed-scope");
      await page.focus("#typed-scope");
      await page.keyboard.type("every tenant");
      await page.keyboard.press("Enter");
      await page.getByText("The kill switch was switched on for every tenant.").waitFor();
      await expect.poll(standing).toBe("On");
      const { rig, ask, login } = world.plane;
      expect((await ask("/v1/killswitch", { token: await login("admin") })).json).toMatchObject({
        global: true,
        killFile: false,
      });
      const approval = rig.pipeline.status(world.ids.pending);
      await rig.pipeline.decide(await grant(requestOf(approval), "alice", keys.alice));
      const ended = rig.pipeline.status(world.ids.pending);
      expect([ended.status, "reason" in ended && ended.reason.code]).toEqual(["denied", "EXO_KILL_SWITCH"]);
      expect(rig.disk.done).not.toContain("fs_remove data/orders.csv");
      await visit(page, "overview");
      expect(await textOf(page)).toContain("Stopped The kill switch is on for every tenant: nothing starts.");
      await visit(page, `intents/${world.ids.pending}`);
      await page.getByText("EXO_KILL_SWITCH").first().waitFor();
    });

    it("off again, and one tenant alone", async () => {
      await visit(page, "kill-switch");
      await page.getByRole("button", { name: "Switch off for every tenant" }).click();
      await page.fill("#typed-scope", "every tenant");
      await page.getByRole("button", { name: "Sign and switch off" }).click();
      await expect.poll(standing).toBe("Off");
      const { pipeline } = world.plane.rig;
      expect((await pipeline.execute(draft("fs.read", "data/orders.csv"))).status).toBe("executed");
      await page.getByRole("button", { name: "Switch on for tenant other" }).click();
      await page.fill("#typed-scope", "other");
      await page.getByRole("button", { name: "Sign and switch on" }).click();
      await expect
        .poll(async () => await textOf(page))
        .toContain("The kill switch is on for other: nothing starts there.");
      const other = await pipeline.execute(draft("fs.read", "data/orders.csv", { tenantId: "other" }));
      expect("reason" in other && other.reason.code).toBe("EXO_KILL_SWITCH");
    });

    it("a tenant that there is none of is refused, and the dialog says so", async () => {
      await page.fill("#other-tenant", "nobody");
      await page.getByRole("button", { name: "Switch on", exact: true }).click();
      await page.fill("#typed-scope", "nobody");
      await page.keyboard.press("Enter");
      await page.locator("dialog .problem").waitFor();
      expect(await page.textContent("dialog .problem")).toContain("EXO_TENANT_UNKNOWN");
      await page.getByRole("button", { name: "Cancel" }).click();
      expect(seen.filter((what) => !/status of 40/.test(what))).toEqual([]);
      await page.close();
    });
  });

  describe("policies", () => {
    let page: Page;
    let seen: string[];
    let digest = "";
    beforeAll(async () => {
      ({ page, seen } = await openConsole(browser(), world, { key: "author", id: "author", role: "policy-author" }));
    });
    const inForce = async () => {
      const { ask, login } = world.plane;
      return (await ask("/v1/policy", { token: await login("author") })).json as unknown as {
        version: number;
        document: { rules: { id: string }[] };
      };
    };
    const propose = async (policy: object): Promise<void> => {
      await page.setInputFiles("#policy-file", fileIn(folder, "policy.json", JSON.stringify(policy)));
      await page.getByRole("button", { name: "Sign and propose" }).click();
    };

    it("a file is shown before it is signed, and what is none is refused here", async () => {
      await visit(page, "policies");
      await page.setInputFiles("#policy-file", fileIn(folder, "none.json", '{"schema":"exoarmur.policy/v1"}'));
      await page.waitForSelector(".propose .problem");
      expect(await page.textContent(".propose .problem")).toContain("EXO_SCHEMA");
      expect(await page.getByRole("button", { name: "Sign and propose" }).count()).toBe(0);
      const { document } = await inForce();
      const before = logSize();
      await page.setInputFiles(
        "#policy-file",
        fileIn(folder, "policy.json", JSON.stringify({ ...document, version: 2, rules: document.rules.slice(1) })),
      );
      await page.waitForSelector(".propose table.rules");
      expect(await page.locator(".propose table.rules tbody tr").count()).toBe(3);
      expect(logSize()).toBe(before);
      await page.getByRole("button", { name: "Sign and propose" }).click();
      await page.getByText("Version 2 is proposed.").waitFor();
      expect((await inForce()).version).toBe(1);
    });

    it("a proposal shows what changes, and is not activated before its backtest was looked at", async () => {
      await page.locator("ul.rows a").click();
      await page.waitForSelector("h1 >> text=version 2");
      digest = (await page.textContent(".facts .digest")) ?? "";
      const shown = await textOf(page);
      expect(shown).toContain("It allows more than the policy in force does.");
      expect(shown).toContain("remove-needs-a-person removed");
      expect(shown).toContain("2 more are the same.");
      expect(await page.getByRole("button", { name: "Activate" }).isDisabled()).toBe(true);
      await page.getByRole("button", { name: "Run the backtest" }).click();
      await page.waitForSelector("[role=status] .standing");
      expect(await page.textContent("[role=status] .standing")).toMatch(
        /^Of \d+ decisions \d+ would have been another/,
      );
      expect(await textOf(page)).toContain("require approval by remove-needs-a-person");
      await shots(page, "proposal");
      expect((await inForce()).version).toBe(1);
    });

    it("a document that is not the one of its digest is not to be signed", async () => {
      const path = `**/v1/policies/${encodeURIComponent(digest)}`;
      await page.route(path, async (route) => {
        const answer = await route.fetch();
        const proposal = (await answer.json()) as { document: { rules: unknown[] } };
        proposal.document.rules = [];
        await route.fulfill({ response: answer, json: proposal });
      });
      await visit(page, "policies");
      await page.locator("ul.rows a").click();
      await page.waitForSelector(".problem");
      expect(await page.textContent(".problem")).toContain("The document that came is not the one of this digest.");
      expect(await page.getByRole("button").filter({ hasText: "Activate" }).count()).toBe(0);
      await page.unroute(path);
    });

    it("a second step activates it; the one in force is then another", async () => {
      await visit(page, "policies");
      await page.locator("ul.rows a").click();
      await page.getByRole("button", { name: "Run the backtest" }).click();
      await page.getByRole("button", { name: "Activate" }).click();
      expect(await page.textContent("dialog")).toMatch(
        /Put version 2 of.*in force.*in place of.*version 1.*widens.*decisions.*signed by.*author/s,
      );
      await shots(page, "activation");
      await page.keyboard.press("Escape");
      expect((await inForce()).version).toBe(1);
      await page.getByRole("button", { name: "Activate" }).click();
      await page.getByRole("button", { name: "Sign and activate" }).click();
      await page.waitForSelector("h1 >> text=Policies");
      expect((await inForce()).version).toBe(2);
      await expect.poll(async () => await textOf(page)).toContain("test version 2");
    });

    it("a proposal of hostile text does nothing but show, and can be taken back", async () => {
      const { document } = await inForce();
      await visit(page, "policies");
      const rule = {
        id: `new ${hostile.html} ${hostile.turned}`,
        match: { action: "fs.*" },
        verdict: "deny",
        rationale: hostile.unseen,
      };
      await propose({ ...document, version: 3, rules: [rule, ...document.rules] });
      await page.locator("ul.rows a").click();
      await page.waitForSelector(".changes");
      const shown = await textOf(page);
      for (const part of [hostile.html, "in\\u{202E}voice\\u{2066}.csv", "pay\\u{200B}roll"])
        expect(shown).toContain(part);
      expect(shown).toContain("It allows nothing that the policy in force does not allow.");
      await page.getByRole("button", { name: "Withdraw the proposal" }).click();
      await page.getByText("Nothing waits.").waitFor();
      expect(seen).toEqual([]);
      await page.close();
    });

    it("a reader is offered none of it", async () => {
      const reader = await openConsole(browser(), world, { token: world.plane.token({ kind: "viewer" }) });
      await visit(reader.page, "policies");
      expect(await reader.page.locator("#policy-file").count()).toBe(0);
      await visit(reader.page, "kill-switch");
      expect(await reader.page.locator("main button").count()).toBe(0);
      expect(reader.seen).toEqual([]);
      await reader.page.close();
    });
  });
});
