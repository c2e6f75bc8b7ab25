import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { describeStore } from "./contract.js";

let folder = "";
const fresh = (): string => {
  folder = mkdtempSync(join(tmpdir(), "exo-lmdb-"));
  return folder;
};
const remove = async (): Promise<void> => rmSync(folder, { recursive: true, force: true });

describeStore({ name: "lmdb", open: () => openLmdbStore(fresh()), cleanup: remove });
