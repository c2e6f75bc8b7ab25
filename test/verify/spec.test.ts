import { describe, expect, it } from "vitest";
import { levels, replayReportSchema } from "../../src/contracts/replay-report.js";
import { errorTable } from "../../src/errors.js";
import { checks } from "../../src/verify/verify-bundle.js";
import { repositoryFile } from "../support/rig.js";

const page = (name: string): string => new TextDecoder().decode(repositoryFile(`spec/${name}.md`));

/** First cells of a page's table rows that are one word in backquotes. */
const firstCells = (text: string): string[] => [...text.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1] ?? "");

const section = (text: string, title: string): string => text.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";

describe("spec/verification.md", () => {
  it("lists every check, in the order of the report", () => {
    expect(firstCells(section(page("verification"), "Checks"))).toEqual(["format", ...checks.map(([id]) => id)]);
  });

  it("names codes that exist", () => {
    const codes = [...page("verification").matchAll(/EXO_[A-Z_]*[A-Z]\b/g)].map(([code]) => code);
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) if (!/^EXO_(JSON|WASM)$/.test(code)) expect(errorTable).toHaveProperty(code);
  });
});

describe("spec/replay.md", () => {
  it("lists every kind of divergence", () => {
    const kinds = [...replayReportSchema.shape.divergence.unwrap().shape.kind.options].sort();
    const listed = firstCells(section(page("replay"), "Report")).sort();
    expect(kinds.length).toBeGreaterThan(15);
    expect(listed).toEqual(kinds);
  });

  it("lists every level and result", () => {
    const listed = [...section(page("replay"), "Levels").matchAll(/^\| (\w+) \|/gm)].map((match) => match[1]);
    expect(listed).toEqual(["level", ...levels]);
    expect(firstCells(section(page("replay"), "Result"))).toEqual([
      "success",
      "failure",
      "partial",
      "no_audit_records",
    ]);
  });
});
