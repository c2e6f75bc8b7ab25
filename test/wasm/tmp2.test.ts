import { writeSync } from "node:fs";
import { test } from "vitest";
import { sealModule } from "../../src/wasm/seal.js";
import { hostileShapes } from "./generate/hostile.js";

declare const WebAssembly: { validate(b: Uint8Array): boolean };
test("x", { timeout: 3e6 }, () => {
  const only = process.env["ONLY"];
  const S = Number(process.env["SZ"] ?? 250_000);
  const F = Number(process.env["FF"] ?? 4);
  for (const { name, build, most } of hostileShapes) {
    if (only && !name.includes(only)) continue;
    const line: string[] = [];
    let prev = 0;
    for (const size of [S, S * F]) {
      const bytes = build(Math.min(size, most ?? 1e9));
      const t = performance.now();
      const v = WebAssembly.validate(bytes);
      const t1 = performance.now();
      const c0 = process.cpuUsage();
      const r = sealModule(bytes, { capabilities: [], memoryPages: 64, tableElements: 1_000_000 });
      const cu = process.cpuUsage(c0);
      const ms = (cu.user + cu.system) / 1000;
      line.push(
        `${bytes.length} ${v} ${r.ok ? "ok x" + (r.value.bytes.length / bytes.length).toFixed(1) : r.error.code + r.error.message.slice(0, 60)} ${(t1 - t).toFixed(0)}/${ms.toFixed(0)} ms ${((ms / bytes.length) * 1e6).toFixed(0)} ms/MB`,
      );
      prev = ms;
    }
    writeSync(2, `${name.padEnd(40)} ${line.join(" | ")}\n`);
  }
});
