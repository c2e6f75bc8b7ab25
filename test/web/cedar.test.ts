import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { realPool } from "../support/real.js";
import type { Rig } from "../support/rig.js";
import { loadCedar, makeCedarBundle } from "./cedar-bundle.js";
import {
  browsers,
  cedarPageUrl,
  chromiumBrowser,
  fileIn,
  hasBrowser,
  pageUrl,
  scratchFolder,
  watch,
} from "./support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("a decision under Cedar in Chromium", () => {
  const browser = chromiumBrowser();
  const folder = scratchFolder();
  const sandbox = realPool({ size: 1 });
  let rig: Rig;
  let executed: Uint8Array;
  beforeAll(async () => {
    ({ rig, bytes: executed } = await makeCedarBundle(sandbox));
    fileIn(folder, "trust.json", JSON.stringify(rig.trust));
  });

  /** The word, the line of the policy's check and the result digest; the page did nothing it must not do. */
  async function judge(url: string, content: Uint8Array): Promise<{ word: string; line: string; digest: string }> {
    const page: Page = await browser().newPage();
    const seen = watch(page, url);
    await page.goto(url);
    await page.setInputFiles("#trust-file", join(folder, "trust.json"));
    await page.setInputFiles("#bundle-file", fileIn(folder, "case.proof.json", content));
    await page.locator(".facts dd:first-of-type", { hasText: "case.proof.json," }).waitFor();
    await page.waitForSelector(".verdict:not(.checking)");
    const word = (await page.textContent("#verdict")) ?? "";
    const line = (await page.locator("tr, li", { hasText: "policy re-evaluated" }).first().textContent()) ?? "";
    const digest = (await page.locator(".facts dd").allTextContents()).at(-1) ?? "";
    expect(seen).toEqual([]);
    await page.close();
    return { word, line, digest };
  }

  it("is unable on the page without the engine, and no pass", async () => {
    const { word, line } = await judge(pageUrl, executed);
    expect(word).toBe("Unable");
    expect(line).toContain("the policy is in Cedar, whose engine is not loaded");
  });

  it("passes on the page that carries it, with the result digest of Node", async () => {
    const { word, line, digest } = await judge(cedarPageUrl, executed);
    expect([word, line]).toEqual(["Pass", expect.stringContaining("allow by read")]);
    const report = await new ReplayEngine({
      sandbox,
      trust: rig.trust,
      cedar: loadCedar,
    }).replayBundle(executed);
    expect(digest).toBe(resultDigest(report));
  });
});
