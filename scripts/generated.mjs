/** Writing generated files, or with `--check` comparing them with what is committed. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * `files` maps paths to their text; `stale` lists committed files that are generated no more. Without `--check` writes
 * and removes; with it, names every difference and sets exit code 1. `script` is what to run to bring them up to date.
 */
export function settle(label, script, files, stale = []) {
  const check = process.argv.includes("--check");
  const old = Object.entries(files).filter(([path, text]) => !existsSync(path) || readFileSync(path, "utf8") !== text);
  for (const [path, text] of old) {
    if (check) console.error(`${path}: not up to date; run node ${script}`);
    else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }
  for (const path of stale) {
    if (check) console.error(`${path}: generated no more; run node ${script}`);
    else rmSync(path);
  }
  const changes = old.length + stale.length;
  console.log(`${label}: ${Object.keys(files).length} files, ${changes} ${check ? "not up to date" : "changed"}`);
  if (check && changes > 0) process.exitCode = 1;
}
