import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEndpoint } from "../../src/cli/demo/restrained-endpoint.js";
import { auditStreamId, demoEvent } from "../../src/cli/demo/restrained-event.js";
import { sha256Hex } from "../../src/crypto/sha256.js";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { type Ended, errorOf, jsonOf, NearShell, Shell } from "./cli.js";
import { DIST } from "./support/built.js";

// Workers are only in what was built.
const { replayLines, replayRestrained } = (await import(
  pathToFileURL(join(DIST, "cli/demo/restrained-replay.js")).href
)) as typeof import("../../src/cli/demo/restrained-replay.js");

const federation = "EXOARMUR_FLAG_V2_FEDERATION_ENABLED";
const control = "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED";
const approval = "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED";
const env = { [federation]: "true", [control]: "1", [approval]: "yes" };

const ids = {
  approve: auditStreamId(demoEvent, "approve"),
  deny: auditStreamId(demoEvent, "deny"),
  none: auditStreamId(demoEvent, "none"),
};

const play = async (shell: Shell, args: readonly string[] = [], given = env): Promise<Ended> =>
  await shell.exo(["demo", "restrained-autonomy", ...args], { env: given });
const replay = async (shell: Shell, id: string, args: readonly string[] = []): Promise<Ended> =>
  // No flag is needed to look at a record.
  await shell.exo(["demo", "restrained-autonomy", "--replay", id, ...args]);
const lastLines = ({ stdout }: Ended, count: number): string[] => stdout.trimEnd().split("\n").slice(-count);

/** Digest of every file below a folder, but for the store's table of readers. */
function digestsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile() && !name.endsWith("lock.mdb"));
  return Object.fromEntries(files.map((name) => [name, sha256Hex(new Uint8Array(readFileSync(join(folder, name))))]));
}

const onlyBundle = (shell: Shell): string => {
  const [name = "", ...more] = shell.list(".exoarmur/demo/bundles");
  if (more.length > 0) throw new Error(`more than one bundle: ${more.join(", ")}`);
  return `.exoarmur/demo/bundles/${name}`;
};

let approved: Shell;
let first: Ended;

beforeAll(async () => {
  approved = new Shell();
  first = await play(approved, ["--operator-decision", "approve"]);
});
afterAll(() => approved.remove());

describe("restrained autonomy without its flags", () => {
  it("says how to set them, does nothing, and ends well", async () => {
    const shell = new NearShell();
    try {
      for (const given of [{}, { ...env, [approval]: "off" }]) {
        const { code, stdout, stderr } = await play(shell, ["--operator-decision", "approve"], given as typeof env);
        expect([code, stderr]).toEqual([0, ""]);
        expect(stdout).toContain("V2 restrained autonomy is disabled. To enable it, set all three flags:\n");
        for (const flag of [federation, control, approval]) expect(stdout).toContain(`  ${flag}=true`);
        expect(stdout).not.toContain("DEMO_RESULT");
      }
      expect(shell.list(".")).toEqual(["data"]);
    } finally {
      shell.remove();
    }
  });

  it("names the flag that another one lacks", async () => {
    const lacking = await play(approved, ["--json"], { ...env, [control]: "0" });
    expect([lacking.code, errorOf(lacking)]).toEqual([1, "EXO_FLAG"]);
    expect(jsonOf(lacking)).toMatchObject({
      error: { message: `${approval} is on and needs ${control}, which is off` },
    });
  });
});

describe("restrained autonomy", () => {
  it("after an approval isolates the endpoint by one request, which that endpoint saw", async () => {
    expect([first.code, first.stderr]).toEqual([0, ""]);
    expect(first.stdout.split("\n").slice(0, -1)).toEqual([
      "telemetry   telemetry-demo-001   endpoint-demo-001   severity high   malware.exe",
      expect.stringMatching(
        /^intent {6}[0-7][0-9A-Z]{25} {3}containment\.isolate endpoint-demo-001 {3}A2_hard_contain/,
      ),
      "verdict     require_human   containment-needs-an-operator, operator-approval",
      "operator    approve",
      "endpoint    saw POST /v1/endpoints/endpoint-demo-001/isolate",
      "recorded    executed",
      `bundle      ${onlyBundle(approved)}`,
      "DEMO_RESULT=APPROVED",
      "ACTION_EXECUTED=true",
      `AUDIT_STREAM_ID=${ids.approve}`,
    ]);
    const verified = await approved.exo(["verify", onlyBundle(approved), "--trust", ".exoarmur/demo/trust.json"]);
    expect([verified.code, verified.stdout.includes("pinned")]).toEqual([0, true]);
  });

  it("is the same in three runs, to the last byte of output, bundle, log and trust file", async () => {
    const bundle = approved.read(onlyBundle(approved));
    const anchor = approved.read(".exoarmur/demo/anchor");
    const trust = approved.read(".exoarmur/demo/trust.json");
    const other = new NearShell();
    try {
      // Once more in its own place, and in another at the same time.
      const again = await Promise.all(
        [approved, other].map((shell) => play(shell, ["--operator-decision", "approve"])),
      );
      expect(again).toEqual([first, first]);
      for (const shell of [approved, other]) {
        expect(shell.read(onlyBundle(shell)) === bundle).toBe(true);
        expect(shell.read(".exoarmur/demo/anchor")).toBe(anchor);
        expect(shell.read(".exoarmur/demo/trust.json")).toBe(trust);
      }
    } finally {
      other.remove();
    }
  });

  it.each([
    [
      "deny",
      ["--operator-decision", "deny"],
      "Operator approval denied",
      "EXO_APPROVAL_DENIED: operator-demo-001 denied the request: the process is a drill",
    ],
    [
      "none",
      [],
      "Operator approval required but not provided",
      "EXO_APPROVAL_EXPIRED: operator approval required but not provided until 2026-01-31T09:15:01.000Z",
    ],
  ] as const)("after %s the endpoint saw nothing", async (decision, args, refusal, recorded) => {
    const shell = new NearShell();
    try {
      const ended = await play(shell, args);
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      expect(ended.stdout).toContain("\nendpoint    saw nothing\n");
      expect(ended.stdout).toContain(`\nrecorded    denied   ${recorded}\n`);
      expect(lastLines(ended, 4)).toEqual([
        `Refusal reason: ${refusal}`,
        "DEMO_RESULT=DENIED",
        "ACTION_EXECUTED=false",
        `AUDIT_STREAM_ID=${ids[decision]}`,
      ]);
      const replayed = await replay(shell, ids[decision]);
      expect([replayed.code, lastLines(replayed, 1)]).toEqual([0, ["REPLAY_VERIFIED=true"]]);
      // Started afresh by every run: no other stream is left there.
      const stale = await replay(shell, ids.approve);
      expect([stale.code, lastLines(stale, 1)]).toEqual([1, ["REPLAY_VERIFIED=false"]]);
    } finally {
      shell.remove();
    }
  });

  it("prints one document with --json", async () => {
    const shell = new NearShell();
    try {
      const ended = await play(shell, ["--operator-decision", "deny", "--json", "--home", "elsewhere"]);
      expect(jsonOf(ended)).toMatchObject({
        schema: "exoarmur.restrained-autonomy/v1",
        enabled: true,
        ok: true,
        streamId: ids.deny,
        status: "denied",
        seen: [],
        isolated: false,
      });
      expect(jsonOf(await play(shell, ["--json"], {} as typeof env))).toEqual({
        schema: "exoarmur.restrained-autonomy/v1",
        enabled: false,
        missing: [federation, control, approval],
      });
      const replayed = jsonOf(await replay(shell, ids.deny, ["--home", "elsewhere", "--json"]));
      expect(replayed).toMatchObject({ verified: true, problems: [], executions: 0 });
      expect((replayed["timeline"] as { eventType: string }[]).map(({ eventType }) => eventType).slice(-2)).toEqual([
        "approval_denied",
        "intent_denied",
      ]);
    } finally {
      shell.remove();
    }
  });

  it("takes its flags from config.json of the home that is there, and stays out of the way of one to come", async () => {
    const shell = new NearShell();
    try {
      await play(shell, ["--operator-decision", "deny"]);
      const missing = await shell.exo(["log", "check", "--json"]);
      expect(errorOf(missing)).toBe("EXO_HOME_MISSING");
      expect((await shell.exo(["init"])).code).toBe(0);
      expect(lastLines(await replay(shell, ids.deny), 1)).toEqual(["REPLAY_VERIFIED=true"]);
      shell.edit(".exoarmur/config.json", (config) => ({
        ...config,
        features: { v2_federation_enabled: true, v2_control_plane_enabled: true, v2_operator_approval_required: true },
      }));
      const ended = await play(shell, ["--operator-decision", "deny"], {} as typeof env);
      expect(lastLines(ended, 1)).toEqual([`AUDIT_STREAM_ID=${ids.deny}`]);
    } finally {
      shell.remove();
    }
  });

  it("leaves a home alone that it did not make, and refuses words it does not know", async () => {
    const shell = new NearShell();
    try {
      await shell.exo(["init", "own"]);
      const before = digestsOf(shell.path("own"));
      const refused = await play(shell, ["--json", "--home", "own"]);
      expect([refused.code, errorOf(refused)]).toEqual([1, "EXO_HOME_EXISTS"]);
      expect(digestsOf(shell.path("own"))).toEqual(before);
      for (const args of [
        ["--operator-decision", "maybe"],
        ["--operator-decision", "approve", "--replay", ids.approve],
      ]) {
        expect((await play(shell, args)).code).toBe(2);
      }
    } finally {
      shell.remove();
    }
  });
});

describe("its replay", () => {
  it("runs the execution again with nothing asked of the endpoint, and changes nothing", async () => {
    const before = digestsOf(approved.path(".exoarmur"));
    const endpoint = await openEndpoint();
    try {
      const { code, stdout, stderr } = await replay(approved, ids.approve);
      expect([code, stderr]).toEqual([0, ""]);
      const lines = stdout.trimEnd().split("\n");
      expect(lines.map((line) => line.split(/ {3,}/).slice(0, 3))).toEqual([
        ["stream", ids.approve],
        [" 0", "2026-01-31T09:00:01.000Z", "intent_received"],
        [" 1", "2026-01-31T09:00:01.000Z", "policy_evaluated"],
        [" 2", "2026-01-31T09:00:01.000Z", "safety_evaluated"],
        [" 3", "2026-01-31T09:00:01.000Z", "verdict_resolved"],
        [" 4", "2026-01-31T09:00:01.000Z", "approval_requested"],
        [" 5", "2026-01-31T09:00:31.000Z", "approval_granted"],
        [" 6", "2026-01-31T09:00:31.000Z", "policy_evaluated"],
        [" 7", "2026-01-31T09:00:31.000Z", "safety_evaluated"],
        [" 8", "2026-01-31T09:00:31.000Z", "verdict_resolved"],
        [" 9", "2026-01-31T09:00:31.000Z", "execution_started"],
        ["10", "2026-01-31T09:00:31.000Z", "effect_started"],
        ["11", "2026-01-31T09:00:31.000Z", "execution_completed"],
        ["executions  1 run again, with nothing listening"],
        ["REPLAY_VERIFIED=true"],
      ]);
      expect(lines.slice(1, 13).every((line) => / {3}sha256:[0-9a-f]{16}$/.test(line))).toBe(true);
      expect(endpoint.seen).toEqual([]);
    } finally {
      await endpoint.close();
    }
    expect(digestsOf(approved.path(".exoarmur"))).toEqual(before);
  });

  it("verifies no stream that is not there", async () => {
    for (const id of [ids.deny, "../x"]) {
      const { code, stdout } = await replay(approved, id);
      expect([id, code, lastLines({ code, stdout, stderr: "" }, 1)]).toEqual([id, 1, ["REPLAY_VERIFIED=false"]]);
      expect(stdout).toContain(`\nproblem     No audit records found for correlation_id: ${id}\n`);
    }
    const nowhere = await replay(approved, ids.approve, ["--home", "no/such/home"]);
    expect([nowhere.code, lastLines(nowhere, 1)]).toEqual([1, ["REPLAY_VERIFIED=false"]]);
    expect(existsSync(approved.path("no"))).toBe(false);
  });

  /** Changes a copy of the approved demo's files and says what the replay of its stream finds wrong, in this process. */
  async function tampered(change: (shell: Shell) => unknown): Promise<string> {
    const copy = new NearShell(approved);
    try {
      await change(copy);
      const found = await replayRestrained(copy.path(".exoarmur/demo"), ids.approve, { log: () => undefined });
      expect(found.verified).toBe(false);
      return replayLines(found).join("\n");
    } finally {
      copy.remove();
    }
  }

  it("verifies the copies that the following changes are made to", async () => {
    const found = await replayRestrained(approved.path(".exoarmur/demo"), ids.approve, { log: () => undefined });
    expect(found).toMatchObject({ verified: true, executions: 1, problems: [] });
  });

  it("verifies no store in which one letter of a text was changed", async () => {
    for (const text of ["endpoint-demo-001", "exoarmur.policy-decision/v1", '"execution_completed"']) {
      const said = await tampered((shell) => {
        const file = shell.path(".exoarmur/demo/data/data.mdb");
        const bytes = readFileSync(file);
        // Everywhere: pages that a later commit replaced still lie in the file.
        let found = 0;
        for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
          bytes.writeUInt8(bytes.readUInt8(at + 3) ^ 1, at + 3);
          found += 1;
        }
        expect(found).toBeGreaterThan(0);
        writeFileSync(file, bytes);
      });
      expect(said).toContain("\nproblem     ");
    }
  });

  it("verifies no store from which something was taken, and none that was rolled back", async () => {
    const gone = await tampered(async (shell) => {
      const store = await openLmdbStore(shell.path(".exoarmur/demo/data"));
      const [key] = [...store.range({ gte: "e/", lt: "e0" })].map(([name]) => name).slice(-1);
      expect(key).toBeDefined();
      await store.commit([{ key: key ?? "", value: null }], await store.acquire());
      await store.close();
    });
    expect(gone).toContain("\nproblem     ");
    const older = await tampered(async (shell) => {
      const anchor = shell.read(".exoarmur/demo/anchor");
      const [origin, size, ...rest] = anchor.split("\n");
      shell.write(".exoarmur/demo/anchor", [origin, String(Number(size) + 3), ...rest].join("\n"));
    });
    expect(older).toMatch(/\nproblem {5}the log and the published checkpoint: /);
  });

  it("verifies no stream whose bundle file was changed or is gone", async () => {
    const changed = await tampered((shell) => {
      const file = onlyBundle(shell);
      const text = shell.read(file);
      const at = text.indexOf('"payload":"') + 100;
      shell.write(file, `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
    });
    expect(changed).toContain("\nproblem     bundle file: ");
    const cut = await tampered((shell) => shell.write(onlyBundle(shell), ""));
    expect(cut).toContain("\nproblem     bundle file: ");
  });

  it("verifies nothing under keys that others hold", async () => {
    const said = await tampered((shell) => {
      shell.edit(".exoarmur/demo/trust.json", (trust) => ({ ...trust, keys: [] }));
    });
    expect(said).toContain("EXO_TRUST");
  });
});
