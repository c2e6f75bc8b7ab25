import { cpSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeHex } from "../../src/crypto/encoding.js";
import { sha256Hex } from "../../src/crypto/sha256.js";
import { isGone } from "../support/processes.js";
import { errorOf, jsonOf, NearShell, near, ROOT, removeIntent, type Shell, statsIntent } from "./cli.js";

const CHILD = fileURLToPath(new URL("../fixtures/signer-child.mjs", import.meta.url));

let shell: Shell;
let requestId = "";

/** Hex of the seed in a key file. */
const seedOf = (role: string): string => {
  const { seed } = JSON.parse(shell.read(`private/${role}.key`)) as { seed: string };
  return encodeHex(Buffer.from(seed, "base64"));
};

/** A signer program over a role's key that behaves so. */
const behaving = (mood: string, role = "approver"): string =>
  [process.execPath, CHILD, seedOf(role), shell.path("runs"), mood].join(" ");

/** `examples/signer.mjs` over a role's key, in a folder with a space. */
const example = (role: string): string => `'${process.execPath}' "sign er.mjs" private/${role}.key`;

const pids = (): number[] =>
  readFileSync(shell.path("runs"), "utf8")
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[0]));

beforeAll(async () => {
  shell = new NearShell();
  await shell.exo(["init"]);
  mkdirSync(shell.path("private"), { mode: 0o700 });
  for (const role of ["approver", "operator"])
    renameSync(shell.path(`.exoarmur/keys/${role}.key`), shell.path(`private/${role}.key`));
  cpSync(join(ROOT, "examples", "signer.mjs"), shell.path("sign er.mjs"));
  await shell.run(removeIntent);
  const { approvals } = jsonOf(await near(shell, ["approvals", "list", "--json"])) as {
    approvals: { request: { requestId: string } }[];
  };
  requestId = approvals[0]?.request.requestId ?? "";
});
afterAll(() => shell.remove());
beforeEach(() => rmSync(shell.path("runs"), { force: true }));

/** What the store and the inbox hold; a refused signature must not change it. */
const traces = (): unknown => [
  sha256Hex(readFileSync(shell.path(".exoarmur/data/data.mdb"))),
  shell.list(".exoarmur/inbox"),
];

describe("approvals approve --signer", () => {
  it.each<[string, string, string]>([
    ["refuse", "EXO_SIGNER", "refused to sign: the token is locked"],
    ["garbage", "EXO_SIGNER", "sent a line that is no answer"],
    ["other-message", "EXO_SIGNER", "gave a signature that does not verify"],
    ["wrong-key", "EXO_SIGNER", "gave a signature that does not verify"],
    ["die", "EXO_SIGNER", "ended (SIGKILL)"],
    ["small-order", "EXO_SIGNER", "did not begin with a public key that is admitted"],
    ["other-key", "EXO_TRUST", "does not name the signer's key"],
  ])("a program that does %s approves nothing, and is gone", async (mood, code, message) => {
    const before = traces();
    const args = ["approvals", "approve", requestId, "--signer", behaving(mood), "--json"];
    const ended = await near(shell, args);
    expect([ended.code, errorOf(ended)]).toEqual([1, code]);
    expect(ended.stdout).toContain(message);
    expect(traces()).toEqual(before);
    for (const pid of pids()) expect(isGone(pid)).toBe(true);
  });

  it.each(["mute", "mute-at-start"])("a program that is %s is waited for as long as it may take", async (mood) => {
    const before = traces();
    const args = ["approvals", "deny", requestId, "--reason", "no", "--signer", behaving(mood)];
    const ended = await near(shell, [...args, "--signer-timeout", "1", "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_SIGNER"]);
    expect(ended.stdout).toContain("gave no answer within 1000 ms");
    expect(traces()).toEqual(before);
    for (const pid of pids()) expect(isGone(pid)).toBe(true);
  });

  it.each(["mute", "mute-at-start"])("Ctrl-C ends a program that is %s, and nothing was signed", async (mood) => {
    const before = traces();
    const stop = new AbortController();
    const reason = new Error("interrupted");
    const args = ["approvals", "approve", requestId, "--signer", behaving(mood)];
    const ended = near(shell, args, { signal: stop.signal });
    await expect.poll(() => shell.list("."), { timeout: 60_000 }).toContain("runs");
    stop.abort(reason);
    expect((await ended).code).toBe(130);
    expect(traces()).toEqual(before);
    for (const pid of pids()) expect(isGone(pid)).toBe(true);
  });

  it.each<[string, () => string[], number, string]>([
    ["a key of another role", () => ["--signer", example("operator")], 1, "EXO_TRUST"],
    ["no program", () => ["--signer", " "], 2, "EXO_USAGE"],
    ["an open quote", () => ["--signer", "node 'signer.mjs"], 2, "EXO_USAGE"],
    ["a program that is not there", () => ["--signer", "./no-such-program"], 1, "EXO_SIGNER"],
    ["what a shell would do", () => ["--signer", "echo $HOME; true"], 1, "EXO_SIGNER"],
    ["a key file beside it", () => ["--signer", example("approver"), "--key", "private/approver.key"], 2, "EXO_USAGE"],
    ["a wait of no time", () => ["--signer", example("approver"), "--signer-timeout", "0"], 2, "EXO_USAGE"],
    ["a wait of hours", () => ["--signer", example("approver"), "--signer-timeout", "999"], 2, "EXO_USAGE"],
    ["its own secrets", () => ["--signer", example("approver"), "--signer-env", "EXOARMUR_X"], 2, "EXO_USAGE"],
  ])("refuses %s", async (_name, more, exit, code) => {
    const before = traces();
    const ended = await near(shell, ["approvals", "approve", requestId, ...more(), "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([exit, code]);
    expect(traces()).toEqual(before);
  });

  it("signs for nobody when the trust file has its key for two people", async () => {
    const whole = shell.read(".exoarmur/trust.json");
    shell.edit(".exoarmur/trust.json", (trust) => {
      const keys = trust["keys"] as { role: string }[];
      const again = keys.filter(({ role }) => role === "approver").map((key) => ({ ...key, person: "eve" }));
      return { ...trust, keys: [...keys, ...again] };
    });
    const args = ["approvals", "deny", requestId, "--reason", "no", "--signer", example("approver"), "--json"];
    const ended = await near(shell, args);
    shell.write(".exoarmur/trust.json", whole);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_TRUST"]);
    expect(ended.stdout).toContain("names approver and eve for the role approver");
  });

  it("gives the program the usual variables and those that are named, and nothing else", async () => {
    const args = ["approvals", "approve", requestId, "--signer", behaving("refuse"), "--signer-env", "KMS_REGION"];
    const env = { PATH: process.env["PATH"] ?? "", KMS_REGION: "eu", OTHER: "x", EXOARMUR_VAULT_PASSPHRASE: "secret" };
    await near(shell, args, { env });
    expect(readFileSync(shell.path("runs"), "utf8")).toMatch(/^\d+ KMS_REGION PATH\n$/);
  });

  it("approves with a key that is in no file of the home, as the person the trust file names", async () => {
    // The program's key is known by the person behind it, whatever its file is called.
    shell.edit(".exoarmur/trust.json", (trust) => ({
      ...trust,
      keys: (trust["keys"] as { role: string }[]).map((key) =>
        key.role === "approver" ? { ...key, person: "ada" } : key,
      ),
    }));
    await shell.run({ ...removeIntent, actor: "me-too" });
    const { approvals } = jsonOf(await near(shell, ["approvals", "list", "--json"])) as {
      approvals: { request: { requestId: string; roster: { id: string }[] } }[];
    };
    const { request } = approvals.find((one) => one.request.requestId !== requestId) ?? {};
    expect(request?.roster.map(({ id }) => id)).toEqual(["ada"]);
    const args = ["approvals", "approve", request?.requestId ?? "", "--signer", example("approver")];
    const ended = await shell.exo([...args, "--json"]);
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ schema: "exoarmur.decision/v1", status: "executed", decision: "approve" });
    const { bundle } = jsonOf(ended) as { bundle: string };
    const verified = await near(shell, ["verify", bundle, "--trust", ".exoarmur/trust.json", "--json"]);
    expect(jsonOf(verified)).toMatchObject({ result: "pass" });
    expect(shell.list("data")).toEqual([]);
  });
});

describe("an operator's orders --signer", () => {
  it("are signed by the program, and without it by nobody", async () => {
    const score = ["trustscore", "me", "0.9"];
    const none = await near(shell, [...score, "--json"]);
    expect([none.code, errorOf(none)]).toEqual([1, "EXO_FILE"]);
    const wrong = await near(shell, [...score, "--signer", example("approver"), "--json"]);
    expect([wrong.code, errorOf(wrong)]).toEqual([1, "EXO_TRUST"]);
    const set = await shell.exo([...score, "--signer", example("operator"), "--json"]);
    expect(jsonOf(set)).toMatchObject({ actorId: "me", score: 0.9 });
  });

  it("that are not signed leave the KILL file, which denies", async () => {
    const ended = await near(shell, ["killswitch", "on", "--signer", behaving("refuse", "operator"), "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_SIGNER"]);
    expect(ended.stdout).toContain("is in place and denies every start");
    expect(shell.list(".exoarmur")).toContain("KILL");
    shell.write("data/orders.csv", "order,region,amount\n");
    expect((await shell.run(statsIntent)).code).toBe(3);
    const off = await shell.exo(["killswitch", "off", "--signer", example("operator"), "--json"]);
    expect(jsonOf(off)).toMatchObject({ global: false, killFile: false });
  });
});
