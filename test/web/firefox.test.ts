import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { Forge } from "../support/forge.js";
import { realPool } from "../support/real.js";
import type { Rig } from "../support/rig.js";
import { type BundleName, bundleNames, makeWebBundles } from "./bundles.js";
import { loadCedar, makeCedarBundle } from "./cedar-bundle.js";
import { resultDigests } from "./result-digests.js";
import { browsers, cedarPageUrl, fileIn, hasBrowser, pageUrl, scratchFolder } from "./support.js";

// A second, unrelated WebAssembly engine: what it finds must be what Node found, to the last unit of fuel.

const present = hasBrowser(browsers.firefox, "firefox-esr");

describe.skipIf(!present)("the page in Firefox", () => {
  const folder = scratchFolder();
  const sandbox = realPool({ size: 1 });
  const seen: string[] = [];
  let browser: Browser | undefined;
  let page: Page;
  let rig: Rig;
  let bytes: Map<BundleName, Uint8Array>;

  beforeAll(async () => {
    ({ rig, bytes } = await makeWebBundles(sandbox));
    browser = await puppeteer.launch({ browser: "firefox", executablePath: browsers.firefox, headless: true });
    page = await browser.newPage();
    page.on("console", (message) => seen.push(message.text()));
    page.on("pageerror", (error) => seen.push(String(error)));
    page.on("dialog", (dialog) => seen.push(dialog.message()));
    await page.goto(pageUrl);
    await give("#trust-file", "trust.json", JSON.stringify(rig.trust));
  }, 120_000);
  afterAll(() => browser?.close());

  async function give(input: string, name: string, content: Uint8Array | string): Promise<void> {
    const chooser = await page.$(`${input}`);
    await (chooser as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(fileIn(folder, name, content));
  }

  async function judge(name: string, content: Uint8Array): Promise<string> {
    await give("#bundle-file", name, content);
    await page.waitForFunction(
      `document.querySelector(".facts dd")?.textContent.startsWith(${JSON.stringify(name)}) &&
       document.querySelector(".verdict:not(.checking)") !== null`,
    );
    return (await page.$eval("#verdict", (element) => element.textContent)) ?? "";
  }

  const texts = async (selector: string): Promise<string[]> =>
    await page.$$eval(selector, (elements) => elements.map((element) => element.textContent ?? ""));

  it.each(bundleNames)("%s: status, output and fuel as in Node, and the recorded result digest", async (name) => {
    const bundle = bytes.get(name) as Uint8Array;
    const report = await new ReplayEngine({ sandbox, trust: rig.trust }).replayBundle(bundle);
    expect(await judge(`${name}.proof.json`, bundle)).toBe("Pass");
    expect((await texts(".facts dd")).at(-1)).toBe(resultDigests[name]);
    expect(resultDigest(report)).toBe(resultDigests[name]);
    const figures = report.executions[0]?.replayed;
    const again = await texts("#again ~ .wide tbody td:nth-child(3)");
    const expected = [
      figures?.status.replaceAll("_", " "),
      figures?.output ?? "none",
      figures?.fuel.toLocaleString("en-US"),
    ];
    expect(again.slice(0, 3)).toEqual(figures === undefined ? [] : expected);
    expect(seen).toEqual([]);
  });

  it("a decision under Cedar is judged as in Node", async () => {
    const { bytes: bundle, rig: other } = await makeCedarBundle(sandbox);
    await page.goto(cedarPageUrl);
    await give("#trust-file", "trust.json", JSON.stringify(other.trust));
    expect(await judge("cedar.proof.json", bundle)).toBe("Pass");
    const report = await new ReplayEngine({ sandbox, trust: other.trust, cedar: loadCedar }).replayBundle(bundle);
    expect((await texts(".facts dd")).at(-1)).toBe(resultDigest(report));
    expect(seen).toEqual([]);
    await page.goto(pageUrl);
    await give("#trust-file", "trust.json", JSON.stringify(rig.trust));
  });

  it("one unit of fuel is a failure here as well", async () => {
    const forged = new Forge(bytes.get("executed") as Uint8Array);
    await forged.execution((record) => (record.fuel.used -= 1));
    expect(await judge("fuel.proof.json", await forged.pack())).toBe("Fail");
  });
});
