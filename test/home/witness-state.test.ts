import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ExoArmurError } from "../../src/errors.js";
import { updateWitnessState } from "../../src/home/witness-state.js";
import { faultOf, freshFolder } from "./support.js";

let folder: string;
let file: string;

beforeEach(() => {
  folder = freshFolder();
  file = join(folder, "state");
});

const begin = async (): Promise<string> => await updateWitnessState(file, true, async () => "one");

describe("the state of a witness", () => {
  it("begins once, and is what was made of the last one", async () => {
    expect(await begin()).toBe("one");
    expect(await updateWitnessState(file, false, async (last) => `${last}, two`)).toBe("one, two");
    expect(readFileSync(file, "utf8")).toBe("one, two");
    expect(readdirSync(folder)).toEqual(["state"]);
  });

  it("is never begun anew, nor taken for begun", async () => {
    expect(await faultOf(() => updateWitnessState(file, false, async () => "x"))).toMatchObject({ code: "EXO_FILE" });
    expect(existsSync(file)).toBe(false);
    await begin();
    expect(await faultOf(() => begin())).toMatchObject({ code: "EXO_FILE" });
    expect(readFileSync(file, "utf8")).toBe("one");
    expect(readdirSync(folder)).toEqual(["state"]);
  });

  it("is handed out only when it is durable", async () => {
    await begin();
    mkdirSync(join(folder, "blocked"));
    const blocked = join(folder, "blocked");
    expect(await faultOf(() => updateWitnessState(blocked, true, async () => "x"))).toMatchObject({ code: "EXO_FILE" });
    const nowhere = join(folder, "none", "state");
    expect(await faultOf(() => updateWitnessState(nowhere, true, async () => "x"))).toMatchObject({ code: "EXO_FILE" });
  });

  it("stays as it was when nothing is cosigned", async () => {
    await begin();
    const refused = updateWitnessState(file, false, async () => {
      throw new ExoArmurError("EXO_LOG_FORK", "another tree");
    });
    expect(await faultOf(() => refused)).toMatchObject({ code: "EXO_LOG_FORK" });
    expect(readFileSync(file, "utf8")).toBe("one");
    expect(readdirSync(folder)).toEqual(["state"]);
  });

  it("is one witness's at a time: of many at once, each that gets through sees the one before", async () => {
    await begin();
    const seen: (string | undefined)[] = [];
    const tries = Array.from({ length: 10 }, (_, at) =>
      updateWitnessState(file, false, async (last) => {
        seen.push(last);
        await new Promise((resolve) => setImmediate(resolve));
        return `${at}`;
      }),
    );
    const ended = await Promise.allSettled(tries);
    const through = ended.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
    expect(seen.length).toBe(through.length);
    expect(new Set(seen).size).toBe(seen.length);
    for (const end of ended)
      if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "EXO_WITNESS_BUSY" });
    expect(through).toContain(readFileSync(file, "utf8"));
  });

  it("a lock that is there refuses, and stays", async () => {
    await begin();
    writeFileSync(`${file}.lock`, "");
    expect(await faultOf(() => updateWitnessState(file, false, async () => "x"))).toMatchObject({
      code: "EXO_WITNESS_BUSY",
      message: `${file}.lock exists: another witness is at work; remove it if none is running`,
    });
    expect(existsSync(`${file}.lock`)).toBe(true);
  });

  it("is no link, which two names could lead to, and text", async () => {
    await begin();
    symlinkSync(file, join(folder, "link"));
    const link = updateWitnessState(join(folder, "link"), false, async () => "x");
    expect(await faultOf(() => link)).toMatchObject({ code: "EXO_FILE" });
    writeFileSync(file, Uint8Array.of(0xff));
    expect(await faultOf(() => updateWitnessState(file, false, async () => "x"))).toMatchObject({ code: "EXO_FILE" });
  });
});
