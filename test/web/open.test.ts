import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { type Ended, ending, Shell } from "../e2e/cli.js";
import { cedarOf, engine } from "../policy/cedar/support.js";
import { makeBundles } from "../support/bundles.js";
import { draft, openRig } from "../support/rig.js";
import { keys } from "../support/world.js";
import { browsers, chromiumBrowser, hasBrowser, watch } from "./support.js";

const shell = new Shell();
afterAll(() => shell.remove());
beforeAll(async () => {
  const { bytes, trust } = await makeBundles();
  shell.write("denied.proof.json", bytes.denied);
  shell.write("trust.json", JSON.stringify(trust));
  shell.write("<b>.json", bytes.denied);
});

type Served = { readonly url: string; readonly stop: () => Promise<Ended> };

async function serve(...args: string[]): Promise<Served> {
  const child = shell.start(["verify", ...args, "--open", "--no-browser"]);
  const ended = ending(child);
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (part: string) => {
      text += part;
      const found = /http:\S+/.exec(text)?.[0];
      if (found !== undefined) resolve(found);
    });
    child.once("close", () => reject(new Error(text)));
  });
  return {
    url,
    stop: async () => {
      child.kill("SIGINT");
      return await ended;
    },
  };
}

/** Status and body of one request. */
async function ask(url: string, host?: string, method = "GET"): Promise<{ status: number | undefined; body: string }> {
  return await new Promise((resolve, reject) => {
    const asked = request(url, { method, headers: host === undefined ? {} : { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    asked.on("error", reject).end();
  });
}

describe("verify --open", () => {
  it("serves the page on loopback under one path, to nobody who calls it by a name, until Ctrl-C", async () => {
    const { url, stop } = await serve("denied.proof.json", "--trust", "trust.json");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/$/);
    const page = await ask(url);
    expect([page.status, page.body.match(/id="given"/g)?.length]).toEqual([200, 1]);
    expect((await ask(new URL("/", url).href)).status).toBe(404);
    expect((await ask(`${url}x`)).status).toBe(404);
    expect((await ask(url, "attacker.invalid")).status).toBe(404);
    expect((await ask(url, undefined, "POST")).status).toBe(404);
    expect((await stop()).code).toBe(0);
    await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
  });

  it("serves the page with Cedar's engine for a bundle that needs it, and for no other", async () => {
    const rig = await openRig({ cedar: () => Promise.resolve(engine) });
    const policy = cedarOf("", { version: 2, cedarSchema: "" });
    await rig.pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, canonicalize(policy), keys.author));
    const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    shell.write("cedar.proof.json", rig.pipeline.bundle(intentId)?.bytes() ?? "");
    for (const [name, least, most] of [
      ["cedar.proof.json", 5_000_000, 8_000_000],
      ["denied.proof.json", 100_000, 2_000_000],
    ] as const) {
      const { url, stop } = await serve(name);
      const { body } = await ask(url);
      expect(body.length).toBeGreaterThan(least);
      expect(body.length).toBeLessThan(most);
      await stop();
    }
  });

  it("a file's name ends no element", async () => {
    const { url, stop } = await serve("<b>.json");
    const { body } = await ask(url);
    expect(body).toContain('"name":"\\u003cb>.json"');
    expect(body).not.toContain("<b>");
    await stop();
  });

  it.each([
    ["a folder", ["."], 2, "EXO_USAGE"],
    ["two files", ["denied.proof.json", "trust.json"], 2, "EXO_USAGE"],
    ["a missing file", ["none.json"], 1, "EXO_FILE"],
    ["a trust file that is none", ["denied.proof.json", "--trust", "denied.proof.json"], 1, "EXO_SCHEMA"],
  ])("%s is refused", async (_, args, code, error) => {
    const ended = await shell.exo(["verify", ...args, "--open", "--no-browser"]);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(error)]);
  });
});

describe.skipIf(!hasBrowser(browsers.chromium, "chromium"))("verify --open in Chromium", () => {
  const browser = chromiumBrowser();

  it("verifies the bundle it was given, with the trust file", async () => {
    const { url, stop } = await serve(join(shell.cwd, "denied.proof.json"), "--trust", "trust.json");
    const page = await browser().newPage();
    const seen = watch(page, url);
    await page.goto(url);
    await page.waitForSelector(".verdict:not(.checking)");
    const said = await Promise.all(["#verdict", ".mode strong", ".sentence"].map((place) => page.textContent(place)));
    expect(said).toEqual(["Pass", "Pinned keys", expect.stringContaining("Nothing was executed")]);
    expect(await page.textContent(".facts")).toContain("filedenied.proof.json");
    expect(seen).toEqual([]);
    await page.close();
    await stop();
  });
});
