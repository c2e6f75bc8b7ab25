import { readFileSync } from "node:fs";
import type { BundleName } from "./bundles.js";

/** Where the record is, from the root of the repository. */
export const resultDigestsFile = "test/web/result-digests.json";

/**
 * The digest of what a replay finds in each test bundle (spec/replay.md, Report): one record that every engine is held to,
 * Chromium and Firefox by the tests here, Node 20, 22, 24 and 26 by test/slow/determinism.slow.ts.
 */
export const resultDigests: Readonly<Record<BundleName, string>> = JSON.parse(
  readFileSync(resultDigestsFile, "utf8"),
) as Record<BundleName, string>;
