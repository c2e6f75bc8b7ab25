/** The verifier's page in Debian's Chromium: from a chosen file to its verdict, checks and re-execution included. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { median, quantile } from "./measure.mjs";
import { row } from "./table.mjs";

const chromium = "/usr/bin/chromium";
const html = fileURLToPath(new URL("../../dist/web/verifier.html", import.meta.url));
const name = "verify and replay a bundle in the page";

/** Run in the page: the milliseconds from the choice of a file to the verdict on the file of this name. */
const stopwatch = (file) => `window.timed = new Promise((resolve) => {
  let start;
  const started = () => (start = performance.now());
  document.querySelector("#bundle-file").addEventListener("change", started, { once: true, capture: true });
  new MutationObserver((_changes, observer) => {
    const shown = document.querySelector(".facts dd")?.textContent ?? "";
    if (start === undefined || !shown.startsWith(${JSON.stringify(file)})) return;
    if (document.querySelector(".verdict:not(.checking)") === null) return;
    observer.disconnect();
    resolve(performance.now() - start);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}); undefined`;

/** One row; without Chromium it says what to install. Writes the files into `folder`. */
export async function pageRow(files, trust, { folder, quick }) {
  if (!existsSync(chromium)) return row(name, { note: `not run: needs ${chromium} (apt-get install chromium)` });
  const { chromium: driver } = await import("playwright-core");
  const browser = await driver.launch({ executablePath: chromium, args: ["--headless", "--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(html).href);
    const trustFile = join(folder, "trust.json");
    writeFileSync(trustFile, JSON.stringify(trust));
    await page.setInputFiles("#trust-file", trustFile);
    const samples = [];
    for (let round = -3; round < (quick ? 10 : 50); round++) {
      const file = `round${round + 3}.proof.json`;
      writeFileSync(join(folder, file), files[(round + 3) % files.length]);
      await page.evaluate(stopwatch(file));
      await page.setInputFiles("#bundle-file", join(folder, file));
      const took = await page.evaluate("window.timed");
      const verdict = await page.textContent("#verdict");
      if (verdict !== "Pass") throw new Error(`the page says ${verdict} of a bundle`);
      if (round >= 0) samples.push(took);
    }
    const note = `Chromium ${browser.version()}`;
    return row(name, { value: median(samples), unit: "ms", p99: quantile(samples, 0.99), note });
  } finally {
    await browser.close();
  }
}
