import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import type { KeyFile } from "../../src/contracts/trust.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { postOrder } from "../../src/home/inbox.js";
import { openHome } from "../../src/home/open.js";
import { homePaths } from "../../src/home/paths.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import type { Runtime } from "../../src/runtime.js";
import { CrashStore } from "../support/crash-store.js";
import { killOrder } from "../support/sign.js";
import { keys } from "../support/world.js";
import { errorOf, jsonOf, NearShell, removeIntent, Shell, statsIntent } from "./cli.js";
import { built, builtMemory } from "./support/built.js";
import { crashTemplate } from "./support/crash-home.js";
import { Crasher, checkKilled, KilledHome } from "./support/crash-rounds.js";
import { auditProblems, withDeadHome } from "./support/dead-home.js";
import { flipBits, offsetsOf, rootPageOffset } from "./support/lmdb-bytes.js";
import { mountShell } from "./support/mount.js";

let made: Shell;
let shell: Shell;

const home = (): string => shell.path(".exoarmur");
const inHome = (...names: string[]): string => join(home(), ...names);

beforeAll(async () => {
  made = new NearShell();
  await made.exo(["init"]);
  const first = await made.run(statsIntent);
  if (first.code !== 0) throw new Error(first.stderr);
});
afterAll(() => made.remove());
beforeEach(() => {
  shell = new NearShell(made);
});
afterEach(() => shell.remove());

/** Opens the home in this process, does `work` and closes it. */
async function withRuntime<T>(work: (runtime: Runtime) => Promise<T>, dir = home()): Promise<T> {
  const runtime = await built.createRuntime({ home: dir });
  try {
    return await work(runtime);
  } finally {
    await runtime.close();
  }
}

const stats = async (runtime: Runtime): Promise<ExecutionResult> => await runtime.execute(statsIntent);

/** A normal run works, and the whole store passes its audit. */
async function expectUnharmed(dir = home()): Promise<void> {
  expect((await withRuntime(stats, dir)).status).toBe("executed");
  await withDeadHome(dir, (dead) => expect(auditProblems(dead.audit())).toEqual([]));
}

/** `exoarmur run` refuses the home with this code and exit 1, and leaves no stack trace. */
async function expectRefused(code: string, message: RegExp = /./): Promise<void> {
  const ended = await shell.run(statsIntent, ["--json"]);
  expect(ended.code, ended.stdout + ended.stderr).toBe(1);
  expect(errorOf(ended)).toBe(code);
  expect((jsonOf(ended)["error"] as { message: string }).message).toMatch(message);
  expect(ended.stderr).not.toContain("    at ");
}

/** The library refuses the home with this code. */
async function expectThrown(code: string): Promise<void> {
  await expect(built.createRuntime({ home: home() })).rejects.toMatchObject({ code });
}

const dataFile = (): string => inHome("data", "data.mdb");

describe("a store whose file was damaged", () => {
  it.each<[string, () => void]>([
    ["a flipped bit in a meta page's magic", () => flipBits(dataFile(), [24])],
    ["a flipped bit in the other meta page's magic", () => flipBits(dataFile(), [4096 + 24])],
    ["a flipped bit in the root page's number", () => flipBits(dataFile(), [rootPageOffset(dataFile())])],
    ["a flipped bit in the root page's flags", () => flipBits(dataFile(), [rootPageOffset(dataFile()) + 18])],
    ["a file cut to half", () => truncateSync(dataFile(), Math.floor(readFileSync(dataFile()).length / 2))],
    ["a file cut to a few bytes", () => truncateSync(dataFile(), 100)],
    ["a file of something else", () => writeFileSync(dataFile(), "not a database\n".repeat(1000))],
  ])("%s is EXO_STORE_DAMAGED", async (name, damage) => {
    const whole = readFileSync(dataFile());
    damage();
    await expectThrown("EXO_STORE_DAMAGED");
    if (name === "a file cut to half") await expectRefused("EXO_STORE_DAMAGED", /data\.mdb lacks page \d+/);
    writeFileSync(dataFile(), whole);
    await expectUnharmed();
  });

  it("an emptied file is a store that was rolled back, and log check doesn't pass it", async () => {
    const whole = readFileSync(dataFile());
    truncateSync(dataFile(), 0);
    expect((await shell.exo(["log", "check"])).code).toBe(1);
    await expectRefused("EXO_STORE_ROLLED_BACK");
    rmSync(dataFile());
    await expectRefused("EXO_STORE_ROLLED_BACK");
    writeFileSync(dataFile(), whole);
    await expectUnharmed();
  });

  it("a flipped bit in what a leaf page holds is found by log check", async () => {
    const whole = readFileSync(dataFile());
    const at = offsetsOf(dataFile(), '"action":"table.stats","actor"');
    expect(at.length).toBeGreaterThan(0);
    flipBits(
      dataFile(),
      at.map((offset) => offset + 12),
    );
    const checked = await shell.exo(["log", "check", "--json"]);
    expect(jsonOf(checked)).toMatchObject({ result: "fail" });
    expect(checked.stdout).toContain("EXO_MATERIAL_DIGEST");
    expect(checked.code).toBe(1);
    writeFileSync(dataFile(), whole);
    await expectUnharmed();
  });

  it("an older copy of the store is EXO_STORE_ROLLED_BACK", async () => {
    const older = shell.path("older");
    cpSync(inHome("data"), older, { recursive: true });
    await withRuntime(stats);
    const newer = shell.path("newer");
    cpSync(inHome("data"), newer, { recursive: true });
    cpSync(older, inHome("data"), { recursive: true });
    await expectRefused("EXO_STORE_ROLLED_BACK", /was rolled back to an older copy/);
    await expectThrown("EXO_STORE_ROLLED_BACK");
    cpSync(newer, inHome("data"), { recursive: true });
    await expectUnharmed();
  });

  it("another home's store is refused", async () => {
    const other = new NearShell();
    try {
      await other.exo(["init"]);
      await withRuntime(stats, other.path(".exoarmur"));
      const own = shell.path("own");
      cpSync(inHome("data"), own, { recursive: true });
      cpSync(other.path(".exoarmur", "data"), inHome("data"), { recursive: true });
      await expectRefused("EXO_STORE_DAMAGED");
      cpSync(own, inHome("data"), { recursive: true });
      await expectUnharmed();
    } finally {
      other.remove();
    }
  });
});

const canMount = (() => {
  const probe = new Shell();
  const mounted = mountShell(probe, 1_048_576);
  mounted?.remove();
  probe.remove();
  return mounted !== undefined;
})();

describe("a home that cannot be written", () => {
  it(`is EXO_HOME_READ_ONLY (${canMount ? "a read-only tmpfs" : "injected: mounting is not permitted here"})`, async () => {
    const mounted = mountShell(made, 64 * 2 ** 20);
    if (mounted === undefined) {
      const refuse = (): Promise<void> => Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }));
      const opened = openHome(home(), { write: true, fileSystem: { access: refuse } });
      await expect(opened).rejects.toMatchObject({ code: "EXO_HOME_READ_ONLY" });
      return;
    }
    const away = shell;
    shell = mounted.shell;
    try {
      mounted.readOnly(true);
      await expectRefused("EXO_HOME_READ_ONLY");
      await expectThrown("EXO_HOME_READ_ONLY");
      // What only reads still works there.
      expect((await shell.exo(["log", "check"])).code).toBe(0);
      expect((await shell.exo(["approvals", "list"])).code).toBe(0);
      const stopped = await shell.exo(["killswitch", "on", "--json"]);
      expect([stopped.code, errorOf(stopped)]).toEqual([1, "EXO_HOME_READ_ONLY"]);
      mounted.readOnly(false);
      await expectUnharmed();
    } finally {
      shell = away;
      mounted.remove();
    }
  });
});

describe("a disk that is full", () => {
  const how = canMount ? "a small tmpfs" : "injected: mounting is not permitted here";

  it(`is EXO_STORE; nothing acknowledged is lost, and there is a way back (${how})`, async () => {
    if (!canMount) return await playInjectedFull();
    const template = await crashTemplate();
    const mounted = mountShell(template, 6 * 2 ** 20) ?? expect.fail("mounting was permitted before");
    try {
      const killed = new KilledHome(mounted.shell);
      const crasher = new Crasher(killed.home, "full");
      await crasher.until((_lines, text) => text.split(`"type":"told"`).length > 3);
      const filler = mounted.shell.path("filler");
      const full = fillDisk(filler);
      // Free pages of the store last a little; then every writer ends.
      await crasher.until((_lines, text) => text.split('"type":"failed"').length > 5);
      expect(existsSync(filler)).toBe(true);
      closeSync(full);
      const lines = await crasher.kill();
      expect(lines.filter((line) => line.type === "failed" && line.code === "EXO_STORE").length).toBeGreaterThan(0);
      killed.remember(lines, ["EXO_STORE", "ENOSPC"]);
      // A home that cannot take its lock says so, and is not damaged by that.
      await expect(built.createRuntime({ home: killed.home })).rejects.toMatchObject({
        code: expect.stringMatching(/^EXO_(?:FILE|STORE)$/),
      });
      rmSync(filler);
      await checkKilled(killed, [...killed.asked.keys()]);
      await expectUnharmed(killed.home);
    } finally {
      mounted.remove();
      template.remove();
    }
  });
});

/** The same without a file system to fill: a store whose commits fail from some point on. */
async function playInjectedFull(): Promise<void> {
  const store = builtMemory.createMemoryStore();
  const parts = {
    policy: JSON.parse(made.read(".exoarmur/policy.json")) as PolicyDocument,
    plugins: [{ wasm: readFileSync(made.path(".exoarmur/plugins/table-stats.wasm")), manifest: statsManifest() }],
    roots: { data: { path: made.path("data"), access: "read" as const } },
    grants: { "table-stats": { fs_read: { roots: ["data"] } } },
    keys: { runtime: keys.runtime, log: keys.log, policyAuthor: keys.author, saltKey: new Uint8Array(32) },
  };
  const full = new CrashStore(store);
  const runtime = await built.createRuntime({ ...parts, store: full });
  const told = await stats(runtime);
  full.arm(1, "before");
  await expect(stats(runtime)).rejects.toMatchObject({ code: "EXO_STORE" });
  await expect(stats(runtime)).rejects.toMatchObject({ code: "EXO_STORE" });
  await runtime.close();
  const next = await built.createRuntime({ ...parts, store });
  expect(next.status(told.intentId)).toMatchObject({ status: "executed" });
  expect((await stats(next)).status).toBe("executed");
  await next.close();
}

function statsManifest(): ManifestDraft {
  return JSON.parse(made.read(".exoarmur/plugins/table-stats.json")) as ManifestDraft;
}

/** Writes zeros until the file system takes no more. */
function fillDisk(file: string): number {
  const fd = openSync(file, "w");
  for (const size of [65_536, 4096, 1]) {
    const zeros = Buffer.alloc(size);
    try {
      for (;;) writeSync(fd, zeros);
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
  return fd;
}

describe("a home that another runtime owns", () => {
  it("is EXO_HOME_LOCKED and names the owner; its kill switch still gets through", async () => {
    await withRuntime(async (owner) => {
      await expectRefused("EXO_HOME_LOCKED", new RegExp(`is owned by process ${process.pid};`));
      await expectThrown("EXO_HOME_LOCKED");
      expect((await shell.exo(["killswitch", "on"])).code).toBe(0);
      expect(await stats(owner)).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH" } });
      // Without the file the recorded order still holds.
      rmSync(inHome("KILL"));
      expect(await stats(owner)).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH" } });
      expect((await shell.exo(["killswitch", "off"])).code).toBe(0);
      expect((await stats(owner)).status).toBe("executed");
    });
    await expectUnharmed();
  });

  it("is taken over when its lock was left by a process that is gone", async () => {
    const lock = { pid: 2 ** 22 - 1, startTime: "1", place: "", token: "0".repeat(32) };
    await withRuntime(async () => {
      lock.place = (JSON.parse(readFileSync(inHome("owner.lock"), "utf8")) as { place: string }).place;
    });
    writeFileSync(inHome("owner.lock"), JSON.stringify(lock));
    await expectUnharmed();
    expect(existsSync(inHome("owner.lock"))).toBe(false);
  });

  it("a KILL file put there by hand stops the next action, whoever owns the home", async () => {
    await withRuntime(async (owner) => {
      writeFileSync(inHome("KILL"), "");
      expect(await stats(owner)).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH" } });
    });
    const ended = await shell.run(statsIntent, ["--json"]);
    expect(jsonOf(ended)).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH", retrySafe: true } });
    expect(ended.code).toBe(3);
    rmSync(inHome("KILL"));
    await expectUnharmed();
  });

  it("orders that are garbage, oversized, links or folders are answered and stop nothing", async () => {
    await withRuntime(async (owner) => {
      const inbox = (name: string): string => inHome("inbox", name);
      writeFileSync(inbox("a.order.json"), "not json");
      writeFileSync(inbox("b.order.json"), '{"payload":"","payloadType":"application/x","signatures":[]}');
      writeFileSync(inbox("c.order.json"), "");
      truncateSync(inbox("c.order.json"), 5_000_000);
      writeFileSync(inbox("d.order.json"), JSON.stringify(unsignedOrder));
      mkdirSync(inbox("e.order.json"));
      symlinkSync("/etc/passwd", inbox("f.order.json"));
      writeFileSync(inbox("what is this"), "");
      writeFileSync(inbox(".order.json"), "{}");
      const answered = (): boolean =>
        ["a", "b", "c", "d", "e", "f"].every((name) => existsSync(inbox(`${name}.result.json`)));
      await expect.poll(answered, { timeout: 10_000 }).toBe(true);
      const codeOf = (name: string): unknown =>
        (JSON.parse(readFileSync(inbox(`${name}.result.json`), "utf8")) as { code: string }).code;
      expect(["a", "b", "c", "d", "e", "f"].map(codeOf)).toEqual([
        "EXO_JSON_SYNTAX",
        "EXO_SCHEMA",
        "EXO_ORDER",
        expect.stringMatching(/^EXO_(?:TRUST|ENVELOPE|SIGNATURE|ORDER)$/),
        "EXO_ORDER",
        "EXO_ORDER",
      ]);
      expect(shell.list(".exoarmur/inbox/refused")).toEqual(["c.order.json", "e.order.json", "f.order.json"]);
      expect((await stats(owner)).status).toBe("executed");
    });
    await expectUnharmed();
  });
});

describe("orders that arrive while owners come and go", () => {
  it("are carried out once each, and none is answered by an owner that is closing", async () => {
    const { id, keyId, seed } = JSON.parse(shell.read(".exoarmur/keys/operator.key")) as KeyFile;
    const signer = signerFromSeed(new Uint8Array(Buffer.from(seed, "base64")));
    const names: string[] = [];
    const post = async (): Promise<void> => {
      const name = `order-${String(names.length).padStart(3, "0")}`;
      const signedAt = new Date().toISOString();
      const order = await killOrder(names.length % 2 === 0, { operator: { id, keyId }, signedAt }, signer);
      names.push(name);
      await postOrder(homePaths(home()), canonicalize(order), name);
    };
    for (let owner = 0; owner < 8; owner++) {
      const runtime = await built.createRuntime({ home: home() });
      await post();
      // Some of these closings meet the order between its listing and its carrying out.
      for (let turn = 0; turn < owner; turn++) await new Promise(setImmediate);
      const posting = post();
      await runtime.close();
      await posting;
    }
    const resultOf = (name: string): string => inHome("inbox", `${name}.result.json`);
    await withRuntime(async () => {
      await expect.poll(() => names.filter((name) => !existsSync(resultOf(name))), { timeout: 10_000 }).toEqual([]);
    });
    const results = names.map((name) => JSON.parse(readFileSync(resultOf(name), "utf8")) as object);
    expect(results.filter((result) => !("ok" in result && result.ok === true))).toEqual([]);
    expect(shell.list(".exoarmur/inbox").filter((name) => name.endsWith(".order.json"))).toEqual([]);
  });
});

const unsignedOrder = {
  payload: Buffer.from('{"schema":"exoarmur.kill-switch/v1","on":true}').toString("base64"),
  payloadType: "application/vnd.exoarmur.kill-switch+json",
  signatures: [{ keyid: "0".repeat(32), sig: Buffer.alloc(64).toString("base64") }],
};

describe("keys", () => {
  it.each(["runtime", "log", "salt"])("%s.key that others may read is EXO_KEY_MODE", async (name) => {
    chmodSync(inHome("keys", `${name}.key`), 0o644);
    await expectThrown("EXO_KEY_MODE");
    if (name !== "runtime") return;
    await expectRefused("EXO_KEY_MODE", /chmod 600/);
    chmodSync(inHome("keys", `${name}.key`), 0o600);
    await expectUnharmed();
  });

  it.each(["runtime", "log", "salt"])("%s.key that is missing is EXO_HOME_DAMAGED", async (name) => {
    const file = inHome("keys", `${name}.key`);
    copyFileSync(file, shell.path("kept.key"));
    rmSync(file);
    await expectThrown("EXO_HOME_DAMAGED");
    if (name !== "salt") return;
    await expectRefused("EXO_HOME_DAMAGED", /salt\.key does not exist/);
    copyFileSync(shell.path("kept.key"), file);
    chmodSync(file, 0o600);
    await expectUnharmed();
  });

  it("a runtime key that the trust file doesn't name is EXO_TRUST", async () => {
    const other = new NearShell();
    try {
      await other.exo(["init"]);
      cpSync(other.path(".exoarmur/keys/runtime.key"), inHome("keys", "runtime.key"));
      await expectRefused("EXO_TRUST");
      cpSync(made.path(".exoarmur/keys/runtime.key"), inHome("keys", "runtime.key"));
      await expectUnharmed();
    } finally {
      other.remove();
    }
  });

  it("a small-order key in trust.json is EXO_KEY_REFUSED at its place", async () => {
    const whole = shell.read(".exoarmur/trust.json");
    const smallOrder = `${"0".repeat(62)}80`;
    for (const point of [`01${"0".repeat(62)}`, "0".repeat(64), `ecffffff${"f".repeat(54)}7f`, smallOrder]) {
      shell.edit(".exoarmur/trust.json", (trust) => {
        const keys = trust["keys"] as { role: string; publicKey: string }[];
        const publicKey = Buffer.from(point, "hex").toString("base64");
        return { ...trust, keys: [...keys, { role: "approver", id: "mallory", publicKey, from: null, until: null }] };
      });
      await expectThrown("EXO_KEY_REFUSED");
      shell.write(".exoarmur/trust.json", whole);
    }
    shell.edit(".exoarmur/trust.json", (trust) => {
      const [first, ...keys] = trust["keys"] as object[];
      return { ...trust, keys: [{ ...first, publicKey: Buffer.alloc(32).toString("base64") }, ...keys] };
    });
    await expectRefused("EXO_KEY_REFUSED", /\/keys\/0\/publicKey/);
    shell.write(".exoarmur/trust.json", whole);
    await expectUnharmed();
  });
});

describe("configuration", () => {
  it.each<[string, (config: Record<string, unknown>) => unknown, RegExp]>([
    ["an unknown field", (config) => ({ ...config, allowAll: true }), /\/allowAll/],
    [
      "a root that holds the home",
      (config) => ({ ...config, roots: { data: { path: ".", access: "write" } } }),
      /\/roots\/data\/path/,
    ],
    [
      "a root in the home",
      (config) => ({ ...config, roots: { data: { path: ".exoarmur/keys", access: "read" } } }),
      /\/roots\/data\/path/,
    ],
    [
      "a grant over a root that is none",
      (config) => ({ ...config, grants: { fs: { fs_read: { roots: ["etc"] } } } }),
      /\/grants\/fs\/fs_read\/roots\/0/,
    ],
    ["a capability that is none", (config) => ({ ...config, grants: { fs: { fs_exec: {} } } }), /\/grants\/fs/],
  ])("%s is EXO_SCHEMA at its place", async (name, change, pointer) => {
    shell.edit(".exoarmur/config.json", change);
    const message: unknown = expect.stringMatching(pointer);
    await expect(built.createRuntime({ home: home() })).rejects.toMatchObject({ code: "EXO_SCHEMA", message });
    if (name !== "an unknown field") return;
    await expectRefused("EXO_SCHEMA", pointer);
    copyFileSync(made.path(".exoarmur/config.json"), inHome("config.json"));
    await expectUnharmed();
  });
});

describe("the policy", () => {
  const raise = (version: number) => (policy: Record<string, unknown>) => ({ ...policy, version, rules: [] });

  it("changed without a higher version is EXO_POLICY_VERSION, with one it holds", async () => {
    const whole = shell.read(".exoarmur/policy.json");
    shell.edit(".exoarmur/policy.json", raise(1));
    await expectRefused("EXO_POLICY_VERSION");
    await expectThrown("EXO_POLICY_VERSION");
    shell.write(".exoarmur/policy.json", whole);
    await expectUnharmed();
    shell.edit(".exoarmur/policy.json", raise(2));
    const denied = await shell.run(statsIntent, ["--json"]);
    expect(jsonOf(denied)).toMatchObject({
      status: "denied",
      reason: { code: "EXO_POLICY_DENIED", ruleIds: ["default"] },
    });
    expect(denied.code).toBe(3);
    // An older one does not come back.
    shell.write(".exoarmur/policy.json", whole);
    await expectRefused("EXO_POLICY_VERSION");
  });

  it("needs its author only when it changes", async () => {
    const whole = shell.read(".exoarmur/policy.json");
    rmSync(inHome("keys", "author.key"));
    await expectUnharmed();
    shell.edit(".exoarmur/policy.json", raise(2));
    await expectRefused("EXO_POLICY_UNSIGNED");
    shell.write(".exoarmur/policy.json", whole);
    await expectUnharmed();
  });
});

describe("plugins", () => {
  const plugin = (name: string): string => inHome("plugins", name);
  /** The same program under another digest: a custom section changes nothing a guest can see. */
  const rebuilt = (): Uint8Array =>
    Buffer.concat([readFileSync(plugin("table-stats.wasm")), Buffer.from([0, 5, 1, 0x78, 1, 2, 3])]);

  it("another module under a manifest that pins one is refused, and the home goes on", async () => {
    const { digest } = await withRuntime(async (runtime) => {
      const [, found] = runtime.pipeline.executors.list();
      return found?.plugin ?? expect.fail("no table-stats");
    });
    shell.edit(".exoarmur/plugins/table-stats.json", (manifest) => ({ ...manifest, wasm: { digest } }));
    await expectUnharmed();
    writeFileSync(plugin("table-stats.wasm"), rebuilt());
    const named = await shell.run({ ...statsIntent, executor: "table-stats" }, ["--json"]);
    expect(jsonOf(named)).toMatchObject({ status: "denied", reason: { code: "EXO_PLUGIN_REFUSED" } });
    expect(named.stderr).toContain("warn: plugin table-stats was refused: EXO_PLUGIN_DIGEST: ");
    expect(named.code).toBe(3);
    copyFileSync(made.path(".exoarmur/plugins/table-stats.wasm"), plugin("table-stats.wasm"));
    await expectUnharmed();
  });

  it("another module under a manifest that pins none is admitted anew, on record", async () => {
    const admissions = (): Promise<number> => withDeadHome(home(), (dead) => dead.admissions);
    expect(await admissions()).toBe(2);
    writeFileSync(plugin("table-stats.wasm"), rebuilt());
    await expectUnharmed();
    await expectUnharmed();
    expect(await admissions()).toBe(3);
  });

  it("a broken one denies its own intents alone", async () => {
    writeFileSync(plugin("fs.wasm"), "\0asm, more or less");
    await withRuntime(async (runtime) => {
      const named = await runtime.execute({ ...removeIntent, executor: "fs" });
      expect(named).toMatchObject({ status: "denied", reason: { code: "EXO_PLUGIN_REFUSED" } });
      const unnamed = await runtime.execute(removeIntent);
      expect(unnamed).toMatchObject({ status: "denied", reason: { code: "EXO_EXECUTOR_UNKNOWN" } });
      expect("reason" in unnamed && unnamed.reason.message).toContain("not admitted: fs (EXO_WASM_INVALID)");
    });
    await expectUnharmed();
  });

  it("one of 100 MB is refused unread", async () => {
    writeFileSync(plugin("fs.wasm"), "");
    truncateSync(plugin("fs.wasm"), 100_000_000);
    await withRuntime(async (runtime) => {
      const [refused] = runtime.pipeline.executors.listRefused();
      expect(refused).toMatchObject(["fs", { code: "EXO_FILE", message: expect.stringContaining("100000000 bytes") }]);
    });
    await expectUnharmed();
  });

  it("one whose manifest is malformed, misnamed or alone is refused, and the home goes on", async () => {
    writeFileSync(plugin("alone.wasm"), rebuilt());
    writeFileSync(plugin("lonely.json"), readFileSync(plugin("fs.json"), "utf8").replace('"fs"', '"lonely"'));
    writeFileSync(plugin("fs.json"), "{");
    writeFileSync(plugin("other.json"), readFileSync(plugin("table-stats.json")));
    writeFileSync(plugin("other.wasm"), readFileSync(plugin("table-stats.wasm")));
    await withRuntime(async (runtime) => {
      expect(runtime.pipeline.executors.listRefused().map(([name, { code }]) => [name, code])).toEqual([
        ["alone", "EXO_PLUGIN_REFUSED"],
        ["fs", "EXO_JSON_SYNTAX"],
        ["lonely", "EXO_PLUGIN_REFUSED"],
        ["other", "EXO_PLUGIN_REFUSED"],
      ]);
    });
    await expectUnharmed();
  });
});
