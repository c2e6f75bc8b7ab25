import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { parseCanonical } from "../../src/canonical/read.js";
import { type Trust, trustSchema } from "../../src/contracts/trust.js";
import { checks } from "../../src/verify/verify-bundle.js";
import { isCallDisclosure } from "../../src/verify/verify-call.js";
import { judge, judgeWithout, kitFolder, makeKit, report, type Vector, type Verdict } from "./kit.js";

const read = (path: string): Uint8Array => new Uint8Array(readFileSync(join(kitFolder, path)));
const trusts = new Map<string, Trust>();

/** A trust file of the kit, which must be one. */
function trustAt(path: string): Trust {
  const known = trusts.get(path) ?? trustSchema.parse(parseCanonical(read(path)));
  trusts.set(path, known);
  return known;
}

const { schema, vectors } = JSON.parse(readFileSync(join(kitFolder, "manifest.json"), "utf8")) as {
  schema: string;
  vectors: Vector[];
};
const of = (verdict: Verdict): Vector[] => vectors.filter((vector) => vector.verdict === verdict);

describe("the files of the conformance kit", () => {
  test("are what is generated, and no others", async () => {
    const { files } = await makeKit();
    const found = readdirSync(kitFolder, { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path.endsWith(".json"));
    expect(found.sort()).toEqual([...files.keys()].sort());
    const differing = [...files].filter(([path, bytes]) => digestOf(read(path)) !== digestOf(bytes));
    expect(differing.map(([path]) => path)).toEqual([]);
  }, 300_000);

  test("are enough, under names that tell nothing", () => {
    expect(schema).toBe("exoarmur.conformance/v1");
    expect(of("accept").length).toBeGreaterThanOrEqual(20);
    expect(of("reject").length).toBeGreaterThanOrEqual(150);
    expect(of("indeterminate").length).toBeGreaterThanOrEqual(20);
    for (const { file, trust, verdict } of vectors) {
      for (const [path, folder] of [
        [file, verdict],
        [trust, "trust"],
      ] as const) {
        expect(path).toBe(`${folder}/${digestOf(read(path)).slice(7, 23)}.json`);
      }
    }
    expect(new Set(vectors.map(({ file, trust }) => `${file} ${trust}`)).size).toBe(vectors.length);
  });

  test("every vector that is not accepted has a twin that is, with the same bundle or the same trust file", () => {
    const accepted = new Set(of("accept").map(({ file, trust }) => `${file} ${trust}`));
    for (const { file, trust, twin, twinTrust, verdict, about } of vectors) {
      if (verdict === "accept") {
        expect([twin, twinTrust]).toEqual([null, null]);
        continue;
      }
      expect(accepted, about).toContain(`${twin} ${twinTrust}`);
      const sameBundle = file.split("/")[1] === twin?.split("/")[1];
      expect([sameBundle, trust === twinTrust].filter((same) => same).length, about).toBe(1);
    }
  });
});

describe("our verifier", () => {
  test("gives exactly the verdict, codes and checks of every vector", () => {
    const wrong = vectors.flatMap(({ file, trust, verdict, codes, checks: by, about }) => {
      const judged = judge(read(file), trustAt(trust));
      const same = JSON.stringify(judged) === JSON.stringify({ verdict, codes, checks: by });
      return same ? [] : [`${file} (${about}): ${JSON.stringify(judged)}`];
    });
    expect(wrong).toEqual([]);
  }, 300_000);

  const ids = checks.map(([id]) => id);
  const callIds = ["call", "payload", "transcript", "answers", "inclusion", "checkpoint", "witnesses"];
  it.each([
    ...ids.map((id) => ["a bundle", id, false] as const),
    ...callIds.map((id) => ["a disclosed call", id, true] as const),
  ])("accepts %s that is wrong when the check %s is switched off", (_kind, id, isCall) => {
    const alone = vectors.filter(
      ({ file, checks: by }) => by.length === 1 && by[0] === id && isCallDisclosure(read(file)) === isCall,
    );
    expect(alone.length).toBeGreaterThan(0);
    for (const { file, trust } of alone) expect(judgeWithout(id, read(file), trustAt(trust))).toBe("accept");
  });

  test("makes of a disclosed call the checks that are switched off here, and the format", () => {
    const call = vectors.find(({ file, verdict }) => verdict === "accept" && isCallDisclosure(read(file)));
    if (call === undefined) throw new Error("the kit accepts no disclosed call");
    const made = report(read(call.file), trustAt(call.trust)).checks.map(({ id }) => id);
    expect(made).toEqual(["format", ...callIds]);
  });

  test("stands on the format alone against files that are no bundle", () => {
    const alone = vectors.filter(({ checks: by }) => by.join() === "format");
    expect(alone.map(({ verdict }) => verdict).sort()).toContain("reject");
    expect(alone.map(({ verdict }) => verdict).sort()).toContain("indeterminate");
  });
});
