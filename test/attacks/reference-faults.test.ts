import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { folder, hasTest, listedTest, source } from "./listed.js";

const page = readFileSync(new URL("reference-faults.md", folder), "utf8");
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [title = "", ...lines] = section.split("\n");
    const entries = lines.filter((line) => line.startsWith("- "));
    const listening = entries.flatMap((line) => /^- (src\/\S+\.ts)$/.exec(line)?.[1] ?? []);
    return { title, entries, listening, tests: entries.flatMap((line) => listedTest(line) ?? []) };
  });

const root = new URL("../../", folder);
const listens = /\bcreate\w*Server\(|\.listen\(|(?<!\.)\bserve\(/;

describe("the faults of the reference implementation", () => {
  test("are sixteen, in order", () => {
    expect(sections.map(({ title }) => title.split(".")[0])).toEqual(
      Array.from({ length: 16 }, (_, at) => `${at + 1}`),
    );
  });

  test.each(sections)("$title: has tests that are there", ({ entries, tests, listening }) => {
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.length + listening.length).toBe(entries.length);
    for (const { file, name } of tests) expect(hasTest(source(file), name), `${file}: ${name}`).toBe(true);
  });

  test("each but the fifteenth has a test that commits it", () => {
    const own = sections.flatMap(({ title, tests }) =>
      tests
        .filter(({ name }) => name.startsWith("beat-") && !name.startsWith("beat-15"))
        .map(({ name }) => [title.split(".")[0], name.slice(5, 7)]),
    );
    const numbers = sections.map(({ title }) => title.split(".")[0] ?? "").filter((number) => number !== "15");
    expect(own).toEqual(numbers.map((number) => [number, number.padStart(2, "0")]));
  });

  test("whatever listens is listed: add it to point 15, with a test of what a stranger gets", () => {
    const files = readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => `src/${name}`)
      .filter((name) => listens.test(readFileSync(new URL(name, root), "utf8")));
    expect(files.sort()).toEqual((sections[14]?.listening ?? []).toSorted());
  });
});
