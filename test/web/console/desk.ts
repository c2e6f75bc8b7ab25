import { join } from "node:path";
import type { Page } from "playwright-core";
import { artifacts } from "../support.js";
import { type ConsoleHome, logIn, type Person } from "./home.js";

/** Opens the review of a request, and waits until it can be decided or may not be. */
export async function review(page: Page, requestId: string): Promise<void> {
  await page.evaluate(`location.hash = "#/approvals/${requestId}"`);
  await page.getByRole("heading", { name: "Decision" }).or(page.locator(".difference")).waitFor();
}

/** Decides what is reviewed, and confirms it. */
export async function decide(page: Page, choice: "approve" | "deny", reason?: string): Promise<void> {
  if (reason !== undefined) await page.getByLabel(/^Reason/).fill(reason);
  await page.getByRole("button", { name: choice === "approve" ? "Approve" : "Deny", exact: true }).click();
  await page.getByRole("button", { name: `Sign and ${choice}` }).click();
}

/** Waits for what became of a decision. */
export async function said(page: Page, words: string | RegExp): Promise<void> {
  await page.locator("#decided").getByText(words).waitFor();
}

/** Keeps a picture of the page, light and dark. */
export async function shot(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(artifacts, `console-${name}-${colorScheme}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Saves what a button gives into the home's folder; its name there. */
export async function download({ shell }: ConsoleHome, page: Page, button: string): Promise<string> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  await file.saveAs(shell.path(file.suggestedFilename()));
  return file.suggestedFilename();
}

/** Another tab of a person, logged in. */
export async function freshPage({ context }: Person, home: ConsoleHome): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${home.origin}/`);
  await logIn(page);
  return page;
}

/** Bytes in base64 in which one text is another of the same length. */
export function edited(base64: string, from: string, to: string): string {
  const text = Buffer.from(base64, "base64").toString("latin1");
  return Buffer.from(text.replaceAll(from, to), "latin1").toString("base64");
}

/** Presses Tab until what the selector names has the focus, as somebody without a mouse does. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let pressed = 0; pressed < 100; pressed++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
  }
  throw new Error(`Tab did not come to ${selector}`);
}
