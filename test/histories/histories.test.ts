import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/crypto/sha256.js";
import { currentRevisions } from "../../src/proof/statement.js";
import { realPool } from "../support/real.js";
import {
  addRecordings,
  folderOf,
  historiesFolder,
  missingOf,
  type Outcome,
  outcomeOf,
  predicateOf,
  readExpected,
  readHistory,
  shippedExecutors,
  withoutNewChecks,
} from "./histories.js";

const sandbox = realPool({ size: 2 });
const folders = readdirSync(historiesFolder).filter((name) => statSync(join(historiesFolder, name)).isDirectory());
const scratch = mkdtempSync(join(tmpdir(), "exo-histories-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.each(folders)("recorded under %s", (revisions) => {
  const folder = join(historiesFolder, revisions);
  const expected = readExpected(folder);

  it("is what was recorded, whole, and of these revisions", () => {
    const named = new Set(Object.values(expected).map(({ trust }) => trust));
    const files = [...Object.keys(expected).map((name) => `${name}.proof.json`), ...named, "expected.json"];
    expect(readdirSync(folder).sort()).toEqual(files.sort());
    for (const [name, history] of Object.entries(expected)) {
      const { bytes } = readHistory(folder, name, history);
      expect([name, sha256Hex(bytes)]).toEqual([name, history.sha256]);
      expect([name, folderOf(predicateOf(bytes).revisions)]).toEqual([name, revisions]);
    }
  });

  it("verifies and replays as it did", async () => {
    for (const [name, history] of Object.entries(expected)) {
      const { bytes, trust } = readHistory(folder, name, history);
      const found = await outcomeOf(bytes, trust, sandbox);
      expect([name, withoutNewChecks(found, history.outcome)]).toEqual([name, history.outcome]);
    }
  });
});

describe("the histories", () => {
  it("have every shipped executor and every end under what this build records", () => {
    expect(shippedExecutors().length).toBeGreaterThan(7);
    expect(missingOf(currentRevisions, shippedExecutors())).toEqual([]);
  });

  it.each(Object.keys(currentRevisions) as (keyof typeof currentRevisions)[])(
    "are missed when the revision of %s changes without new ones",
    (name) => {
      const next = { ...currentRevisions, [name]: currentRevisions[name] + 1 };
      expect(missingOf(next, ["fs"])).toEqual(expect.arrayContaining(["completed", "intent_denied", "fs"]));
    },
  );

  it("are missed for an executor that is shipped without one", () => {
    expect(missingOf(currentRevisions, ["fs", "brand-new"])).toEqual(["brand-new"]);
  });

  it("weigh little and are not part of the package", () => {
    const sizes = folders.flatMap((folder) =>
      readdirSync(join(historiesFolder, folder)).map((file) => statSync(join(historiesFolder, folder, file)).size),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_500_000 * folders.length);
    const { files } = JSON.parse(readFileSync(join(historiesFolder, "../../package.json"), "utf8")) as {
      files: string[];
    };
    expect(files.filter((name) => /^(?:\.|\*|test)/.test(name))).toEqual([]);
  });
});

describe("a recording", () => {
  const folder = join(historiesFolder, folderOf(currentRevisions));
  const expected = readExpected(folder);
  const read = (name: string): ReturnType<typeof readHistory> => {
    const history = expected[name];
    if (history === undefined) throw new Error(`no ${name}`);
    return readHistory(folder, name, history);
  };

  it("is added once and never written again", async () => {
    const { bytes, trust } = read("echo");
    const one = { trust, recordings: [{ name: "echo", bytes }] };
    expect(await addRecordings(scratch, one, sandbox)).toEqual(["echo"]);
    const before = readFileSync(join(scratch, "expected.json"), "utf8");
    const other = read("trapped").bytes;
    expect(await addRecordings(scratch, { trust, recordings: [{ name: "echo", bytes: other }] }, sandbox)).toEqual([]);
    expect(new Uint8Array(readFileSync(join(scratch, "echo.proof.json")))).toEqual(bytes);
    expect(readFileSync(join(scratch, "expected.json"), "utf8")).toBe(before);
    expect(await addRecordings(scratch, { trust, recordings: [{ name: "trapped", bytes: other }] }, sandbox)).toEqual([
      "trapped",
    ]);
    expect(readExpected(scratch)["echo"]).toEqual(expected["echo"]);
    // A file that is there without being expected is somebody's: it is not written over either.
    rmSync(join(scratch, "expected.json"));
    await expect(addRecordings(scratch, one, sandbox)).rejects.toMatchObject({ code: "EEXIST" });
  });

  it("that comes out otherwise is noticed: another check, state, code, figure", async () => {
    const { bytes, trust } = read("echo");
    const known = expected["echo"]?.outcome;
    if (known === undefined) throw new Error("no echo");
    const found = await outcomeOf(bytes, trust, sandbox);
    const checks = found.verification.checks;
    const [first = ["", "", null], ...rest] = checks;
    const verification = (changed: Outcome["verification"]["checks"]): Outcome => ({
      ...found,
      verification: { ...found.verification, checks: changed },
    });
    const [run] = found.replay.executions;
    if (run === undefined) throw new Error("nothing ran");
    const replayed = { ...run.replayed, fuel: run.replayed.fuel + 1 };
    const changes: Outcome[] = [
      verification(rest),
      verification([[first[0], "unable", "EXO_REVISION"], ...rest]),
      verification([...checks, ["new", "unable", "EXO_REVISION"]]),
      verification([...checks, ["new", "fail", null]]),
      { ...found, replay: { ...found.replay, executions: [{ ...run, replayed }] } },
    ];
    for (const changed of changes) expect(withoutNewChecks(changed, known)).not.toEqual(known);
    expect(withoutNewChecks(verification([...checks, ["new", "pass", null]]), known)).toEqual(known);
  });

  it("with one byte changed does not come out as it did", async () => {
    const { bytes, trust } = read("echo");
    const changed = bytes.slice();
    const at = Math.floor(changed.length / 2);
    changed[at] = changed[at] === 0x41 ? 0x42 : 0x41;
    expect(await outcomeOf(changed, trust, sandbox)).not.toEqual(expected["echo"]?.outcome);
  });
});
