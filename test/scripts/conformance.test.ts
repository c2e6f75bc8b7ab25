import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Vector } from "../conformance/kit.js";

const kitFolder = "spec/vectors/conformance";

const folder = mkdtempSync(join(tmpdir(), "conformance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let kits = 0;

/** A kit of these texts, whose bundles are texts that a toy verifier can read. */
function kitOf(vectors: readonly { text: string; verdict: string; codes: readonly string[] }[]): string {
  const kit = join(folder, `kit-${kits++}`);
  const put = (part: string, text: string): string => {
    const path = `${part}/${createHash("sha256").update(text).digest("hex").slice(0, 16)}.json`;
    mkdirSync(join(kit, part), { recursive: true });
    writeFileSync(join(kit, path), text);
    return path;
  };
  mkdirSync(kit);
  const entries = vectors.map(({ text, verdict, codes }) => {
    return { file: put(verdict, text), trust: put("trust", "trust"), verdict, codes, about: text };
  });
  writeFileSync(join(kit, "manifest.json"), JSON.stringify({ schema: "exoarmur.conformance/v1", vectors: entries }));
  return kit;
}

const kit = kitOf([
  { text: "fine", verdict: "accept", codes: [] },
  { text: "forged", verdict: "reject", codes: ["EXO_SIGNATURE", "EXO_TRUST"] },
  { text: "odd", verdict: "indeterminate", codes: ["EXO_REVISION"] },
]);

/** A verifier as a program text. It has `text`, the bundle's, and `say(exit code, answer)`. */
function verifier(body: string): string[] {
  const prelude = `const [file, trust] = process.argv.slice(1);
    const { readFileSync } = require("node:fs");
    const text = readFileSync(file, "utf8");
    if (readFileSync(trust, "utf8") !== "trust") process.exit(9);
    const say = (code, answer) => { console.log(JSON.stringify(answer)); process.exitCode = code; };
    const right = { fine: [0, { verdict: "accept", codes: [] }],
      forged: [1, { verdict: "reject", codes: ["EXO_TRUST", "EXO_SIGNATURE", "EXO_TRUST"] }],
      odd: [6, { verdict: "indeterminate", codes: ["EXO_REVISION"] }] }[text];`;
  return [process.execPath, "-e", `${prelude}\n${body}`];
}

function grade(command: readonly string[], options: readonly string[] = [], of = kit): { status: number; out: string } {
  const args = ["scripts/conformance.mjs", "--kit", of, ...options, "--", ...command];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status: status ?? -1, out: `${stdout}${stderr}` };
}

describe("the runner of the conformance kit", () => {
  test("grades a verifier that is right in everything", () => {
    const { status, out } = grade(verifier(`console.log("hello"); console.error("noise"); say(...right);`), [
      "--codes",
    ]);
    expect(out).toBe(
      [
        "accept           1 of 1",
        "reject           1 of 1",
        "indeterminate    1 of 1",
        "conforms: 3 of 3 vectors, 0 accepted that must not be\n",
      ].join("\n"),
    );
    expect(status).toBe(0);
  });

  test("counts what is accepted and must not be", () => {
    const { status, out } = grade(verifier(`say(0, { verdict: "accept", codes: [] });`));
    expect(out).toContain("expected reject EXO_SIGNATURE EXO_TRUST, got accept   (forged)");
    expect(out).toContain("expected indeterminate EXO_REVISION, got accept   (odd)");
    expect(out).toContain("does not conform: 1 of 3 vectors, 2 accepted that must not be");
    expect(status).toBe(1);
  });

  test.each<[string, string, string]>([
    ["an exit code alone", "process.exitCode = right[0];", "exit code 1, and the last line is no answer"],
    ["a last line alone", "say(0, right[1]);", "exit code 0 under the verdict reject"],
    [
      "an answer before another line",
      "say(...right); console.log('bye');",
      "exit code 1, and the last line is no answer",
    ],
    ["an answer without codes", "say(right[0], { verdict: right[1].verdict });", "and the last line is no answer"],
    ["codes that are none", "say(right[0], { ...right[1], codes: [1] });", "and the last line is no answer"],
    ["null", "say(right[0], null);", "and the last line is no answer"],
    ["a verdict of its own", "say(right[0], { verdict: 'maybe', codes: [] });", "the verdict is none of the three"],
    ["a verdict that objects inherit", "say(right[0], { verdict: 'toString', codes: [] });", "is none of the three"],
    ["the exit code of a crash", "throw new Error('no');", "exit code 1, and the last line is no answer"],
    ["a signal", "say(...right); process.kill(process.pid, 'SIGKILL'); for (;;);", "ended by SIGKILL"],
  ])("no answer: %s", (_, body, fault) => {
    const { status, out } = grade(verifier(body), ["--only", "reject"]);
    expect(out).toContain(fault);
    expect(out).toContain("does not conform: 0 of 1 vectors, 0 accepted that must not be");
    expect(status).toBe(1);
  });

  test("does not wait for ever", () => {
    const { status, out } = grade(verifier("setInterval(() => 0, 1000);"), ["--timeout", "1", "--only", "accept"]);
    expect(out).toContain("no answer in time");
    expect(status).toBe(1);
  });

  test("compares codes when asked to, as sets", () => {
    const silent = verifier("say(right[0], { ...right[1], codes: [] });");
    expect(grade(silent).status).toBe(0);
    const more = verifier('say(right[0], { ...right[1], codes: [...right[1].codes, "EXO_KEY"] });');
    expect(grade(more, ["--codes", "--only", "reject"]).out).toContain(
      "got codes EXO_TRUST EXO_SIGNATURE EXO_TRUST EXO_KEY",
    );
    const { status, out } = grade(silent, ["--codes"]);
    expect(out).toContain("expected reject EXO_SIGNATURE EXO_TRUST, got codes none");
    expect([status, out.match(/^FAIL/gm)?.length]).toEqual([1, 2]);
  });

  test("gives its results as JSON", () => {
    const { out } = grade(verifier("say(...right);"), ["--json", "--only", "accept"]);
    expect(JSON.parse(out)).toMatchObject({ results: [{ verdict: "accept", fault: null, acceptedWrongly: false }] });
  });

  test.each<[string, readonly string[], readonly string[], string]>([
    ["no command", [], [], "expected -- and the verifier's command"],
    ["a command that is not there", [], [join(folder, "nothing")], "the verifier cannot be run"],
    ["a verdict there is none of", ["--only", "maybe"], ["x"], "--only: no verdict maybe"],
    ["no jobs", ["--jobs", "0"], ["x"], "--jobs: expected a whole number from 1, got 0"],
    ["an option that is none", ["--code"], ["x"], "Unknown option '--code'"],
    ["a folder that is no kit", ["--kit", folder], ["x"], "manifest.json"],
  ])("grades nobody with %s", (_, options, command, message) => {
    const { status, out } = grade(command, options);
    expect(out).toContain(message);
    expect(status).toBe(2);
  });

  test("grades nobody by a file that was changed, or by no vectors", () => {
    const damaged = kitOf([{ text: "fine", verdict: "accept", codes: [] }]);
    const { vectors } = JSON.parse(readFileSync(join(damaged, "manifest.json"), "utf8")) as { vectors: Vector[] };
    writeFileSync(join(damaged, vectors[0]?.file ?? ""), "fine?");
    expect(grade(verifier("say(...right);"), [], damaged)).toMatchObject({ status: 2 });
    expect(grade(verifier("say(...right);"), [], kitOf([])).out).toContain("no vectors");
  });
});

test("our own command conforms, by the adapter, for a vector of each verdict", () => {
  const { vectors } = JSON.parse(readFileSync(join(kitFolder, "manifest.json"), "utf8")) as { vectors: Vector[] };
  const sample = (["accept", "reject", "indeterminate"] as const).map((verdict) => {
    const found = vectors.find((vector) => vector.verdict === verdict && !vector.checks.includes("format"));
    if (found === undefined) throw new Error(`no vector to ${verdict}`);
    return found;
  });
  const part = join(folder, "sample");
  for (const path of sample.flatMap(({ file, trust }) => [file, trust])) {
    mkdirSync(join(part, path, ".."), { recursive: true });
    writeFileSync(join(part, path), readFileSync(join(kitFolder, path)));
  }
  const manifest = { schema: "exoarmur.conformance/v1", vectors: sample };
  writeFileSync(join(part, "manifest.json"), JSON.stringify(manifest));
  const { status, out } = grade([process.execPath, "scripts/conformance-adapter.mjs"], ["--codes"], part);
  expect(out).toContain("conforms: 3 of 3 vectors");
  expect(status).toBe(0);
});
