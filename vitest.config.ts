import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `BACKEND=noble npx vitest run` runs the whole suite on the browser's crypto backend. */
const backend = process.env["BACKEND"] === "noble" ? "noble" : "node";

/** `vitest run --mode slow` and `--mode soak` run the long suites instead; both can take minutes to hours. `--mode vectors` writes vectors. */
const include: Record<string, string> = {
  slow: "test/slow/**/*.slow.ts",
  soak: "test/slow/**/*.soak.ts",
  vectors: "test/**/*.generate.ts",
};

export default defineConfig(({ mode }) => ({
  resolve: {
    alias: {
      // Without the alias vitest follows package.json `imports` into dist and tests the last build.
      "#crypto": fileURLToPath(new URL(`./src/crypto/backend-${backend}.ts`, import.meta.url)),
    },
  },
  test: {
    include: [include[mode] ?? "test/**/*.test.ts"],
    // Built files are run as they are.
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: mode in include ? 3_600_000 : 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
}));
