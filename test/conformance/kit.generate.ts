import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "vitest";
import { kitFolder, makeKit } from "./kit.js";

/** `npm run generate:vectors` writes the kit; conformance.test.ts checks that it is what is committed. */
test("writes the conformance kit", async () => {
  const { files } = await makeKit();
  rmSync(kitFolder, { recursive: true, force: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(kitFolder, path)), { recursive: true });
    writeFileSync(join(kitFolder, path), bytes);
  }
});
