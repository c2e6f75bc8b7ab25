import { writeFileSync } from "node:fs";
import { test } from "vitest";
import { notificationVectors, vectorsFile } from "./notification-vectors.js";

/** `npm run generate:vectors` writes the vectors; webhook.test.ts checks that they are what is committed. */
test("writes the vectors of notifications", async () => {
  writeFileSync(vectorsFile, `${JSON.stringify(await notificationVectors(), null, 1)}\n`);
});
