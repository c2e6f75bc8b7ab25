import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { gradeKit } from "../../scripts/interop/kit.mjs";

const vectors = [
  { about: "honest", verdict: "accept" },
  { about: "forged", verdict: "reject" },
  { about: "forged module", verdict: "reject" },
  { about: "hidden", verdict: "indeterminate" },
];
const right = vectors.map(({ verdict }) => verdict);
const blind = ["accept", "reject", "accept", "indeterminate"];
const listed = [{ why: "no modules", vectors: ["forged module"] }];

describe("the grade of the second verifier", () => {
  it("passes with every answer right but those that are listed", () => {
    expect(gradeKit(vectors, right, [])).toEqual({
      state: "pass",
      detail: "1 accept, 2 reject, 1 indeterminate; 0 exceptions, listed with reasons",
    });
    expect(gradeKit(vectors, blind, listed)).toEqual({
      state: "pass",
      detail: "1 accept, 1 reject, 1 indeterminate; 1 exceptions, listed with reasons",
    });
  });

  it.each([
    ["a wrong answer that is not listed", blind, [], "accept where reject is right: forged module"],
    [
      "an indeterminate end taken for a reject",
      right.with(3, "reject"),
      [],
      "reject where indeterminate is right: hidden",
    ],
    ["a refused honest bundle", right.with(0, "reject"), [], "reject where accept is right: honest"],
    ["an exception that is one no more", right, listed, "listed as an exception and answered rightly: forged module"],
    ["an answer too few", blind.slice(1), listed, "3 answers to 4"],
    ["an exception without a reason", blind, [{ why: "", vectors: ["forged module"] }], "exceptions without a reason"],
    ["an exception twice", blind, [...listed, ...listed], "not one exception: forged module"],
    [
      "an exception of no vector",
      blind,
      [...listed, { why: "gone", vectors: ["forged plugin"] }],
      "no vector of the kit: forged plugin",
    ],
  ])("%s fails it", (_name, verdicts, exceptions, detail) => {
    expect(gradeKit(vectors, verdicts, exceptions)).toEqual({ state: "fail", detail });
  });

  it("an exception that names two vectors fails it", () => {
    const twins = [...vectors, { about: "forged module", verdict: "reject" }];
    expect(gradeKit(twins, [...blind, "accept"], listed).detail).toBe("not one exception: forged module");
  });

  it("a kit without vectors fails it", () => {
    expect(gradeKit([], [], [])).toEqual({ state: "fail", detail: "0 answers to 0" });
  });
});

test("the exceptions are vectors of the kit that must not be accepted", () => {
  const read = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
  const kit = read("spec/vectors/conformance/manifest.json") as { vectors: typeof vectors };
  const { exceptions } = read("scripts/interop/python/exceptions.json") as { exceptions: typeof listed };
  const names = exceptions.flatMap((group) => group.vectors);
  const verdicts = kit.vectors.map(({ about, verdict }) => (names.includes(about) ? "accept" : verdict));
  expect(gradeKit(kit.vectors, verdicts, exceptions).state).toBe("pass");
});
