/**
 * The console in Chromium over the real `serve` (spec/console.md): what people do there from the intent to the proof, and
 * what a control plane that lies gets. Takes a minute.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf } from "../e2e/cli.js";
import { stumbles, watchConsole } from "../web/console/browser.js";
import { decide, download, edited, freshPage, review, said, shot, tabTo } from "../web/console/desk.js";
import { ConsoleHome, enter, logIn, type Person, takeKey } from "../web/console/home.js";
import { virtualAuthenticator } from "../web/passkey-page.js";
import { browsers, chromiumBrowser, hasBrowser } from "../web/support.js";

const present = hasBrowser(browsers.chromium, "chromium");
const pageFile = fileURLToPath(new URL("../../dist/web/console.html", import.meta.url));

describe("the page", () => {
  it("is the same bytes when it is built in another folder", () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), "exo-build-"));
    try {
      for (const name of ["src", "scripts", "package.json", "tsconfig.json"]) {
        cpSync(join(root, name), join(folder, name), { recursive: true });
      }
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
      execFileSync(process.execPath, ["scripts/build-web.mjs"], { cwd: folder });
      const built = (at: string): string => readFileSync(join(at, "dist/web/digests.json"), "utf8");
      expect(built(folder)).toBe(built(root));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});

describe.skipIf(!present)("the console in Chromium", () => {
  const browser = chromiumBrowser();
  const home = new ConsoleHome();
  let alice: Person;
  beforeAll(async () => {
    await home.open();
    alice = await enter(browser(), home, "approver");
  }, 60_000);
  afterAll(async () => await home.close());

  it("from the intent to the proof: asked, reviewed, signed here, executed once, verified and run again", async () => {
    const { page } = alice;
    const asked = await home.askRemoval("orders-1.csv");
    await page.getByRole("link", { name: "Approvals", exact: true }).click();
    await page.locator(`a[href="#/approvals/${asked.approval.requestId}"]`).waitFor();
    await shot(page, "queue");
    await page.locator(`a[href="#/approvals/${asked.approval.requestId}"]`).click();
    await page.getByRole("heading", { name: "fs.remove" }).waitFor();
    const text = (await page.locator("main").textContent()) ?? "";
    for (const words of [
      "data/orders-1.csv",
      "fs 1.0.0, function remove",
      "deleting cannot be undone",
      "It may remove files.",
    ])
      expect(text).toContain(words);
    await shot(page, "review");
    await page.getByLabel(/^Reason/).fill("seen by alice");
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    await shot(page, "confirmation");
    await page.getByRole("button", { name: "Sign and approve" }).click();
    await said(page, "The action is executed.");
    expect(await home.ended(asked.intentId)).toMatchObject({ status: "executed" });
    expect(home.shell.list("data")).not.toContain("orders-1.csv");
    await page.getByRole("link", { name: "The intent and its events" }).click();
    const file = await download(home, page, "Download bundle");
    expect(await home.check(file)).toEqual([0, 0]);
    await page.setInputFiles("#trust-file", home.shell.path(".exoarmur/trust.json"));
    await page.getByRole("button", { name: "Verify and replay here" }).click();
    await page.locator(".verdict.pass").waitFor({ timeout: 30_000 });
    await shot(page, "proof");
    // A server that records another decision than was signed for is caught by whoever has the file.
    const bundle = readFileSync(home.shell.path(file), "utf8");
    const forged = forgeDecision(bundle);
    expect(forged).not.toBe(bundle);
    home.shell.write("forged.proof.json", forged);
    expect(await home.check("forged.proof.json")).toEqual([1, 1]);
  }, 90_000);

  it("a denial needs a reason, which the agent is told", async () => {
    const { page } = alice;
    const asked = await home.askRemoval("orders-2.csv");
    await review(page, asked.approval.requestId);
    await page.getByText("data/orders-2.csv").first().waitFor();
    expect(await page.getByRole("button", { name: "Deny", exact: true }).isDisabled()).toBe(true);
    await decide(page, "deny", "not before the audit");
    await said(page, /The action is denied\./);
    const ended = await home.ended(asked.intentId);
    expect(ended).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    expect(ended.reason?.message).toContain("not before the audit");
    expect(home.shell.list("data")).toContain("orders-2.csv");
  });

  it("a request that has expired is not signed any more, and its intent is denied", async () => {
    const { page } = alice;
    const asked = await home.submit("fs.append", { path: "data/orders.csv", text: "x" });
    await review(page, asked.approval?.requestId ?? "");
    await page.getByText("data/orders.csv").first().waitFor();
    await page.getByText(/Not to be decided here: the request (?:is expired|expired at)/).waitFor({ timeout: 15_000 });
    expect(await page.getByRole("button", { name: "Approve", exact: true }).count()).toBe(0);
    expect(await home.ended(asked.intentId)).toMatchObject({ reason: { code: "EXO_APPROVAL_EXPIRED" } });
  }, 40_000);

  it("two tabs approve at once: one execution, and the other tab is told", async () => {
    const asked = await home.askRemoval("orders-3.csv");
    const second = await alice.context.newPage();
    const seen = watchConsole(second, home.origin);
    await second.goto(`${home.origin}/`);
    await logIn(second);
    const tabs = [alice.page, second];
    for (const page of tabs) {
      await review(page, asked.approval.requestId);
      await page.getByText("data/orders-3.csv").first().waitFor();
      await page.getByRole("button", { name: "Approve", exact: true }).click();
    }
    await Promise.all(tabs.map((page) => page.getByRole("button", { name: "Sign and approve" }).click()));
    expect(await home.ended(asked.intentId)).toMatchObject({ status: "executed" });
    expect(await home.starts(asked.intentId)).toBe(1);
    const told = async (page: Page): Promise<string> =>
      `${await page.locator("#decided").textContent()} ${(await page.locator("dialog .problem").allTextContents()).join()}`;
    const words = async (): Promise<string> => (await Promise.all(tabs.map(told))).join();
    await expect.poll(words).toContain("The action is executed.");
    await expect.poll(words).toMatch(/EXO_APPROVAL_(?:SPENT|CLOSED|DUPLICATE)/);
    await alice.page.keyboard.press("Escape");
    await second.close();
    // The refusal of the later one is a 4xx, which the browser writes down.
    expect([...seen, ...alice.seen.splice(0)].filter((words) => !/status of 4\d\d/.test(words))).toEqual([]);
  });

  it("two operators of two: nothing runs before the second has signed", async () => {
    const bob = await enter(browser(), home, "bob");
    const asked = await home.submit("fs.write", { path: "data/new.txt", text: "hello" });
    const requestId = asked.approval?.requestId ?? "";
    await review(alice.page, requestId);
    await alice.page.getByText("data/new.txt").first().waitFor();
    await decide(alice.page, "approve");
    await said(alice.page, "The action is waiting for more approvals.");
    expect(home.shell.list("data")).not.toContain("new.txt");
    await alice.page.getByText("Not to be decided here: approver has decided.").waitFor();
    await review(bob.page, requestId);
    await bob.page.getByText("1 decided").waitFor();
    await decide(bob.page, "approve");
    await said(bob.page, "The action is executed.");
    expect(home.shell.read("data/new.txt")).toBe("hello");
    expect(await home.starts(asked.intentId)).toBe(1);
    expect(bob.seen).toEqual([]);
    await bob.context.close();
  });

  it("what is approved and held waits, and another approver's denial stops it", async () => {
    const bob = await enter(browser(), home, "bob");
    const asked = await home.submit("fs.mkdir", { path: "data/later" });
    const requestId = asked.approval?.requestId ?? "";
    await review(alice.page, requestId);
    await alice.page.getByText("data/later").first().waitFor();
    await decide(alice.page, "approve");
    await said(alice.page, /The action is approved, and held until/);
    await bob.page.evaluate(`location.hash = "#/approvals"`);
    await bob.page.getByText(/held until/).waitFor();
    await review(bob.page, requestId);
    await bob.page.getByText("A denial still stops it").waitFor();
    expect(await bob.page.getByRole("button", { name: "Approve", exact: true }).isDisabled()).toBe(true);
    await decide(bob.page, "deny", "not today");
    await said(bob.page, /The action is denied\./);
    expect(await home.ended(asked.intentId)).toMatchObject({
      status: "denied",
      reason: { code: "EXO_APPROVAL_DENIED" },
    });
    expect(await home.starts(asked.intentId)).toBe(0);
    expect(home.shell.list("data")).not.toContain("later");
    await bob.context.close();
  });

  it("the kill switch, signed by an operator, stops an action that waits", async () => {
    const operator = await enter(browser(), home, "operator");
    const asked = await home.askRemoval("orders-4.csv");
    const flip = async (to: "on" | "off"): Promise<void> => {
      await operator.page.evaluate(`location.hash = "#/kill-switch"`);
      await operator.page.getByRole("button", { name: `Switch ${to} for every tenant` }).click();
      await operator.page.getByLabel(/^Type/).fill("every tenant");
      await operator.page.getByRole("button", { name: `Sign and switch ${to}` }).click();
      await operator.page.getByText(`switched ${to} for every tenant`).waitFor();
    };
    await flip("on");
    await review(alice.page, asked.approval.requestId);
    await alice.page.getByText("data/orders-4.csv").first().waitFor();
    await decide(alice.page, "approve");
    await said(alice.page, /The action is denied\. EXO_KILL_SWITCH/);
    expect(home.shell.list("data")).toContain("orders-4.csv");
    expect(await home.starts(asked.intentId)).toBe(0);
    await flip("off");
    // An operator has no say in approvals.
    await review(operator.page, (await home.askRemoval("orders-5.csv")).approval.requestId);
    await operator.page.getByText("log in with an approver's").waitFor();
    expect(operator.seen).toEqual([]);
    await operator.context.close();
  });

  it("with the keyboard alone, from the entrance to the signature", async () => {
    const asked = await home.askRemoval("orders-12.csv");
    const page = await alice.context.newPage();
    const seen = watchConsole(page, home.origin);
    await page.goto(`${home.origin}/`);
    await page.getByRole("button", { name: /^Log in as/ }).waitFor();
    await tabTo(page, "button.main");
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Views" }).waitFor();
    await tabTo(page, 'nav a[href="#/approvals"]');
    await page.keyboard.press("Enter");
    const link = `a[href="#/approvals/${asked.approval.requestId}"]`;
    await page.locator(link).waitFor();
    await tabTo(page, link);
    await page.keyboard.press("Enter");
    await page.getByText("data/orders-12.csv").first().waitFor();
    await tabTo(page, "#reason");
    await page.keyboard.type("by keyboard");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign and approve" }).waitFor();
    await page.keyboard.press("Enter");
    await said(page, "The action is executed.");
    expect(await home.ended(asked.intentId)).toMatchObject({ status: "executed" });
    expect(seen).toEqual([]);
    expect(await stumbles(page)).toEqual([]);
    await page.close();
  }, 40_000);

  it("the key stays in the browser: it cannot be exported, and no request carries it", async () => {
    const context = await browser().newContext();
    const page = await context.newPage();
    const sent: string[] = [];
    page.on("request", (request) =>
      sent.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ""}`),
    );
    await page.goto(`${home.origin}/`);
    await takeKey(page, home.keyFile("approver"));
    const refused = (await page.evaluate(exportTries)) as string[];
    expect(refused).toHaveLength(3);
    expect(refused.filter((words) => !/^rejected (?:InvalidAccessError|NotSupportedError)/.test(words))).toEqual([]);
    await logIn(page);
    const asked = await home.askRemoval("orders-13.csv");
    await review(page, asked.approval.requestId);
    await page.getByText("data/orders-13.csv").first().waitFor();
    await decide(page, "approve");
    await said(page, "The action is executed.");
    const secrets = home.secretsOf("approver");
    expect(sent.filter((request) => secrets.some((secret) => request.includes(secret)))).toEqual([]);
    expect(sent.some((request) => request.includes("/grants"))).toBe(true);
    const kept = await page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])");
    expect(kept).toBe('[{},{},""]');
    await context.close();
  });

  it("from a file, without a control plane: reviewed and signed there, handed in by the command", async () => {
    const asked = await home.askRemoval("orders-14.csv");
    await review(alice.page, asked.approval.requestId);
    await alice.page.getByText("data/orders-14.csv").first().waitFor();
    await alice.page.getByText("Sign elsewhere").click();
    const saved = await download(home, alice.page, "Save the request");
    const context = await browser().newContext({ offline: true });
    const page = await context.newPage();
    const url = pathToFileURL(pageFile).href;
    const seen = watchConsole(page, url);
    await page.goto(url);
    expect(await page.getByRole("button", { name: /^Log in/ }).count()).toBe(0);
    await takeKey(page, home.keyFile("approver"));
    const openRequest = page.locator(".offline input[type=file]");
    const text = readFileSync(home.shell.path(saved), "utf8");
    const lie = JSON.parse(text) as { request: { tenantId: string } };
    lie.request.tenantId = "other";
    writeFileSync(home.shell.path("lie.json"), JSON.stringify(lie));
    await openRequest.setInputFiles(home.shell.path("lie.json"));
    await page.locator(".difference").waitFor();
    await openRequest.setInputFiles(home.shell.path(saved));
    await page.getByText("data/orders-14.csv").first().waitFor();
    await shot(page, "file");
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    const signed = await download(home, page, "Sign and approve");
    expect(seen.filter((words) => !words.startsWith(`request: ${url}`))).toEqual([]);
    await context.close();
    const outcome = await home.exo(["approvals", "submit", signed, "--json"]);
    expect(jsonOf(outcome)).toMatchObject({ status: "executed", intentId: asked.intentId });
    const again = await home.exo(["approvals", "submit", signed, "--json"]);
    expect(again.code).not.toBe(0);
    expect(await home.starts(asked.intentId)).toBe(1);
  }, 40_000);

  it("a session that was ended counts no more, and the page says so", async () => {
    const page = await freshPage(alice, home);
    const [token = ""] = await Promise.all([
      page.waitForRequest(
        (request) => request.url().includes("/v1/") && request.headers()["authorization"] !== undefined,
      ),
      page.evaluate(`location.hash = "#/plugins"`),
    ]).then(([request]) => [request.headers()["authorization"]]);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByText("You are logged out.").waitFor();
    const after = await fetch(`${home.origin}/v1/whoami`, { headers: { authorization: token } });
    expect(after.status).toBe(401);
    await page.close();
  });

  it("a passkey made here, admitted and restarted with, logs in and approves; the bundle verifies", async () => {
    const context = await browser().newContext();
    const page = await context.newPage();
    await virtualAuthenticator(page);
    await page.goto(`${home.origin}/`);
    await page.getByLabel("Name in the trust file").fill("carol");
    await page.getByRole("button", { name: "Make a passkey" }).click();
    await page.getByText("The key of carol was made").waitFor();
    await page.getByText("Admit or forget").click();
    const entry = await download(home, page, "Save its entry");
    expect((await home.exo(["keys", "trust", "add", entry])).code).toBe(0);
    await home.stop();
    await home.serve();
    await page.reload();
    await logIn(page);
    const asked = await home.askRemoval("orders-15.csv");
    await review(page, asked.approval.requestId);
    await page.getByText("data/orders-15.csv").first().waitFor();
    await decide(page, "approve");
    await said(page, "The action is executed.");
    await page.getByRole("link", { name: "The intent and its events" }).click();
    expect(await home.check(await download(home, page, "Download bundle"))).toEqual([0, 0]);
    await context.close();
  }, 90_000);
});

/** Runs in the page: what becomes of every way to export the key that it keeps. */
const exportTries = `(async () => {
  const open = indexedDB.open("exoarmur-console");
  await new Promise((resolve) => open.addEventListener("success", resolve));
  const all = open.result.transaction("keys").objectStore("keys").getAll();
  await new Promise((resolve) => all.addEventListener("success", resolve));
  const [{ privateKey }] = all.result;
  const tries = ["pkcs8", "jwk", "raw"].map((form) => crypto.subtle.exportKey(form, privateKey));
  return (await Promise.allSettled(tries)).map(({ status, reason }) => status + " " + reason);
})()`;

/** A bundle whose recorded decision was given another reason than was signed. */
function forgeDecision(bundle: string): string {
  const reason = Buffer.from("seen by alice");
  const document = JSON.parse(bundle) as { materials: Record<string, unknown> };
  const change = (value: unknown): unknown => {
    if (typeof value === "string") {
      const bytes = Buffer.from(value, "base64");
      if (!bytes.includes(reason)) {
        const inner = bytes.toString("latin1");
        const [, payload] = /"payload":"([A-Za-z0-9+/=]+)"/.exec(inner) ?? [];
        if (payload === undefined || !Buffer.from(payload, "base64").includes(reason)) return value;
        return Buffer.from(inner.replace(payload, edited(payload, "alice", "mallo")), "latin1").toString("base64");
      }
      return edited(value, "alice", "mallo");
    }
    if (Array.isArray(value)) return value.map(change);
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]));
    }
    return value;
  };
  return JSON.stringify(change(document));
}
