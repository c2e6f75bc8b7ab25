/**
 * `measure.mjs SEAL SMALL LARGE`: seals two files with the module SEAL (dist/wasm/seal.js) and prints processor time
 * in milliseconds and the greatest resident size in megabytes as JSON.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [seal, small, large] = process.argv.slice(2);
const { sealModule } = await import(pathToFileURL(seal).href);

function time(bytes) {
  const before = process.cpuUsage();
  const result = sealModule(bytes, { capabilities: [], memoryPages: 4, tableElements: 1_000_000 });
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, verdict: result.ok ? "admitted" : result.error.code };
}

const [one, other] = [small, large].map((file) => new Uint8Array(readFileSync(file)));
const first = time(one);
const start = process.resourceUsage().maxRSS / 1024;
const runs = [time(one), time(other), time(other)];
console.log(
  JSON.stringify({
    cold: first.ms,
    small: runs[0].ms,
    large: Math.min(runs[1].ms, runs[2].ms),
    verdict: runs[1].verdict,
    megabytes: process.resourceUsage().maxRSS / 1024 - start,
  }),
);
