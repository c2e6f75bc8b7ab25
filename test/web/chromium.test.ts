import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { Forge, rewriteCall } from "../support/forge.js";
import { realPool } from "../support/real.js";
import { pluginAt, type Rig } from "../support/rig.js";
import { type BundleName, bundleNames, claimed, makeWebBundles, scriptedBundle, scriptText } from "./bundles.js";
import { resultDigests } from "./result-digests.js";
import { artifacts, browsers, chromiumBrowser, fileIn, hasBrowser, pageUrl, scratchFolder, watch } from "./support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("the page in Chromium", () => {
  const browser = chromiumBrowser();
  const folder = scratchFolder();
  const sandbox = realPool({ size: 1 });
  let rig: Rig;
  let bytes: Map<BundleName, Uint8Array>;
  beforeAll(async () => {
    ({ rig, bytes } = await makeWebBundles(sandbox));
    fileIn(folder, "trust.json", JSON.stringify(rig.trust));
  });

  const bundle = (name: BundleName): Uint8Array => bytes.get(name) as Uint8Array;
  const forge = (name: BundleName): Forge => new Forge(bundle(name));

  type Opened = { readonly page: Page; readonly seen: string[] };
  const open = async (options: Parameters<ReturnType<typeof browser>["newPage"]>[0] = {}): Promise<Opened> => {
    const page = await browser().newPage(options);
    const seen = watch(page);
    await page.goto(pageUrl);
    return { page, seen };
  };

  /** Gives files to an open page and waits for its result. */
  const give = async (page: Page, name: string, content: Uint8Array | string, trusted = true): Promise<string> => {
    if (trusted) await page.setInputFiles("#trust-file", join(folder, "trust.json"));
    await page.setInputFiles("#bundle-file", fileIn(folder, name, content));
    // The page may still show the file before.
    await page.locator(".facts dd:first-of-type", { hasText: `${name},` }).waitFor();
    return await resultOf(page);
  };
  const resultOf = async (page: Page): Promise<string> => {
    await page.waitForSelector(".verdict:not(.checking)");
    return (await page.textContent("#verdict")) ?? "";
  };

  /** A file's result and sentence on a page of its own, which did nothing it must not do. */
  const judge = async (content: Uint8Array | string, trusted = true): Promise<[string, string]> => {
    const { page, seen } = await open();
    const word = await give(page, "case.proof.json", content, trusted);
    const sentence = (await page.textContent(".sentence")) ?? "";
    expect(seen).toEqual([]);
    await page.close();
    return [word, sentence];
  };

  const listed = async (page: Page, selector: string): Promise<string[]> =>
    await page.locator(selector).allTextContents();

  describe("bundles of the real runtime", () => {
    let page: Page;
    let seen: string[];
    beforeAll(async () => {
      ({ page, seen } = await open());
    });

    it.each(bundleNames)("%s: the recorded result digest, as in Node", async (name) => {
      const report = await new ReplayEngine({ sandbox, trust: rig.trust }).replayBundle(bundle(name));
      const word = await give(page, `${name}.proof.json`, bundle(name));
      expect([word, await page.textContent(".sentence")]).toEqual(["Pass", expect.any(String)]);
      expect(report.result).toBe("success");
      expect((await listed(page, ".facts dd")).at(-1)).toBe(resultDigests[name]);
      expect(resultDigest(report)).toBe(resultDigests[name]);
      expect(await listed(page, "#again ~ .wide .fail")).toEqual([]);
      const shown = await listed(page, "#again ~ .wide tbody tr:nth-child(3) td");
      const fuel = report.executions[0]?.recorded.fuel.toLocaleString("en-US");
      expect(shown).toEqual(fuel === undefined ? [] : [fuel, fuel, "same"]);
      expect(seen).toEqual([]);
    });
  });

  it("without a trust file a pass is a self-check, and says so", async () => {
    const { page } = await open();
    expect(await give(page, "executed.proof.json", bundle("executed"), false)).toBe("Pass");
    expect(await page.textContent(".mode")).toMatch(/^Self-check only The keys are the bundle's own/);
    await page.setInputFiles("#trust-file", join(folder, "trust.json"));
    await page.waitForSelector("text=Pinned keys");
    expect(await resultOf(page)).toBe("Pass");
    await page.close();
  });

  describe("tampered bundles", () => {
    it("a changed answer: the first differing step is where the story opens", async () => {
      const forged = forge("executed");
      await forged.hostCall((call) => rewriteCall(call, "response", (value) => (value.ok.bytes[0] ^= 1)));
      const { page } = await open();
      expect(await give(page, "answer.proof.json", await forged.pack())).toBe("Fail");
      expect(await page.textContent("article .difference")).toMatch(
        /output.*executor output mismatch.*at byte.*recorded.*here/s,
      );
      expect(await page.locator(".difference mark").count()).toBe(2);
      expect(await page.textContent("article.step.fail h3")).toBe("Completed");
      expect(await page.textContent(".steps li.fail")).toBe("Completeddiffers");
      await page.screenshot({ path: join(artifacts, "fail.png"), fullPage: true });
      await page.close();
    });

    it("a changed request: the host call is marked, and the byte in it", async () => {
      const forged = forge("executed");
      await forged.hostCall((call) => rewriteCall(call, "request", (value) => (value.path = "data/orders.csx")));
      const { page } = await open();
      expect(await give(page, "request.proof.json", await forged.pack())).toBe("Fail");
      expect(await page.textContent("article.step.fail h3")).toBe("fs_read");
      expect(await page.textContent("article.step.fail figure mark")).toContain("csx");
      await page.close();
    });

    it("one unit of fuel", async () => {
      const forged = forge("executed");
      await forged.execution((record) => (record.fuel.used += 1));
      expect(await judge(await forged.pack())).toEqual(["Fail", "The re-execution differs: fuel."]);
    });

    it("one bit of the file", async () => {
      const changed = bundle("executed").slice();
      changed[changed.length - 40] = (changed.at(-40) ?? 0) ^ 1;
      expect((await judge(changed))[0]).toBe("Fail");
    });

    it("another runtime's keys", async () => {
      const trust = { ...rig.trust, keys: rig.trust.keys.filter(({ role }) => role !== "runtime") };
      const { page } = await open();
      await page.setInputFiles("#trust-file", fileIn(folder, "other.json", JSON.stringify(trust)));
      expect(await give(page, "executed.proof.json", bundle("executed"), false)).toBe("Fail");
      expect(await page.textContent(".checks li.fail")).toContain("EXO_TRUST");
      await page.close();
    });

    it("a withheld output is unable, not a pass", async () => {
      const text = new TextDecoder().decode(bundle("executed"));
      const digest = forge("executed").digests("output")[0] ?? "";
      const thin = JSON.parse(text) as { materials: Record<string, string> };
      delete thin.materials[digest];
      const { page } = await open();
      expect(await give(page, "thin.proof.json", JSON.stringify(thin))).toBe("Unable");
      expect(await page.textContent(".sentence")).toContain("not everything could be checked");
      await page.close();
    });
  });

  describe("hostile files", () => {
    const endless = pluginAt("test/fixtures/loop", (draft) => ({
      ...draft,
      limits: { fuel: Number.MAX_SAFE_INTEGER },
    }));
    const done = {
      status: "completed",
      output: encodeUtf8("1"),
      fuelUsed: 5,
      memoryPeakPages: 0,
      hostCalls: 0,
    } as const;

    it("a loop that no fuel ends is ended by the clock: unable", async () => {
      const page = await browser().newPage();
      const seen = watch(page);
      await page.clock.install();
      await page.goto(pageUrl);
      await page.setInputFiles("#bundle-file", fileIn(folder, "loop.json", await claimed(endless, "test.loop", done)));
      await page.waitForSelector("text=The plugin runs again");
      await page.clock.fastForward(90_000);
      expect(await page.textContent("#verdict")).toBe("Checking");
      await page.clock.fastForward(31_000);
      expect(await resultOf(page)).toBe("Unable");
      expect(await page.textContent(".sentence")).toContain("it was ended after 120 seconds");
      expect(seen).toEqual([]);
      await page.close();
    });

    it("a loop can be stopped, and the page checks the next file", async () => {
      const { page } = await open();
      await page.setInputFiles("#bundle-file", fileIn(folder, "loop.json", await claimed(endless, "test.loop", done)));
      await page.waitForSelector("text=The plugin runs again");
      await page.click("text=Stop");
      expect(await resultOf(page)).toBe("Unable");
      await expect.poll(() => page.workers().length, { timeout: 30_000 }).toBe(0);
      expect(await give(page, "executed.proof.json", bundle("executed"))).toBe("Pass");
      await page.close();
    });

    it("a memory bomb that claims to have done its work fails", async () => {
      const bomb = pluginAt("test/fixtures/memory-bomb", (draft) => ({
        ...draft,
        limits: { fuel: 500_000_000, memoryPages: 16_384 },
      }));
      expect((await judge(await claimed(bomb, "test.memory-bomb", done), false))[0]).toBe("Fail");
    });

    it.each([
      ["50 MB of anything", new Uint8Array(50_000_000).fill(0x5b)],
      ["50 MB in one string", `{"envelope":"${"a".repeat(50_000_000)}"}`],
      ["nothing", ""],
      ["an array of arrays", "[".repeat(100_000)],
      ["no bundle", '{"mediaType":"x"}'],
    ])("%s", async (_, content) => {
      expect((await judge(content, false))[0]).toBe("Fail");
    });

    it("strings that look like scripts are shown as text", async () => {
      const { page, seen } = await open();
      const name = "<img src=x onerror=alert(1)>.json";
      expect(await give(page, name, await scriptedBundle(sandbox), false)).toBe("Pass");
      const steps = await page.locator(".steps button").count();
      for (let at = 0; at < steps; at++) {
        for (const view of await page.locator(".views button").all()) await view.click();
        await page.click("text=Next", { timeout: 1000, noWaitAfter: true }).catch(() => undefined);
      }
      const text = await page.locator("main").evaluate((main: { innerText: string }) => main.innerText);
      expect(text).toContain(name);
      expect(text).toContain(scriptText);
      expect(await page.locator("main script, main img, main iframe, main svg").count()).toBe(0);
      expect(seen).toEqual([]);
      await page.close();
    });

    it.each([
      ["a trust file that is none", () => "[]", "EXO_SCHEMA"],
      ["a trust file that is no JSON", () => "<script>", "EXO_JSON_SYNTAX"],
      [
        "a trust file that gives a log's key to another log",
        () => JSON.stringify({ ...rig.trust, logs: rig.trust.logs.map((log) => ({ ...log, origin: "other" })) }),
        "EXO_KEY",
      ],
    ])("%s: unable, never a self-check", async (_, content, code) => {
      const { page } = await open();
      await page.setInputFiles("#trust-file", fileIn(folder, "bad.json", content()));
      await page.setInputFiles("#bundle-file", fileIn(folder, "executed.json", bundle("executed")));
      expect(await resultOf(page)).toBe("Unable");
      expect(await page.textContent(".sentence")).toContain(code);
      await page.close();
    });

    it("a worker that breaks is unable", async () => {
      const { page } = await open();
      await page.evaluate('document.getElementById("worker").textContent = "throw new Error(1)"');
      expect(await give(page, "executed.proof.json", bundle("executed"))).toBe("Unable");
      expect(await page.textContent(".sentence")).toContain("the worker failed");
      await page.close();
    });
  });

  describe("for people", () => {
    it("the story is stepped through by keyboard", async () => {
      const { page } = await open();
      await give(page, "approved.proof.json", bundle("approved"));
      const title = async (): Promise<string> => (await page.textContent("#step")) ?? "";
      await page.screenshot({ path: join(artifacts, "verifier.png") });
      await page.focus(".steps button[aria-current]");
      expect(await title()).toBe("Intent");
      await page.keyboard.press("ArrowDown");
      expect(await title()).toBe("Policy");
      expect(await page.textContent("article pre")).toContain("remove-needs-a-person");
      await page.keyboard.press("End");
      expect(await title()).toBe("Log");
      await page.waitForSelector(".steps button[aria-current]:focus");
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("ArrowLeft");
      expect(await title()).toBe("fs_remove");
      expect(await page.textContent("article .rows")).toMatch(/15,903|fuel and 1 page of memory so far/);
      await page.click(".steps >> text=Approval asked for");
      expect(await page.textContent("article")).toMatch(/what approvers were shown.*"action": "fs.remove"/s);
      await page.screenshot({ path: join(artifacts, "approved.png"), fullPage: true });
      await page.close();
    });

    it.each([
      ["phone", { width: 390, height: 844 }, "light"],
      ["phone-dark", { width: 390, height: 844 }, "dark"],
      ["desktop", { width: 1280, height: 900 }, "light"],
      ["desktop-dark", { width: 1280, height: 900 }, "dark"],
    ] as const)("%s: nothing is wider than the screen", async (name, viewport, colorScheme) => {
      const { page } = await open({ viewport, colorScheme });
      await page.screenshot({ path: join(artifacts, `${name}-empty.png`) });
      await give(page, "stats.proof.json", bundle("stats"));
      await page.click(".steps >> text=fs_read >> nth=0");
      await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(viewport.width);
      const ground = (await page.evaluate("getComputedStyle(document.body).backgroundColor")) as string;
      const [red = 0] = /\d+/.exec(ground)?.map(Number) ?? [];
      expect(red < 128).toBe(colorScheme === "dark");
      await page.close();
    });
  });
});
