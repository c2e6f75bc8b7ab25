/**
 * A control plane that lies, and a browser that sees what it says (spec/console.md, Review): what is signed for is what is
 * shown, or nothing can be signed. Takes half a minute.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decide, edited, freshPage, review, said, shot } from "../web/console/desk.js";
import { ConsoleHome, enter, type Person } from "../web/console/home.js";
import { browsers, chromiumBrowser, hasBrowser } from "../web/support.js";

const present = hasBrowser(browsers.chromium, "chromium");

describe.skipIf(!present)("a control plane that lies to the console", () => {
  const browser = chromiumBrowser();
  const home = new ConsoleHome();
  let alice: Person;
  beforeAll(async () => {
    await home.open();
    alice = await enter(browser(), home, "approver");
  }, 60_000);
  afterAll(async () => await home.close());

  type View = { request: Record<string, unknown>; requestDigest: string; preview: unknown; previewMaterial: string };
  /** Has the page see another answer than the control plane gave. */
  const lying = async (page: Page, requestId: string, change: (view: View) => unknown): Promise<void> => {
    await page.route(`**/v1/approvals/${requestId}`, async (route) => {
      const answer = await route.fetch();
      const view = (await answer.json()) as View;
      await route.fulfill({ response: answer, json: change(view) });
    });
    await review(page, requestId);
  };
  const other = { target: "data/secret.csv" };
  const lies: readonly (readonly [string, (view: View) => unknown, RegExp])[] = [
    [
      "shows another action than the request names",
      (view) => ({ ...view, previewMaterial: edited(view.previewMaterial, "orders-6", "harmless") }),
      /what would run does not have the digest/,
    ],
    ["drops what would run", (view) => ({ ...view, previewMaterial: null }), /what would run was dropped/],
    [
      "sends no base64",
      (view) => ({ ...view, previewMaterial: view.previewMaterial.slice(0, 40) }),
      /does not have the digest/,
    ],
    [
      "changes who may decide",
      (view) => ({
        ...view,
        request: { ...view.request, roster: [{ id: "x", keyIds: ["0".repeat(32)], roles: ["approver"] }] },
      }),
      /the request has the digest/,
    ],
    [
      "changes how many must",
      (view) => ({ ...view, request: { ...view.request, threshold: 2 } }),
      /the request has the digest/,
    ],
    [
      "gives another digest",
      (view) => ({ ...view, requestDigest: `sha256:${"0".repeat(64)}` }),
      /the request has the digest/,
    ],
  ];

  it.each(lies)("%s: nothing can be signed", async (_name, change, words) => {
    const page = await freshPage(alice, home);
    const asked = await home.askRemoval("orders-6.csv");
    await lying(page, asked.approval.requestId, change);
    await page.locator(".difference").getByText(words).first().waitFor();
    expect(await page.getByRole("button", { name: "Approve", exact: true }).count()).toBe(0);
    await page.close();
  });

  it("says in JSON what the bytes do not say: what is signed for is shown", async () => {
    const page = await freshPage(alice, home);
    const asked = await home.askRemoval("orders-7.csv");
    await lying(page, asked.approval.requestId, (view) => ({
      ...view,
      preview: { ...(view.preview as object), ...other },
    }));
    await page.getByText("data/orders-7.csv").first().waitFor();
    expect(await page.getByText("secret.csv").count()).toBe(0);
    await page.close();
  });

  it("swaps the request while it is reviewed: nothing can be signed", async () => {
    const page = await freshPage(alice, home);
    const [first, second] = [await home.askRemoval("orders-8.csv"), await home.askRemoval("orders-9.csv")];
    let swapped = false;
    await page.route(`**/v1/approvals/${first.approval.requestId}`, async (route) => {
      const url = swapped
        ? route.request().url().replace(first.approval.requestId, second.approval.requestId)
        : undefined;
      await route.fulfill({ response: await route.fetch(url === undefined ? {} : { url }) });
    });
    await review(page, first.approval.requestId);
    await page.getByText("data/orders-8.csv").first().waitFor();
    swapped = true;
    await page.locator(".difference").getByText("when the review began").waitFor({ timeout: 20_000 });
    await shot(page, "altered");
    await page.close();
  }, 40_000);

  it("turns a denial into an approval: the signature does not fit it", async () => {
    const page = await freshPage(alice, home);
    const asked = await home.askRemoval("orders-10.csv");
    await page.route(`**/v1/approvals/${asked.approval.requestId}/grants?**`, async (route) => {
      const envelope = route.request().postDataJSON() as { payload: string };
      const grant = JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Record<string, unknown>;
      const payload = Buffer.from(JSON.stringify({ ...grant, decision: "approve" })).toString("base64");
      await route.continue({ postData: JSON.stringify({ ...envelope, payload }) });
    });
    await review(page, asked.approval.requestId);
    await page.getByText("data/orders-10.csv").first().waitFor();
    await decide(page, "deny", "no");
    await page.locator("dialog .problem").getByText("EXO_SIGNATURE").waitFor();
    expect(home.shell.list("data")).toContain("orders-10.csv");
    await page.close();
  });

  it("loses the answer: the very same decision is sent again", async () => {
    const page = await freshPage(alice, home);
    const asked = await home.askRemoval("orders-11.csv");
    const sent: string[] = [];
    await page.route(`**/v1/approvals/${asked.approval.requestId}/grants?**`, async (route) => {
      sent.push(route.request().postData() ?? "");
      if (sent.length === 1) await route.abort();
      else await route.continue();
    });
    await review(page, asked.approval.requestId);
    await page.getByText("data/orders-11.csv").first().waitFor();
    await decide(page, "approve");
    await page.getByRole("button", { name: "Send again" }).click();
    await said(page, "The action is executed.");
    expect(sent).toHaveLength(2);
    expect(sent[1]).toBe(sent[0]);
    await page.close();
  });
});
