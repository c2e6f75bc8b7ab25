import { mkdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, errorOf, jsonOf, NearShell, ROOT, removeIntent, type Shell, statsIntent } from "./cli.js";

const fixture = (name: string): string => `${ROOT}/test/fixtures/${name}.wasm`;

let shell: Shell;

beforeAll(async () => {
  shell = new NearShell();
  await shell.exo(["init"]);
});
afterAll(() => shell.remove());

/** Everything recorded, in bytes of the log; refused input must leave no trace. */
const bundles = (): string[] => shell.list(".exoarmur/bundles");

const expectError = ({ code, stdout, stderr }: Ended, error: string, exit = 1): void => {
  expect(stderr).toContain(`error ${error}: `);
  expect(stderr).not.toContain("    at ");
  expect([code, stdout]).toEqual([exit, ""]);
};

describe("malformed intents are refused and leave no record", () => {
  const whole = JSON.stringify(statsIntent);
  const wrong: readonly (readonly [name: string, bytes: string | Uint8Array, code: string])[] = [
    ["nothing", "", "EXO_JSON_SYNTAX"],
    ["half of one", whole.slice(0, 40), "EXO_JSON_SYNTAX"],
    ["two documents", whole + whole, "EXO_JSON_SYNTAX"],
    ["a comment", `${whole} // ok`, "EXO_JSON_SYNTAX"],
    ["a duplicate key", whole.replace('"actor":"me"', '"actor":"me","actor":"you"'), "EXO_JSON_DUPLICATE_KEY"],
    [
      "an escaped duplicate key",
      whole.replace('"actor":"me"', '"actor":"me","\\u0061ctor":"you"'),
      "EXO_JSON_DUPLICATE_KEY",
    ],
    ["__proto__", whole.replace('"path"', '"__proto__":{"x":1},"path"'), "EXO_JSON_FORBIDDEN_KEY"],
    ["an escaped __proto__", whole.replace('"path"', '"__pr\\u006fto__":1,"path"'), "EXO_JSON_FORBIDDEN_KEY"],
    ["129 levels", whole.replace('"data/orders.csv"', `${"[".repeat(129)}${"]".repeat(129)}`), "EXO_JSON_DEPTH"],
    ["100,000 levels", "[".repeat(100_000), "EXO_JSON_DEPTH"],
    ["bytes that are not UTF-8", new Uint8Array([...Buffer.from(whole.slice(0, 11)), 0xff, 0xfe]), "EXO_JSON_UTF8"],
    ["a byte order mark", `\ufeff${whole}`, "EXO_JSON_SYNTAX"],
    ["a lone surrogate", whole.replace("orders", "\\ud800"), "EXO_JSON_SURROGATE"],
    ["an integer beyond 2^53", whole.replace('"data/orders.csv"', "9007199254740993"), "EXO_JSON_NUMBER"],
    ["over 1 MiB", whole.replace("orders", "x".repeat(1_048_576)), "EXO_JSON_SIZE"],
    ["an unknown member", whole.replace("{", '{"verdict":"allow",'), "EXO_SCHEMA"],
    ["no actor", '{"action":"table.stats","parameters":{}}', "EXO_SCHEMA"],
    ["parameters of another kind", '{"actor":"me","action":"table.stats","parameters":[]}', "EXO_SCHEMA"],
    ["an action that is no verb", '{"actor":"me","action":"stats","parameters":{}}', "EXO_SCHEMA"],
    ["a time of another form", whole.replace("{", '{"expiresAt":"2030-01-01T00:00:00Z",'), "EXO_SCHEMA"],
    ["another version", whole.replace("{", '{"schema":"exoarmur.intent/v2",'), "EXO_SCHEMA_VERSION"],
    ["a list", "[]", "EXO_SCHEMA"],
  ];

  it.each(wrong)("%s", async (_name, bytes, code) => {
    const before = bundles();
    expectError(await shell.exo(["run", "-"], { input: bytes }), code);
    expect(bundles()).toEqual(before);
  });

  it("names file, line and pointer, in text and in JSON", async () => {
    shell.write(
      "wrong.json",
      '{\n  "actor": "me",\n  "action": "fs.remove",\n  "parameters": { "path": "a" },\n  "urgent": true\n}\n',
    );
    const text = await shell.exo(["run", "wrong.json"]);
    expect(text.stderr).toMatch(
      /^error EXO_SCHEMA: wrong\.json(?:, line \d)?: \/urgent: .*\n {2}at wrong\.json(?::\d)? \/urgent\n$/,
    );
    const json = await shell.exo(["run", "wrong.json", "--json"]);
    expect(json.stderr).toBe("");
    expect(jsonOf(json)).toMatchObject({
      error: { code: "EXO_SCHEMA", place: { file: "wrong.json", pointer: "/urgent" } },
    });
    shell.write("wrong.json", '{\n"actor": "me",\n"actor": "you"}');
    expect((await shell.exo(["run", "wrong.json"])).stderr).toMatch(
      /^error EXO_JSON_DUPLICATE_KEY: wrong\.json, line 3: /,
    );
  });

  it("a file over the bound is refused by its size, unread", async () => {
    shell.write("huge.json", "");
    // Sparse: it takes no room.
    truncateSync(shell.path("huge.json"), 40 * 2 ** 30);
    expectError(await shell.exo(["run", "huge.json"]), "EXO_JSON_SIZE");
    expectError(await shell.exo(["canonicalize", "huge.json"]), "EXO_JSON_SIZE");
    expectError(await shell.exo(["verify", "huge.json"]), "EXO_BUNDLE");
    expectError(await shell.exo(["replay", "huge.json"]), "EXO_BUNDLE");
    expectError(await shell.exo(["inspect", "huge.json"]), "EXO_WASM_SIZE");
    rmSync(shell.path("huge.json"));
  });

  it("a missing file, a folder and a device are refused", async () => {
    for (const path of ["nowhere.json", "data", "/dev/zero"]) {
      expectError(await shell.exo(["run", path]), "EXO_FILE");
      expectError(await shell.exo(["verify", path]), "EXO_FILE");
    }
  });
});

describe("well-formed intents that cannot run", () => {
  const denied = async (change: object, code: string): Promise<void> => {
    const ended = await shell.run({ ...statsIntent, ...change }, ["--json"]);
    expect(jsonOf(ended)).toMatchObject({ status: "denied", reason: { code } });
    expect(ended.code).toBe(3);
  };

  it("an expired one is denied and recorded", () =>
    denied({ expiresAt: "2020-01-01T00:00:00.000Z" }, "EXO_INTENT_EXPIRED"));
  it("an unknown executor is denied and recorded", () => denied({ executor: "nobody" }, "EXO_EXECUTOR_UNKNOWN"));
  it("an action nobody claims is denied and recorded", () => denied({ action: "mail.send" }, "EXO_EXECUTOR_UNKNOWN"));
  it("another target than the parameters' is denied", () =>
    denied({ target: "data/other.csv" }, "EXO_TARGET_MISMATCH"));
  it("another tenant is denied", () => denied({ tenantId: "elsewhere" }, "EXO_TENANT_UNKNOWN"));
  it("a path out of the root is denied", () =>
    denied({ parameters: { path: "data/../secrets.csv" } }, "EXO_POLICY_DENIED"));

  it("an idempotency key used again gives the recorded outcome, and conflicts with another body", async () => {
    const first = jsonOf(await shell.run({ ...statsIntent, idempotencyKey: "k-1" }, ["--json"]));
    expect(first).toMatchObject({ status: "executed", recordedBefore: null, intent: { idempotencyKey: "k-1" } });
    const again = await shell.run({ ...statsIntent, idempotencyKey: "k-1" }, ["--json"]);
    expect(jsonOf(again)).toMatchObject({ status: "executed", intentId: first["intentId"], output: first["output"] });
    expect(jsonOf(again)["recordedBefore"]).toMatch(/^\d{4}-/);
    const told = await shell.run({ ...statsIntent, idempotencyKey: "k-1" });
    expect(told.stdout).toMatch(/\nknown {6}recorded \d{4}-\S+; nothing ran now\n/);
    expectError(await shell.run({ ...removeIntent, idempotencyKey: "k-1" }), "EXO_IDEMPOTENCY_CONFLICT");
  });

  it("--out writes the bundle a second time", async () => {
    const { stdout } = await shell.run(statsIntent, ["--out", "copy.proof.json"]);
    const bundle = stdout.split("\n")[1]?.slice(11) ?? "";
    expect(shell.read("copy.proof.json")).toBe(shell.read(bundle));
    expectError(await shell.run(statsIntent, ["--out", "/dev/null"]), "EXO_FILE");
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });

  it("a missing grant prints the line to add", async () => {
    const home = new NearShell(shell);
    try {
      home.edit(".exoarmur/config.json", (config) => ({ ...config, grants: {} }));
      const { code, stdout } = await home.run(statsIntent);
      expect(stdout).toContain('"grants": {"table-stats":{"fs_read":{"roots":["data"]}}}');
      expect(code).toBe(5);
    } finally {
      home.remove();
    }
  });

  it("text that steers a terminal is spelled out", async () => {
    const parameters = { path: "data/x\u202ecsv.exe", note: "\u001b[2J\u2066" };
    const { stdout } = await shell.run({ ...removeIntent, parameters });
    expect(stdout).toContain("target data/x\\u202ecsv.exe   by me\n");
    const show = await shell.exo(["approvals", "show", stdout.split("   ")[1] ?? ""]);
    expect(show.stdout).toContain(String.raw`parameters   {"note":"\u001b[2J\u2066","path":"data/x\u202ecsv.exe"}`);
    const list = await shell.exo(["approvals", "list"]);
    expect(list.stdout).toContain("target data/x\\u202ecsv.exe");
    const drawn = stdout + show.stdout + list.stdout;
    for (const mark of ["\u001b", "\u202e", "\u2066"]) expect(drawn).not.toContain(mark);
  });
});

describe("bundles that are none", () => {
  it.each([
    ["empty", ""],
    ["no JSON", "proof"],
    ["no bundle", "{}"],
    ["cut", '{"envelope":{"payload":"AA'],
  ])("%s: verify and replay fail", async (_name, content) => {
    shell.write("bad.proof.json", content);
    const verified = await shell.exo(["verify", "bad.proof.json"]);
    expect(verified.stdout).toMatch(/^fail {3}bundle is well formed +EXO_/);
    expect(verified.code).toBe(1);
    const replayed = await shell.exo(["replay", "bad.proof.json", "--json"]);
    expect(jsonOf(replayed)).toMatchObject({ result: "failure" });
    expect(replayed.code).toBe(1);
  });

  it("a trust file that is missing or malformed is an error", async () => {
    shell.write("bad.proof.json", "{}");
    expectError(await shell.exo(["verify", "bad.proof.json", "--trust", "nowhere.json"]), "EXO_FILE");
    shell.write("trust.json", '{"schema":"exoarmur.trust/v1"}');
    expectError(await shell.exo(["verify", "bad.proof.json", "--trust", "trust.json"]), "EXO_SCHEMA");
  });
});

describe("modules", () => {
  it("inspect admits a good one", async () => {
    const { code, stdout } = await shell.exo(["inspect", `${ROOT}/plugins/fs.wasm`]);
    expect(stdout).toMatch(/\nadmitted .*\n$/);
    expect(code).toBe(0);
    const json = await shell.exo(["inspect", fixture("echo"), "--json"]);
    expect(jsonOf(json)).toMatchObject({ schema: "exoarmur.module/v1", admitted: true, capabilities: [] });
  });

  it.each([
    ["empty", new Uint8Array(0), "EXO_WASM_SIZE"],
    ["not a module", "plain text", "EXO_WASM_INVALID"],
    ["a header alone, wrong version", new Uint8Array([0, 97, 115, 109, 9, 0, 0, 0]), "EXO_WASM_INVALID"],
  ])("inspect refuses one that is %s", async (_name, bytes, code) => {
    shell.write("bad.wasm", bytes);
    const { code: exit, stdout } = await shell.exo(["inspect", "bad.wasm"]);
    expect(stdout).toMatch(new RegExp(`\\nrefused {6}1 reason\\n {2}${code} .*\\n$`));
    expect(exit).toBe(1);
  });

  it("inspect refuses a truncated one and one of 100 MB", async () => {
    shell.write("cut.wasm", readFileSync(`${ROOT}/plugins/fs.wasm`).subarray(0, 5000));
    const cut = await shell.exo(["inspect", "cut.wasm", "--json"]);
    expect(jsonOf(cut)).toMatchObject({ admitted: false, reasons: [{ code: "EXO_WASM_INVALID" }] });
    expect(cut.code).toBe(1);
    truncateSync(shell.path("cut.wasm"), 100_000_000);
    const huge = await shell.exo(["inspect", "cut.wasm", "--json"]);
    expect(errorOf(huge)).toBe("EXO_WASM_SIZE");
    expect(huge.code).toBe(1);
    rmSync(shell.path("cut.wasm"));
  });

  it("bad ones in the plugins folder stop no other, and say why", async () => {
    const home = new NearShell(shell);
    try {
      const manifest = (name: string): string =>
        JSON.stringify({
          schema: "exoarmur.executor/v1",
          name,
          version: "1.0.0",
          functions: [{ name: "run", action: `${name}.run`, effects: "none" }],
          capabilities: [],
        });
      for (const name of ["empty", "text", "huge", "orphan"])
        home.write(`.exoarmur/plugins/${name}.json`, manifest(name));
      home.write(".exoarmur/plugins/empty.wasm", "");
      home.write(".exoarmur/plugins/text.wasm", "not wasm");
      home.write(".exoarmur/plugins/huge.wasm", "");
      truncateSync(home.path(".exoarmur/plugins/huge.wasm"), 100_000_000);
      mkdirSync(home.path(".exoarmur/plugins/folder.wasm"));
      const good = await home.run(statsIntent);
      expect(good.code).toBe(0);
      expect(good.stderr).toMatch(/warn: plugin empty was refused: EXO_WASM_SIZE: /);
      expect(good.stderr).toMatch(/warn: plugin text was refused: EXO_WASM_INVALID: /);
      expect(good.stderr).toMatch(/warn: plugin huge was refused: EXO_FILE: .* has 100000000 bytes/);
      const named = await home.run({ actor: "me", action: "text.run", executor: "text", parameters: {} }, ["--json"]);
      expect(jsonOf(named)).toMatchObject({ status: "denied", reason: { code: "EXO_PLUGIN_REFUSED" } });
      const doctor = await home.exo(["doctor"]);
      expect(doctor.stdout).toMatch(/\nfail {3}plugin text +EXO_WASM_INVALID: /);
      expect(doctor.stdout).toMatch(/\nok {5}plugin table-stats /);
      expect(doctor.code).toBe(1);
    } finally {
      home.remove();
    }
  });
});

describe("canonicalize", () => {
  it("prints the canonical bytes and nothing else", async () => {
    const { code, stdout, stderr } = await shell.exo(["canonicalize"], {
      input: '{ "b": [1.0, 1e2], "a": "\\u00e9" }\n',
    });
    expect([code, stdout, stderr]).toEqual([0, '{"a":"é","b":[1,100]}', ""]);
    const json = jsonOf(await shell.exo(["canonicalize", "-", "--json"], { input: "{}" }));
    expect(json).toMatchObject({
      canonical: "{}",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    });
  });

  it.each([
    ['{"a":1,"a":2}', "EXO_JSON_DUPLICATE_KEY"],
    ["-0", "EXO_JSON_NUMBER"],
    ['"\\ud800"', "EXO_JSON_SURROGATE"],
    ['{"__proto__":1}', "EXO_JSON_FORBIDDEN_KEY"],
    ["", "EXO_JSON_SYNTAX"],
  ])("refuses %s", async (input, code) => {
    expectError(await shell.exo(["canonicalize", "-"], { input }), code);
  });
});
