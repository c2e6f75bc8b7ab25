import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Hostile, hostileShapes } from "./hostile.js";

const sealFile = fileURLToPath(new URL("../../../dist/wasm/seal.js", import.meta.url));
const script = fileURLToPath(new URL("measure.mjs", import.meta.url));

/** Processor time in milliseconds; `bytes` are those of the two modules. */
export type Scaling = {
  readonly name: string;
  readonly bytes: readonly [small: number, large: number];
  readonly small: number;
  readonly large: number;
  readonly verdict: string;
  /** Resident megabytes that sealing took at most. */
  readonly megabytes: number;
};

/** Seals every shape at two sizes, in a process of its own and as it was built. */
export function measureScaling(
  small: number,
  large: number,
  only: (shape: Hostile) => boolean = () => true,
): Scaling[] {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-scaling-"));
  try {
    return hostileShapes.filter(only).map(({ name, build, most }) => {
      const top = Math.min(large, most ?? large);
      const modules = [build(Math.floor((top * small) / large)), build(top)] as const;
      const files = modules.map((bytes, index) => {
        const file = join(folder, `${index}.wasm`);
        writeFileSync(file, bytes);
        return file;
      });
      const out = execFileSync(process.execPath, [script, sealFile, ...files], { encoding: "utf8" });
      return {
        name,
        bytes: [modules[0].length, modules[1].length] as const,
        ...(JSON.parse(out) as object),
      } as Scaling;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line for each shape. */
export function describeScaling(measured: readonly Scaling[]): string {
  return measured
    .map(({ name, bytes, small, large, verdict, megabytes }) => {
      const rate = (large / bytes[1]) * 1e6;
      const ratio = large / small / (bytes[1] / bytes[0]);
      return `${name.padEnd(40)} ${rate.toFixed(0).padStart(5)} ms/MB, ${ratio.toFixed(2)} of linear, ${megabytes.toFixed(0).padStart(4)} MB for ${(bytes[1] / 1e6).toFixed(1)} MB ${verdict}`;
    })
    .join("\n");
}
