import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { cedarOf, engine, schemaOf } from "../policy/cedar/support.js";
import { realPool } from "../support/real.js";
import { draft, openRig, pluginAt, type Rig } from "../support/rig.js";
import { keys } from "../support/world.js";
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
    const cedar = () => Promise.resolve(engine);
    rig = await openRig({ sandbox, cedar, plugins: [pluginAt("plugins/fs")] });
    // As deep as a policy may be: the stack that it takes in a browser's worker is another than Node's.
    const deep = `${"(".repeat(31)}${Array(30).fill('principal.type == "agent"').join(" && ")} && false${")".repeat(31)}`;
    const policy = cedarOf(
      `@id("read") permit(principal, action == Action::"fs.read", resource in Target::"data") when { context.parameters.path like "*.csv" };
       @id("deep") forbid(principal, action, resource) when { ${deep} || principal.type == "nobody" };`,
      { version: 2, cedarSchema: schemaOf(["fs.read"], "path: String") },
    );
    await rig.pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, canonicalize(policy), keys.author));
    const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    executed = rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array();
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
      cedar: () => Promise.resolve(engine),
    }).replayBundle(executed);
    expect(digest).toBe(resultDigest(report));
  });
});
