import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

/** Debian's browsers. */
export const browsers = { chromium: "/usr/bin/chromium", firefox: "/usr/bin/firefox-esr" } as const;

const page = fileURLToPath(new URL("../../dist/web/verifier.html", import.meta.url));

/** The built page as a `file:` URL. */
export const pageUrl = pathToFileURL(page).href;

/** The page with Cedar's engine. */
export const cedarPageUrl = pageUrl.replace("verifier.html", "verifier-cedar.html");

/** Where screenshots are kept. */
export const artifacts = fileURLToPath(new URL("../artifacts/web", import.meta.url));

/**
 * Whether the tests of a browser run: not on a machine that lacks it, which one line says, but always where nothing may
 * be skipped.
 */
export function hasBrowser(path: string, debianPackage: string): boolean {
  if (existsSync(path) || process.env["EXOARMUR_NO_SKIP"] === "1") return true;
  console.log(`not run: the browser tests, which need ${path} (apt-get install ${debianPackage})`);
  return false;
}

const chromiumFlags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A folder of its own for one test file, gone when the file is done. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "exo-web-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Chromium for one test file. */
export function chromiumBrowser(): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (!existsSync(page)) throw new Error("dist/web/verifier.html is missing; build first");
    mkdirSync(artifacts, { recursive: true });
    browser = await chromium.launch({ executablePath: browsers.chromium, args: chromiumFlags });
  });
  afterAll(() => browser?.close());
  return () => {
    if (browser === undefined) throw new Error("the browser did not start");
    return browser;
  };
}

/** What a page did that it must never do: dialogs, messages of the console, errors, requests. */
export function watch(one: Page, url = pageUrl): string[] {
  const seen: string[] = [];
  one.on("dialog", (dialog) => {
    seen.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  one.on("console", (message) => seen.push(`console: ${message.text()}`));
  one.on("pageerror", (error) => seen.push(`error: ${error.message}`));
  one.on("popup", () => seen.push("popup"));
  one.on("request", (request) => {
    if (request.url() !== url && !request.url().startsWith("blob:")) seen.push(`request: ${request.url()}`);
  });
  return seen;
}

/** Puts a file into the folder and gives its path. */
export function fileIn(folder: string, name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
