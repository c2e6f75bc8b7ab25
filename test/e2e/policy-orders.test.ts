import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { PolicyActivation } from "../../src/contracts/order.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { readKeyFile } from "../../src/home/keys.js";
import type { ActivePolicy } from "../../src/pipeline/documents.js";
import { worldOf } from "../../src/runtime/system.js";
import { activation, signedPolicy } from "../support/sign.js";
import { errorOf, jsonOf, NearShell, ROOT, type Shell, statsIntent } from "./cli.js";

const { openHomeCore } = (await import(
  new URL("dist/runtime/home-runtime.js", `file://${ROOT}`).href
)) as typeof import("../../src/runtime/home-runtime.js");

const { makeScratch } = (await import(
  new URL("dist/cli/prove/scratch.js", `file://${ROOT}`).href
)) as typeof import("../../src/cli/prove/scratch.js");

/** One home in which policies are put in force by orders and by its file, in order: each test goes on from the one before. */
describe("a home whose policy an order put in force", () => {
  let shell: Shell;
  let v1: PolicyDocument;
  let v2: PolicyDocument;
  const logged: string[] = [];

  const withCore = async <T>(work: (core: Awaited<ReturnType<typeof openHomeCore>>) => Promise<T>): Promise<T> => {
    const logger = { log: (level: string, message: string) => void logged.push(`${level} ${message}`) };
    const core = await openHomeCore(shell.path(".exoarmur"), worldOf({ logger }));
    try {
      return await work(core);
    } finally {
      await core.close();
    }
  };

  /** Proposes and activates a policy over another, with a key file of the home. */
  const order = async (
    policy: PolicyDocument,
    over: PolicyDocument,
    key: string,
    id: string,
  ): Promise<ActivePolicy> => {
    const { signer } = await readKeyFile(shell.path(".exoarmur", "keys", key));
    return await withCore(async ({ pipeline: { policies } }) => {
      await policies.propose(await signedPolicy(policy, signer));
      const more: Partial<PolicyActivation> = {
        cellId: "local",
        operator: { id, keyId: signer.keyId },
        signedAt: new Date().toISOString(),
      };
      const signed = await activation(digestOfJson(policy), digestOfJson(over), more, signer);
      return (await policies.activateProposal(signed)).active;
    });
  };

  const ranUnder = async (): Promise<unknown[]> => {
    const ended = jsonOf(await shell.run(statsIntent, ["--json"]));
    const shown = jsonOf(await shell.exo(["policy", "explain", String(ended["intentId"]), "--json"]));
    const [decision] = shown["decisions"] as { policy: { version: number } }[];
    return [ended["status"], decision?.policy.version];
  };

  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
    v1 = JSON.parse(shell.read(".exoarmur/policy.json")) as PolicyDocument;
    const { $schema: _hint, ...document } = v1 as PolicyDocument & { $schema?: string };
    v1 = document;
    v2 = { ...v1, version: 2, rules: v1.rules.slice(1) };
  });
  afterAll(() => shell.remove());

  it("keeps it over a restart, with its file as it was", async () => {
    expect(await ranUnder()).toEqual(["executed", 1]);
    const file = shell.read(".exoarmur/policy.json");
    expect(await order(v2, v1, "author.key", "author")).toMatchObject({ version: 2, file: digestOfJson(v1) });
    expect(await ranUnder()).toEqual(["denied", 2]);
    expect(shell.read(".exoarmur/policy.json")).toBe(file);
    await withCore(async () => undefined);
    expect(logged.at(-1)).toBe("info policy.json is not used: an order put files version 2 in its place");
  });

  it("shows it, explains drafts by it, and is tried under it before it is served", async () => {
    const doctor = await shell.exo(["doctor"]);
    expect(doctor.stdout).toContain("activated by an order in the place of policy.json: files version 2");
    const explained = jsonOf(
      await shell.exo(["policy", "explain", "-", "--json"], { input: JSON.stringify(statsIntent) }),
    );
    expect(explained["decisions"]).toMatchObject([{ policy: { version: 2, digest: digestOfJson(v2) } }]);
    const scratch = await makeScratch(shell.path(".exoarmur"), { entropy: systemEntropy, listener: 1 });
    expect(scratch.policy.version).toBe(2);
    await scratch.remove();
  });

  it("refuses an edit of the file whose version does not rise, and goes on when it is undone", async () => {
    const before = shell.read(".exoarmur/policy.json");
    for (const version of [1, 2]) {
      shell.write(".exoarmur/policy.json", canonicalize({ ...v1, version, rules: [] }));
      expect(errorOf(await shell.run(statsIntent, ["--json"]))).toBe("EXO_POLICY_VERSION");
    }
    shell.write(".exoarmur/policy.json", before);
    expect(await ranUnder()).toEqual(["denied", 2]);
  });

  it("signs it anew when the home's author key is rotated", async () => {
    const rotated = await shell.exo(["keys", "rotate", "policy-author"]);
    expect([rotated.stderr, rotated.code]).toEqual(["", 0]);
    await shell.run(statsIntent, ["--out", "later.proof.json"]);
    const verdict = await shell.exo(["verify", "later.proof.json", "--trust", ".exoarmur/trust.json"]);
    expect([verdict.stderr, verdict.code]).toEqual(["", 0]);
    expect(await ranUnder()).toEqual(["denied", 2]);
    expect((await shell.exo(["log", "check"])).code).toBe(0);
  });

  it("does not start under one whose author was revoked, until its document is the file's", async () => {
    const made = "keys new --role policy-author --id bea -o .exoarmur/keys/bea.key --trust .exoarmur/trust.json";
    expect((await shell.exo(made.split(" "))).code).toBe(0);
    const v3 = { ...v2, version: 3 };
    await order(v3, v2, "bea.key", "bea");
    const { keyId } = JSON.parse(shell.read(".exoarmur/keys/bea.key")) as { keyId: string };
    expect((await shell.exo(["keys", "revoke", keyId, "--reason", "lost"])).code).toBe(0);
    expect(errorOf(await shell.run(statsIntent, ["--json"]))).toBe("EXO_POLICY_UNSIGNED");
    shell.write(".exoarmur/policy.json", canonicalize(v3));
    expect(await ranUnder()).toEqual(["denied", 3]);
  });

  it("takes the file up again once its version rises, and does not go back", async () => {
    shell.write(".exoarmur/policy.json", canonicalize({ ...v1, version: 4 }));
    expect(await ranUnder()).toEqual(["executed", 4]);
    shell.write(".exoarmur/policy.json", canonicalize(v1));
    expect(errorOf(await shell.run(statsIntent, ["--json"]))).toBe("EXO_POLICY_VERSION");
  });
});
