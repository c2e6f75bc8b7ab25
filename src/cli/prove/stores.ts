import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readAnchor } from "../../home/anchor.js";
import { homePaths } from "../../home/paths.js";
import { readCheckpoint } from "../../log/checkpoint.js";
import { leafKey } from "../../log/store-layout.js";
import type { LogAudit } from "../../replay/audit-log.js";
import { openLmdbStore } from "../../stores/lmdb.js";
import { broken, type Claim, type Found, held, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import { copyFolder } from "./scratch.js";
import { type Bench, mustRefuse, refusalOf } from "./stage.js";

/** What a log and its store show. */
export const storeGuarantees: readonly Guarantee[] = [
  {
    id: "cut-tail",
    title: "a log that lost its last entry is found",
    tried: "the last entry taken out of a copy of the store, then what log check does",
    expected: "fail",
    codes: ["EXO_STORE_DAMAGED"],
    ground: "closed",
    attempt: tryCut,
  },
  {
    id: "rolled-back-store",
    title: "a store put back to an older copy is refused",
    tried: "a copy of the home with its store as it was before, opened",
    expected: "refused",
    codes: ["EXO_STORE_ROLLED_BACK"],
    ground: "closed",
    attempt: tryRolledBack,
  },
];

/** Name of the copy of the store that was taken before the last runs. */
export const olderData = "older-data";

async function copyHome({ scratch }: Bench, name: string): Promise<ReturnType<typeof homePaths>> {
  const copy = homePaths(join(scratch.folder, name, "home"));
  await copyFolder(scratch.paths.home, copy.home);
  return copy;
}

async function auditOf({ parts, scratch }: Bench, folder: string, cut: boolean): Promise<LogAudit | undefined> {
  const anchor = readAnchor(scratch.paths);
  const [log] = scratch.trust.logs;
  if (anchor === undefined || log === undefined) return undefined;
  const store = await openLmdbStore(folder);
  try {
    const last = leafKey(readCheckpoint(anchor).size - 1);
    if (cut) await store.commit([{ key: last, value: null }], await store.acquire());
    return parts.auditStore(store, { ...log, trust: scratch.trust, ...scratch.engines });
  } finally {
    await store.close();
  }
}

async function tryCut(bench: Bench, { codes }: Claim): Promise<Found> {
  const copy = await copyHome(bench, "cut");
  const whole = await auditOf(bench, copy.data, false);
  if (whole?.result !== "pass") return notTried(`whole, the log ends ${whole?.result ?? "without a checkpoint"}`);
  const audit = await auditOf(bench, copy.data, true);
  if (audit?.result === "pass") return broken("without its last entry the log still passes");
  const found = audit?.checks.find(({ code }) => code !== undefined && codes.includes(code));
  if (found?.code === undefined) return notTried(`the log ends ${audit?.result ?? "nowhere"}`);
  return held(found.message, found.code);
}

async function tryRolledBack(bench: Bench, claim: Claim): Promise<Found> {
  const copy = await copyHome(bench, "rolled-back");
  await rm(copy.ownerLock, { force: true });
  await rm(copy.data, { recursive: true });
  await copyFolder(join(bench.scratch.folder, olderData), copy.data);
  const opened = bench.open(copy.home).then((runtime) => runtime.close());
  return mustRefuse(await refusalOf(opened), claim, "the older store");
}
