import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Proof, ProofReport, ProveOptions } from "../../src/cli/prove/prove.js";
import type { ProofParts } from "../../src/cli/prove/stage.js";
import { systemEntropy } from "../../src/crypto/random.js";
import type { ExecutionResult, Runtime } from "../../src/index.js";
import { systemClock } from "../../src/runtime/system.js";
import { jsonOf, NearShell, ROOT } from "./cli.js";
import { built, DIST } from "./support/built.js";

// What the guarantees show is only worth something if they notice that a protection is missing. So here each is run
// against a product without it, beside the real one.

const { guarantees, proveGuarantees } = (await import(
  pathToFileURL(join(DIST, "cli/prove/prove.js")).href
)) as typeof import("../../src/cli/prove/prove.js");

const ids = guarantees.map(({ id }) => id);

const temporary = mkdtempSync(join(tmpdir(), "exo-prove-"));
const before = process.env["TMPDIR"];
const shell = new NearShell();
const dir = shell.path(".exoarmur");

beforeAll(async () => {
  process.env["TMPDIR"] = temporary;
  expect((await shell.exo(["init"])).code).toBe(0);
});

afterAll(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  shell.remove();
  rmSync(temporary, { recursive: true, force: true });
});

async function prove(home: string, options: Partial<ProveOptions> = {}): Promise<ProofReport> {
  return await proveGuarantees(home, { clock: systemClock, entropy: systemEntropy, env: {}, ...options });
}

function proofOf(report: ProofReport, id: string): Proof | undefined {
  return report.guarantees.find((proof) => proof.id === id);
}

/** A copy of the starter home with its files changed, and what came of it. */
async function changed(change: (copy: NearShell) => void, options: Partial<ProveOptions>): Promise<ProofReport> {
  const copy = new NearShell(shell);
  try {
    change(copy);
    return await prove(copy.path(".exoarmur"), options);
  } finally {
    copy.remove();
  }
}

/** Every file below a folder with its bytes and time of change. */
function contentOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [file, `${statSync(file).mtimeMs} ${readFileSync(file, "base64")}`]));
}

describe("a starter home", () => {
  it("holds every guarantee, is left as it was, and nothing stays behind", async () => {
    const content = contentOf(shell.cwd);
    const { code, stdout, stderr } = await shell.exo(["doctor", "--prove", "--json"]);
    const report = jsonOf({ code, stdout, stderr }) as unknown as ProofReport;
    expect(report.guarantees.filter(({ state }) => state !== "held")).toEqual([]);
    expect(report.guarantees.map(({ id }) => id)).toEqual(ids);
    expect(code).toBe(0);
    expect(report).toMatchObject({ schema: "exoarmur.guarantees/v1", result: "held", home: dir });
    expect(report.counts).toEqual({ held: ids.length, broken: 0, could_not_be_tried: 0 });
    // Its rule for fs.remove asks a person, so approvals are tried on the policy as it is.
    const own = report.guarantees.filter(({ policy }) => policy === "own").map(({ id }) => id);
    expect(own).toEqual([
      "unknown-action",
      "default-deny",
      "second-owner",
      "changed-approval",
      "replayed-approval",
      "expired-approval",
    ]);
    expect(report.addedRules).toEqual(["exoarmur-prove-ask", "exoarmur-prove-allow"]);
    expect(contentOf(shell.cwd)).toEqual(content);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

/** A result as a pipeline without protection would give it. */
function carriedOut(result: ExecutionResult): ExecutionResult {
  if (result.status !== "denied" && result.status !== "failed") return result;
  const { bundle } = result;
  return { ...result, status: "executed", output: "", fuel: { limit: 1, used: 1 }, hostCalls: 0, bundle };
}

async function openAnyway(options: Parameters<typeof built.createRuntime>[0]): Promise<Runtime> {
  try {
    return await built.createRuntime(options);
  } catch (error) {
    if (!("home" in options) || !isCode(error)) throw error;
    if (error.code === "EXO_HOME_LOCKED") return { close: () => Promise.resolve() } as Runtime;
    rmSync(join(options.home, "anchor"));
    return await built.createRuntime(options);
  }
}

function isCode(error: unknown): error is { code: string } {
  return error instanceof Error && "code" in error;
}

/** A product that lets everything through. */
const unprotected: ProofParts = {
  createRuntime: async (options) => {
    const real = await openAnyway(options);
    const execute: Runtime["execute"] = async (draft, given) => {
      const { action, parameters } = draft as { action: string; parameters: { url?: string } };
      if (action === "exoarmur_prove.get" && parameters.url?.includes("//127.") === true) await fetch(parameters.url);
      return carriedOut(await real.execute(draft, given));
    };
    return {
      ...real,
      execute,
      as: (actor) => ({ call: (action, parameters) => execute({ actor, action, parameters }) }),
      status: (intentId) => carriedOut(real.status(intentId)),
      decide: async (grant) => await real.decide(grant).catch(() => ({ status: "running" }) as ExecutionResult),
      replay: async (what) => ({ ...(await real.replay(what)), result: "failure", failures: ["other bytes"] }),
    } as Runtime;
  },
  verifyBundle: () => ({ result: "pass", checks: [] }) as unknown as ReturnType<ProofParts["verifyBundle"]>,
  auditStore: () => ({ result: "pass", checks: [] }) as unknown as ReturnType<ProofParts["auditStore"]>,
};

describe("without its protection", () => {
  let report: ProofReport;
  beforeAll(async () => {
    report = await prove(dir, { parts: unprotected });
  });

  it.each(ids)("%s is broken", (id) => {
    expect(proofOf(report, id)).toMatchObject({ state: "broken" });
  });

  it("the whole is broken", () => {
    expect(report.result).toBe("broken");
    expect(report.counts).toEqual({ held: 0, broken: ids.length, could_not_be_tried: 0 });
    expect(proofOf(report, "ssrf")?.message).toBe("the listener on loopback was connected to");
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("another policy", () => {
  const policy = (rules: unknown[]) => (copy: NearShell) =>
    copy.edit(".exoarmur/policy.json", (document) => ({ ...document, rules }));

  it("that allows everything has no default deny, though all else holds, and the command ends with 1", async () => {
    const copy = new NearShell(shell);
    try {
      policy([{ id: "all", match: {}, verdict: "allow" }])(copy);
      const ended = await copy.exo(["doctor", "--prove"]);
      const lines = ended.stdout.trimEnd().split("\n");
      const [wrong, ...others] = lines.filter((line) => !line.startsWith("held "));
      expect(wrong).toMatch(
        /^BROKEN +default-deny +own +an action .*; but executed by rule all: it was carried out; it names every action$/,
      );
      expect(others).toEqual([
        "own: the home's policy as it is; derived: with the rules exoarmur-prove-ask, exoarmur-prove-allow before its own",
        `${ids.length - 1} guarantees held, 1 broken, 0 could not be tried`,
      ]);
      expect(ended.code).toBe(1);
    } finally {
      copy.remove();
    }
  });

  it("in Cedar is tried as it is where it is judged itself, and in rules elsewhere", async () => {
    const report = await changed(
      (copy) => {
        for (const name of ["policy.json", "policy.cedar", "policy.cedarschema"]) {
          copy.write(`.exoarmur/${name}`, readFileSync(join(ROOT, "examples/policy-cedar", name)));
        }
      },
      { only: ["unknown-action", "default-deny", "replayed-approval", "tampered-bundle", "cut-tail"] },
    );
    expect(report.guarantees.filter(({ state }) => state !== "held")).toEqual([]);
    expect(report.guarantees.map(({ policy }) => policy)).toEqual(["own", "own", "derived", "derived", "derived"]);
  });

  it("that asks a person for everything has nothing that no rule names", async () => {
    const report = await changed(policy([{ id: "ask", match: {}, verdict: "require_approval" }]), {
      only: ["default-deny"],
    });
    expect(proofOf(report, "default-deny")).toMatchObject({ state: "could_not_be_tried", policy: "own" });
    expect(report.result).toBe("could_not_be_tried");
  });

  it("that denies everything and asks nobody is tried with rules before its own", async () => {
    const report = await changed(policy([{ id: "none", match: {}, verdict: "deny" }]), {
      only: ["default-deny", "replayed-approval"],
    });
    expect(report.result).toBe("held");
    expect(proofOf(report, "default-deny")).toMatchObject({ policy: "own", message: expect.stringContaining("none") });
    expect(proofOf(report, "replayed-approval")).toMatchObject({ policy: "derived", code: "EXO_APPROVAL_SPENT" });
  });
});

it("budgets, required signatures, secrets and flags of the home do not keep anything from being tried", async () => {
  const on = { v2_federation_enabled: true, v2_control_plane_enabled: true, v2_operator_approval_required: true };
  const report = await changed(
    (copy) =>
      copy.edit(".exoarmur/config.json", (config) => ({
        ...config,
        features: on,
        plugins: { requireSignatures: true },
        safety: { budgets: { runs: { limit: 1, windowSeconds: 3600 } } },
        secrets: {
          KEY: {
            from: "env",
            origin: { scheme: "https", host: "api.example.com", port: 443 },
            header: "authorization",
          },
        },
        http: { dnsServers: ["192.0.2.53"] },
      })),
    { only: ["own-approval", "kill-switch", "outside-grant", "ssrf"] },
  );
  expect(report.guarantees.filter(({ state }) => state !== "held")).toEqual([]);
  expect(report.counts.held).toBe(4);
});

describe("a home that cannot be read", () => {
  it.each([
    ["is missing", "EXO_HOME_MISSING", (copy: NearShell) => rmSync(copy.path(".exoarmur"), { recursive: true })],
    ["has no policy", "EXO_HOME_DAMAGED", (copy: NearShell) => rmSync(copy.path(".exoarmur/policy.json"))],
    ["has a policy that is none", "EXO_SCHEMA", (copy: NearShell) => void copy.write(".exoarmur/policy.json", "{}")],
    ["has a broken config.json", "EXO_JSON_SYNTAX", (copy: NearShell) => void copy.write(".exoarmur/config.json", "{")],
  ])("%s: nothing could be tried", async (_, code, change) => {
    const report = await changed(change, {});
    expect(report.counts).toEqual({ held: 0, broken: 0, could_not_be_tried: ids.length });
    expect(new Set(report.guarantees.map((proof) => proof.code))).toEqual(new Set([code]));
    expect(report).toMatchObject({ result: "could_not_be_tried", policy: null });
  });

  it("ends the command with 6, a line for each", async () => {
    mkdirSync(shell.path("empty"));
    const { code, stdout } = await shell.exo(["doctor", "--prove", "--home", "empty/none"]);
    expect(code).toBe(6);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(ids.length + 1);
    expect(lines[0]).toMatch(/^could not be tried {3}unknown-action +own +an action .*; but EXO_HOME_MISSING: /);
    expect(lines.at(-1)).toBe(`0 guarantees held, 0 broken, ${ids.length} could not be tried`);
  });
});

it("flags that do not go together leave what needs a runtime untried", async () => {
  const env = { EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "true" };
  const report = await prove(dir, { env, only: ["unknown-action"] });
  expect(proofOf(report, "unknown-action")).toMatchObject({ state: "could_not_be_tried", code: "EXO_FLAG" });
});

it("nothing chosen is nothing held", async () => {
  expect(await prove(dir, { only: [] })).toMatchObject({ result: "could_not_be_tried", guarantees: [] });
});

it("a name that is no guarantee's is refused", async () => {
  await expect(prove(dir, { only: ["unknown-action", "ssfr"] })).rejects.toThrow("there is no guarantee ssfr");
});

it("an interrupt ends it with its reason, and nothing stays behind", async () => {
  const reason = new Error("interrupted");
  const signal = AbortSignal.abort(reason);
  await expect(prove(dir, { signal, only: ["unknown-action"] })).rejects.toBe(reason);
  expect(readdirSync(temporary)).toEqual([]);
});
