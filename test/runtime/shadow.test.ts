import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { Logger } from "../../src/ports.js";
import { readCandidate, readShadow } from "../../src/runtime/shadow.js";
import type { World } from "../../src/runtime/system.js";

const policy = {
  schema: "exoarmur.policy/v1",
  policyId: "next",
  version: 3,
  rules: [{ id: "stats", match: { action: "table.stats" }, verdict: "allow" }],
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "exo-shadow-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

/** What `readShadow` gives, and what it says on the way. */
async function reading(file: string | null) {
  const said: string[] = [];
  const logger: Logger = { log: (level, message) => void said.push(`${level} ${message}`) };
  return { candidate: await readShadow(file, { logger } as World), said };
}

describe("a candidate's file", () => {
  it.each([
    ["next.json", JSON.stringify(policy)],
    [
      "next.yaml",
      "schema: exoarmur.policy/v1\npolicyId: next\nversion: 3\nrules:\n  - { id: stats, match: { action: table.stats }, verdict: allow }\n",
    ],
  ])("%s is read as a policy is, and has its digest", async (name, text) => {
    const { candidate, said } = await reading(put(name, text));
    expect(candidate?.document).toEqual({ digest: digestOf(canonicalize(policy)), bytes: canonicalize(policy) });
    expect(said).toEqual([]);
  });

  it("that is not configured is nothing to warn of", async () => {
    expect(await reading(null)).toEqual({ candidate: undefined, said: [] });
  });

  it.each<[string, () => string, string, RegExp]>([
    ["is missing", () => join(folder, "none.json"), "EXO_FILE", /none\.json does not exist$/],
    [
      "is a folder",
      () => mkdirSync(join(folder, "d"), { recursive: true }) ?? join(folder, "d"),
      "EXO_FILE",
      /no plain file$/,
    ],
    ["lies below a file", () => join(put("f", ""), "x.json"), "EXO_FILE", /could not be read: ENOTDIR$/],
    ["is no JSON", () => put("broken.json", "{"), "EXO_JSON_SYNTAX", /broken\.json/],
    ["is no YAML", () => put("broken.yaml", "a: [\n"), "EXO_YAML", /broken\.yaml/],
    [
      "is in Cedar, whose engine a policy in force may need",
      () =>
        put(
          "cedar.json",
          JSON.stringify({
            schema: "exoarmur.policy.cedar/v1",
            policyId: "next",
            version: 3,
            cedarSchema: "",
            policies: "permit(principal, action, resource);",
          }),
        ),
      "EXO_SCHEMA",
      /^shadow mode asks policies of rules, next is in Cedar$/,
    ],
    ["is no policy", () => put("other.json", "{}"), "EXO_SCHEMA", /other\.json/],
    [
      "has no meaning",
      () => put("word.json", JSON.stringify(policy).replace("table.stats", "table")),
      "EXO_SCHEMA",
      /expected an action/,
    ],
    [
      "is too large",
      () => {
        const file = put("large.json", "");
        truncateSync(file, 64 * 1024 * 1024);
        return file;
      },
      "EXO_FILE",
      /bytes, at most/,
    ],
    [
      "is a pipe that nobody writes to",
      () => {
        const file = join(folder, "pipe");
        execFileSync("mkfifo", [file]);
        return file;
      },
      "EXO_FILE",
      /no plain file$/,
    ],
  ])("that %s gives no candidate and a warning, and stops nothing", async (_, make, code, message) => {
    const file = make();
    expect((await readCandidate(file)).problem).toEqual({ code, message: expect.stringMatching(message) });
    const { candidate, said } = await reading(file);
    expect(candidate).toBeUndefined();
    expect(said).toEqual([expect.stringContaining(`warn shadow mode is off, its policy cannot be used: ${code}: `)]);
  });
});
