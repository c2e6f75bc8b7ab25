import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agreementSchema } from "../../src/contracts/agreement.js";
import { recorded, recordedTrust } from "../support/verifiers.js";
import { type Ended, errorOf, jsonOf, near, Shell } from "./cli.js";

let shell: Shell;

/** Runs `exoarmur replay ARGS` in this process. */
const replay = (...args: readonly string[]): Promise<Ended> => near(shell, ["replay", ...args]);

beforeAll(async () => {
  shell = new Shell();
  shell.write("b.proof.json", recorded);
  shell.write("trust.json", JSON.stringify(recordedTrust));
  shell.write("broken.proof.json", recorded.slice(0, -10));
  const entries: object[] = [];
  for (const id of ["v1", "v2", "v3"]) {
    const made = await near(shell, ["keys", "new", "--role", "verifier", "--id", id, "-o", `${id}.key`, "--json"]);
    entries.push(jsonOf(made)["entry"] as object);
  }
  await near(shell, ["keys", "new", "--role", "attester", "--id", "x", "-o", "x.key"]);
  shell.write("verifiers.json", JSON.stringify({ ...recordedTrust, keys: [...recordedTrust.keys, ...entries] }));
});
afterAll(() => shell.remove());

describe("signed reports of one bundle", () => {
  it("are made by each verifier alone, and counted by whoever holds the bundle", async () => {
    const [one, two, three] = await Promise.all([
      replay("b.proof.json", "--attest", "--key", "v1.key", "--trust", "trust.json", "-o", "v1.json"),
      replay("b.proof.json", "--attest", "--key", "v2.key", "--trust", "trust.json"),
      replay("broken.proof.json", "--attest", "--key", "v3.key", "--trust", "trust.json", "-o", "v3.json", "--json"),
    ]);
    expect(one?.stdout).toMatch(/Replay result: success\n(?:.*\n)*signed {5}v1\.json {3}by key [0-9a-f]{32}\n$/);
    // Nothing but the report: it can be piped into a file.
    shell.write("v2.json", two?.stdout ?? "");
    expect(jsonOf(three as Ended)).toMatchObject({ schema: "exoarmur.replay/v1", result: "failure" });
    expect([one, two, three].map((ended) => ended?.code)).toEqual([0, 0, 1]);

    const [enough, tooFew, json] = await Promise.all([
      replay("b.proof.json", "--trust", "verifiers.json", "--check-attestation", "v1.json", "v2.json", "v3.json"),
      replay("b.proof.json", "--trust", "verifiers.json", "--check-attestation", "v1.json", "v1.json", "v3.json"),
      replay(
        "b.proof.json",
        "--trust",
        "verifiers.json",
        "--threshold",
        "3",
        "--json",
        "--check-attestation",
        "v1.json",
      ),
    ]);
    expect(enough?.code).toBe(0);
    expect(enough?.stdout).toMatch(
      /^agrees {8}v1\.json \(v1\) {3}success\nagrees {8}v2\.json \(v2\) {3}success\nNOT COUNTED {3}v3\.json \(v3\) {3}EXO_REPLAY_SUBJECT: is about/,
    );
    expect(enough?.stdout).toMatch(
      /\nAgreement: success {3}pinned {3}sha256:[0-9a-f]{64}\n2 agree, 0 differ, 1 not counted; 2 must agree\n$/,
    );
    expect(tooFew?.code).toBe(6);
    expect(tooFew?.stdout).toContain("\nAgreement: no consensus\n1 agree, 0 differ, 2 not counted; 2 must agree\n");
    expect(json?.code).toBe(6);
    expect(agreementSchema.parse(jsonOf(json as Ended))).toMatchObject({ threshold: 3, result: "no_consensus" });
  });

  it.each<[string, readonly string[], string]>([
    ["without a trust file", ["b.proof.json", "--check-attestation", "v1.json"], "EXO_USAGE"],
    [
      "with one that names no verifier",
      ["b.proof.json", "--check-attestation", "v1.json", "--trust", "trust.json"],
      "EXO_TRUST",
    ],
    [
      "for another bundle's sake with an override",
      ["b.proof.json", "--attest", "--key", "v1.key", "--override", "0=x.json"],
      "EXO_USAGE",
    ],
    ["with a key of another role", ["b.proof.json", "--attest", "--key", "x.key"], "EXO_KEY"],
    ["without a key", ["b.proof.json", "--attest"], "EXO_USAGE"],
    ["of a correlation", ["some-id", "--attest", "--key", "v1.key"], "EXO_USAGE"],
    ["over the bundle itself", ["b.proof.json", "--attest", "--key", "v1.key", "-o", "b.proof.json"], "EXO_FILE"],
    ["with a threshold of none", ["b.proof.json", "--verifiers", "3", "--threshold", "0"], "EXO_USAGE"],
    ["with a threshold that cannot be reached", ["b.proof.json", "--verifiers", "3", "--threshold", "4"], "EXO_USAGE"],
    ["with too few keys", ["b.proof.json", "--verifiers", "3", "--key", "v1.key"], "EXO_USAGE"],
    ["with one key for two", ["b.proof.json", "--verifiers", "2", "--key", "v1.key", "--key", "v1.key"], "EXO_USAGE"],
    ["with a threshold for nothing", ["b.proof.json", "--threshold", "2"], "EXO_USAGE"],
  ])("are not made or counted %s", async (_when, args, code) => {
    const ended = await replay(...args, "--json");
    expect([ended.code, errorOf(ended)]).toEqual([code === "EXO_USAGE" ? 2 : 1, code]);
  });
});

describe("verifiers in processes of their own", () => {
  it("agree on a good bundle under keys made for it, and leave nothing behind", async () => {
    mkdirSync(shell.path("tmp"));
    const args = ["replay", "b.proof.json", "--verifiers", "2", "--trust", "trust.json", "--json"];
    const ended = await shell.exo(args, { env: { TMPDIR: shell.path("tmp") } });
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const agreement = agreementSchema.parse(jsonOf(ended));
    expect(agreement).toMatchObject({ result: "success", trustMode: "pinned", threshold: 2, counts: { agrees: 2 } });
    expect(new Set(agreement.voices.map(({ keyId }) => keyId)).size).toBe(2);
    expect(shell.list("tmp")).toEqual([]);
  });

  it("find that a broken one fails, under keys they were given, which is no success", async () => {
    const ended = await replay("broken.proof.json", "--verifiers", "1", "--key", "v1.key");
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/^agrees {3}node 1 {3}failure\n\nAgreement: failure {3}/);
  });
});
