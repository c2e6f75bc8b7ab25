import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { errorTable } from "../../src/errors.js";
import { folder, hasTest, listedTest, source } from "./listed.js";

const page = readFileSync(new URL("README.md", folder), "utf8");

/** Every threat that has to be answered. */
const threats = [
  "Fuel refill",
  "Fuel overrun into a host call",
  "Memory bomb",
  "Host-memory bomb through alloc",
  "Huge output",
  "A million tiny blocks",
  "Recursion",
  "Start-section loop",
  "Trap in start",
  "Unresolved import",
  "Import smuggling",
  "Reserved exports",
  "Table growth",
  "Invalid before, valid after",
  "NaN-dependent branching",
  "Cross-call state",
  "Concurrent calls",
  "Worker crash",
  "Host-function throw",
  "Out-of-bounds pointers",
  "Path escapes",
  "Key escapes",
  "SSRF",
  "Secret exfiltration",
  "Forged and swapped plugins",
  "Forged attestations",
  "Oversized and deep documents",
  "Policies that end their engine",
  "Non-UTF-8 output",
  "Tail truncation",
  "Rollback to an older copy",
  "Forked log",
  "Rewritten middle",
  "Swapped materials",
  "Re-signed forgery",
  "Wrong role",
  "Duplicate signature",
  "Small-order and non-canonical keys",
  "Another bundle's log proof",
  "Wrong index, size or leaf",
  "Statement of one run, transcript of another",
  "Expired approval",
  "Held action started early",
  "Approval for another plugin version",
  "Phished and replayed passkeys",
  "Shadow decision for an enforced one",
  "Forged, replayed and expired credentials",
  "Requests in the wrong role or for another tenant",
  "Search and live events across tenants",
  "Streams that are held or not read",
  "Policies in force against their author's will",
  "Pages of other origins",
  "Oversized, endless and slow requests",
  "Two requests in one, and paths in disguise",
  "Floods of denied requests",
  "Single-bit flips",
  "Published vectors",
];

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [title = "", ...lines] = section.split("\n");
    const tests = lines.flatMap((line) => listedTest(line) ?? []);
    return { title, text: section, tests, listed: lines.filter((line) => line.startsWith("- ")).length };
  });

describe("the table of threats", () => {
  test("has every threat, in order, and no other", () => {
    expect(sections.map(({ title }) => title)).toEqual(threats);
  });

  test.each(threats)("%s: has an expected code and tests that are there", (threat) => {
    const section = sections.find(({ title }) => title === threat);
    if (section === undefined) throw new Error("no such section");
    expect(section.tests.length).toBe(section.listed);
    for (const [, code = ""] of section.text.matchAll(/`(EXO_[A-Z0-9_]+)`/g)) {
      expect(Object.keys(errorTable)).toContain(code);
    }
    expect(section.tests.length).toBeGreaterThan(0);
    for (const { file, name } of section.tests) {
      expect(hasTest(source(file), name), `${file}: ${name}`).toBe(true);
    }
  });

  test("no attack is skipped, put off or singled out", () => {
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".test.ts"))) {
      expect(/\b(?:it|test|describe)\.(?:skip|todo|only|fails)\b/.test(source(file)), file).toBe(false);
    }
  });

  test("a name that is nowhere, or only in a comment, is noticed", () => {
    const text = `test("one", () => {}); test.each([["two", 1]])("three %s", () => {}); const rows = { "four": 5 }, more = [{ name: "seven", code }];`;
    for (const name of ["one", "two", "three %s", "four", "seven"]) expect(hasTest(text, name)).toBe(true);
    for (const name of ["five", "on", 'one", () => {}']) expect(hasTest(text, name)).toBe(false);
  });
});
