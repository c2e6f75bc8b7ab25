import { join } from "node:path";
import { test } from "vitest";
import { currentRevisions } from "../../src/proof/statement.js";
import { realPool } from "../support/real.js";
import { addRecordings, folderOf, historiesFolder } from "./histories.js";
import { makeRecordings } from "./make.js";

const sandbox = realPool({ size: 1 });

/** `npm run generate:vectors` adds what this build's revisions have no recording of; it never writes one again. */
test("adds the recordings that are missing", async () => {
  await addRecordings(join(historiesFolder, folderOf(currentRevisions)), await makeRecordings(sandbox), sandbox);
});
