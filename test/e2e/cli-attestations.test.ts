import { afterAll, beforeAll, expect, it } from "vitest";
import { attest, attesterKey, attesterNamed, builder, provenance, provenanceType } from "../support/attestation.js";
import { jsonOf, NearShell, removeIntent, type Shell, statsIntent } from "./cli.js";

let shell: Shell;
beforeAll(async () => {
  shell = new NearShell();
  await shell.exo(["init"]);
  shell.edit(".exoarmur/trust.json", (trust) => ({
    ...trust,
    keys: [...(trust["keys"] as object[]), attesterKey(builder)],
  }));
  shell.write("good.json", attest([builder]));
  shell.write("again.json", attest([builder], provenance({ predicateType: "https://example.com/tests" })));
  shell.write("stranger.json", attest([attesterNamed("stranger")]));
});
afterAll(() => shell.remove());

it("run --attestation takes files, and verify says who attested", async () => {
  const attached = ["--attestation", "good.json", "--attestation", "again.json", "--out", "x.proof.json"];
  expect((await shell.run(statsIntent, attached)).code).toBe(0);
  const { code, stdout } = await shell.exo(["verify", "x.proof.json", "--trust", ".exoarmur/trust.json", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).checks).toContainEqual(
    expect.objectContaining({ id: "attestations", state: "pass", message: "2 attached, by builder" }),
  );
});

it("redact leaves attestations out, and what remains verifies but for them", async () => {
  expect((await shell.run(statsIntent, ["--attestation", "good.json", "--out", "y.proof.json"])).code).toBe(0);
  const redacted = await shell.exo(["redact", "y.proof.json", "--hide", "attestation", "--out", "thin.proof.json"]);
  expect(redacted.code).toBe(0);
  expect(shell.read("y.proof.json").length).toBeGreaterThan(shell.read("thin.proof.json").length);
  const { stdout } = await shell.exo(["verify", "thin.proof.json", "--trust", ".exoarmur/trust.json", "--json"]);
  const report = JSON.parse(stdout);
  const unmade = report.checks.filter(({ state }: { state: string }) => state === "unable" || state === "fail");
  expect(unmade.map(({ id, code }: { id: string; code: string }) => `${id} ${code}`)).toEqual([
    "materials EXO_MATERIAL_MISSING",
    "attestations EXO_MATERIAL_MISSING",
  ]);
  expect(report.hidden).toMatchObject([{ role: "attestation", cover: "salt", count: 1 }]);
});

it("an approver is shown what was attested", async () => {
  const pending = await shell.run(removeIntent, ["--attestation", "good.json", "--json"]);
  expect(pending.code).toBe(4);
  const { intentId } = JSON.parse(pending.stdout);
  const { stdout } = await shell.exo(["approvals", "show", intentId]);
  expect(stdout).toContain(`attested ${provenanceType} by builder of sha256:abab`);
});

it("a stranger's attestation denies the intent, a file that is not there is no intent", async () => {
  const denied = await shell.run(statsIntent, ["--attestation", "stranger.json", "--json"]);
  expect(denied.code).toBe(3);
  expect(jsonOf(denied)).toMatchObject({ status: "denied", reason: { code: "EXO_ATTESTATION_SIGNATURE" } });
  const missing = await shell.run(statsIntent, ["--attestation", "nothing.json"]);
  expect(missing).toMatchObject({ code: 1, stdout: "" });
  expect(missing.stderr).toContain("error EXO_FILE: nothing.json does not exist");
});
