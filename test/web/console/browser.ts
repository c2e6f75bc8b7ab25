import type { Page } from "playwright-core";

/** What a page of the console did that it must never do: dialogs, messages of the console, errors, requests elsewhere. */
export function watchConsole(page: Page, origin: string): string[] {
  const seen: string[] = [];
  page.on("dialog", (dialog) => {
    seen.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => seen.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(`error: ${error.message}`));
  page.on("popup", () => seen.push("popup"));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("blob:"))
      seen.push(`request: ${request.url()}`);
  });
  return seen;
}

/** Runs in the page: what somebody who does not see it would stumble over. */
const looks = `(() => {
  const wrong = [];
  const text = (node) => (node?.textContent ?? "").trim();
  const byIds = (ids) => ids.split(/\\s+/).map((id) => text(document.getElementById(id))).join(" ").trim();
  for (const one of document.querySelectorAll("button, a[href], input, select, textarea, summary, dialog, svg, fieldset")) {
    if (one.hidden) continue;
    const name =
      one.getAttribute("aria-label") ||
      byIds(one.getAttribute("aria-labelledby") ?? "") ||
      [...(one.labels ?? [])].map(text).join(" ").trim() ||
      text(one.tagName === "FIELDSET" ? one.querySelector("legend") : one.tagName === "DIALOG" ? null : one);
    if (name === "") wrong.push("no name: " + one.outerHTML.slice(0, 200));
  }
  let before = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) wrong.push("heading " + level + " after " + before + ": " + text(heading).slice(0, 80));
    before = level;
    if (text(heading) === "") wrong.push("empty heading " + level);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push("id twice: " + id);
  for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {
    for (const one of document.querySelectorAll("[" + attribute + "]")) {
      for (const id of one.getAttribute(attribute).split(/\\s+/)) if (!ids.includes(id)) wrong.push(attribute + " of nothing: " + id);
    }
  }
  for (const table of document.querySelectorAll("table")) if (table.querySelector("th") === null) wrong.push("a table without headers");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (document.documentElement.lang === "") wrong.push("no language");
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) wrong.push("scrolls sideways by " + wide);
  return wrong;
})()`;

/** What is wrong for people who do not see the page, use no mouse, or have a narrow screen; empty when nothing is. */
export async function stumbles(page: Page): Promise<string[]> {
  return (await page.evaluate(looks)) as string[];
}

/** Presses Tab until what has the focus reads so, as somebody without a mouse does. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let pressed = 0; pressed < 200; pressed++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(
      "(document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '').trim()",
    );
    if (at === name) return;
  }
  throw new Error(`Tab did not come to ${name}`);
}
