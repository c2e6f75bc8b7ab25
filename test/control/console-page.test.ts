import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConsolePage } from "../../src/control/console-page.js";
import { sha256Hex } from "../../src/crypto/sha256.js";
import { openPlane, type Plane } from "./support.js";

const html = new Uint8Array(readFileSync(new URL("../../dist/web/console.html", import.meta.url)));

describe("the console at /", () => {
  let plane: Plane;
  beforeAll(async () => {
    plane = await openPlane({ page: readConsolePage(html) });
  });
  afterAll(async () => await plane.close());

  it("is the built page, byte for byte, under the policy it carries, and nothing may frame it", async () => {
    const { status, text, headers } = await plane.ask("/");
    expect(status).toBe(200);
    expect(sha256Hex(new TextEncoder().encode(text))).toBe(sha256Hex(html));
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    const policy = String(headers["content-security-policy"]);
    expect(text).toContain(policy.replace("; frame-ancestors 'none'", ""));
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[^']+' 'wasm-unsafe-eval'; .*connect-src 'self'/);
    expect(policy).not.toContain("unsafe-inline");
    expect(headers).toMatchObject({
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    });
    expect(headers["set-cookie"]).toBeUndefined();
  });

  it("is what the published digest says", () => {
    const digests = JSON.parse(readFileSync(new URL("../../dist/web/digests.json", import.meta.url), "utf8")) as object;
    expect(digests).toMatchObject({ "console.html": readConsolePage(html).digest });
  });

  it("opens by a link of another site, and is given to no script, frame or image of one", async () => {
    const site = { "sec-fetch-site": "cross-site" };
    const link = { ...site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect((await plane.ask("/", { headers: link })).status).toBe(200);
    for (const headers of [
      { ...site, "sec-fetch-mode": "no-cors" },
      { ...site, "sec-fetch-mode": "cors" },
      { ...link, "sec-fetch-dest": "iframe" },
      { ...link, "sec-fetch-dest": "object" },
      { origin: "https://elsewhere.example" },
      { host: "elsewhere.example" },
    ]) {
      const { status, json } = await plane.ask("/", { headers });
      expect([status, json["code"]]).toEqual([403, "EXO_ORIGIN"]);
    }
    // A navigation opens the page alone.
    const api = await plane.ask("/v1/health", { headers: link });
    expect([api.status, api.json["code"]]).toEqual([403, "EXO_ORIGIN"]);
  });

  it("takes nothing, and stands under no other path", async () => {
    for (const [path, method] of [
      ["/", "POST"],
      ["/", "DELETE"],
      ["/console.html", "GET"],
      ["/..", "POST"],
    ]) {
      const { status } = await plane.ask(path ?? "", { method: method ?? "" });
      expect(status).toBeGreaterThanOrEqual(404);
    }
  });
});

describe("a control plane without a console", () => {
  it("has nothing at /", async () => {
    const plane = await openPlane();
    const { status, json } = await plane.ask("/");
    expect([status, json["code"]]).toEqual([404, "EXO_ROUTE"]);
    await plane.close();
  });

  it("refuses a page that carries no policy", () => {
    expect(() => readConsolePage(new TextEncoder().encode("<!doctype html>"))).toThrow(
      expect.objectContaining({ code: "EXO_FILE" }),
    );
  });
});
