import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, jsonOf, near, ROOT, Shell } from "./cli.js";

type Stream = { readonly name: string; readonly stream: string };
const golden = JSON.parse(readFileSync(join(ROOT, "test/vectors/reference/golden.json"), "utf8")) as {
  readonly streams: readonly Stream[];
};

const mode =
  "mode       reference: CanonicalEvents of ExoArmur-Core, replayed by its rules and by stricter ones of ours";
const limits =
  "Nothing was executed again, nobody signs these events, and a stream that was cut at its end looks whole.";

describe("replay of a stream of ExoArmur-Core", () => {
  let shell: Shell;
  beforeAll(() => {
    shell = new Shell();
    for (const { name, stream } of golden.streams) {
      if (/^(?:quickstart|whole|unknown type|blank hash|payload of 1 changed)$/.test(name)) {
        writeFileSync(shell.path(`${name.replaceAll(" ", "-")}.jsonl`), stream);
      }
    }
  });
  afterAll(() => shell.remove());

  it("tells by its shape what the file is, says so, and prints the quickstart's two lines", async () => {
    const { code, stdout, stderr } = await shell.exo(["replay", "quickstart.jsonl"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n")).toEqual([
      mode,
      "success    corr-1   1 of 1 event processed",
      "",
      "Replay result: success",
      "Failures: none",
      limits,
      "",
    ]);
  });

  it.each([
    ["whole.jsonl", 0, "success", []],
    ["unknown-type.jsonl", 6, "partial", ["warning    corr-1: Unknown event type: telemetry_replayed"]],
    [
      "payload-of-1-changed.jsonl",
      1,
      "failure",
      ["failure    corr-1: Payload integrity check failed for event 01J4NR5X9Z8GABCDEF12345601"],
    ],
    [
      "blank-hash.jsonl",
      1,
      "failure",
      ["failure    corr-1: event 01J4NR5X9Z8GABCDEF12345601 has no payload hash (blank_hash)"],
    ],
  ])("%s ends with %i, %s", async (file, wanted, result, lines) => {
    const { code, stdout } = await near(shell, ["replay", file, "--mode", "reference"]);
    expect(code).toBe(wanted);
    expect(stdout).toContain(`\nReplay result: ${result}\n`);
    for (const line of lines) expect(stdout).toContain(`\n${line}\n`);
    const json = await near(shell, ["replay", file, "--json"]);
    expect([json.code, jsonOf(json)]).toMatchObject([wanted, { schema: "exoarmur.reference-replay/v1", result }]);
  });

  it("says where ExoArmur-Core would have passed it", async () => {
    const { stdout } = await near(shell, ["replay", "blank-hash.jsonl"]);
    expect(stdout).toContain("3 of 3 events processed; ExoArmur-Core itself says success\n");
  });

  it("of a correlation that is not in it fails in the reference's words", async () => {
    const { code, stdout } = await near(shell, ["replay", "whole.jsonl", "--correlation", "nobody"]);
    expect(code).toBe(1);
    expect(stdout).toContain("\nfailure    nobody: No audit records found for correlation_id: nobody\n");
  });

  it("from standard input", async () => {
    const { code, stdout } = await near(shell, ["replay", "-", "--mode", "reference"], {
      input: readFileSync(shell.path("whole.jsonl"), "utf8"),
    });
    expect([code, stdout.split("\n")[0]]).toEqual([0, mode]);
  });

  it.each([
    [["replay", "--all", "--mode", "reference"], 2, "EXO_USAGE"],
    [["replay", "some-correlation", "--mode", "reference"], 2, "EXO_USAGE"],
    [["replay", "some-correlation", "--correlation", "c"], 2, "EXO_USAGE"],
    [["replay", "whole.jsonl", "--trust", "trust.json"], 2, "EXO_USAGE"],
    [["replay", "nothing.jsonl"], 1, "EXO_FILE"],
    [["replay", "empty.jsonl", "--mode", "reference"], 1, "EXO_NO_RECORDS"],
    [["replay", "ours.json", "--mode", "reference"], 1, "EXO_SCHEMA"],
    [["replay", "broken.jsonl"], 1, "EXO_JSON_SYNTAX"],
  ])("%j ends with %i, %s", async (args, wanted, error) => {
    writeFileSync(shell.path("empty.jsonl"), "");
    writeFileSync(shell.path("ours.json"), '{"schema":"exoarmur.event/v1"}');
    writeFileSync(shell.path("broken.jsonl"), '{"event_id":"x","payload_hash":');
    const refused = await near(shell, [...args, "--json"]);
    expect([refused.code, errorOf(refused)]).toEqual([wanted, error]);
  });
});
