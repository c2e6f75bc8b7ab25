import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Trust } from "../../src/contracts/trust.js";
import { passkeyCases } from "../conformance/passkeys.js";
import type { Case } from "../conformance/vector.js";
import { type Bundles, type Ending, makeBundles } from "../support/bundles.js";
import { allForgeries as forgeries } from "../verify/forgeries.js";
import { cosignedBundle, witnessKey } from "../verify/forgeries-log.js";
import { type Forgery, makeForgery } from "../verify/forgery.js";

const folder = "scripts/interop/python";
const script = join(folder, "verify.py");

/** Python's version as `3.x`, or undefined. */
function pythonVersion(): string | undefined {
  const found = spawnSync("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

const [major = 0, minor = 0] = (pythonVersion() ?? "").split(".").map(Number);
const lacksPython = major !== 3 || minor < 11;
const { EXOARMUR_NO_SKIP: noSkip } = process.env;
const skips = lacksPython && noSkip !== "1";
if (skips) {
  process.stderr.write("second verifier: skipped, install Python 3.11 or newer (Debian: python3)\n");
}

/** What only a reading of the module finds; the second verifier says that it does not make these checks. */
const outOfScope = [
  "plugin: another metered module",
  "plugin: another plugin altogether",
  "plugin: a plugin that is no module",
];

/** What the reader of canonical bytes and the bundle's shape refuse: name, text, code. */
const malformed = [
  ["no JSON", "{", "EXO_JSON_SYNTAX"],
  ["a byte order mark", "\ufeff{}", "EXO_JSON_SYNTAX"],
  ["a space", "{ }", "EXO_JSON_NOT_CANONICAL"],
  ["a newline at the end", "{}\n", "EXO_JSON_NOT_CANONICAL"],
  ["a key twice", '{"a":1,"a":1}', "EXO_JSON_NOT_CANONICAL"],
  ["keys out of order", '{"b":1,"a":1}', "EXO_JSON_NOT_CANONICAL"],
  ["another form of a number", '{"a":1.0}', "EXO_JSON_NOT_CANONICAL"],
  ["minus zero", '{"a":-0}', "EXO_JSON_NUMBER"],
  ["a lone surrogate", '{"a":"\\ud800"}', "EXO_JSON_SURROGATE"],
  ["too many levels", `${"[".repeat(129)}${"]".repeat(129)}`, "EXO_JSON_DEPTH"],
  ["another shape", "{}", "EXO_SCHEMA"],
] as const;

const titleOf = ({ check, name }: Forgery): string => `${check}: ${name}`;
const verdictOf = ({ state }: Forgery): string => (state === "unable" ? "indeterminate" : "reject");

type Answer = { verdict: string; codes: string[]; checks?: { id: string; state: string; message?: string }[] };

describe.skipIf(skips)("the second verifier", () => {
  let all: Bundles;
  let byPasskey: Case[];
  let home: string;
  const answers = new Map<string, Answer>();
  let files = 0;

  const put = (bytes: Uint8Array | string): string => {
    const file = join(home, String(files++));
    writeFileSync(file, bytes);
    return file;
  };

  const trusts = new Map<string, string>();
  const putTrust = (trust: Trust): string => {
    const text = JSON.stringify(trust);
    const file = trusts.get(text) ?? put(text);
    trusts.set(text, file);
    return file;
  };

  const answerOf = (name: string): Answer => {
    const found = answers.get(name);
    if (found === undefined) throw new Error(`no answer about ${name}`);
    return found;
  };

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "second-verifier-"));
    all = await makeBundles();
    const asked: [string, string, string][] = [];
    for (const [ending, bytes] of Object.entries(all.bytes)) asked.push([ending, put(bytes), putTrust(all.trust)]);
    const witnessed = { ...all.trust, witnesses: { threshold: 1, vkeys: [witnessKey("w1")] } };
    asked.push(["witnessed", put(await cosignedBundle(all.bytes.executed)), putTrust(witnessed)]);
    for (const forgery of forgeries) {
      const trust = forgery.trust?.(all.trust) ?? all.trust;
      asked.push([titleOf(forgery), put(await makeForgery(forgery, all)), putTrust(trust)]);
    }
    byPasskey = await passkeyCases();
    for (const { about, bytes, trust } of byPasskey) asked.push([about, put(bytes), putTrust(trust)]);
    for (const [name, text] of malformed) asked.push([name, put(text), putTrust(all.trust)]);
    const pairs = asked.flatMap(([, file, trust]) => [file, trust]);
    const lines = execFileSync("python3", [script, "--batch", ...pairs], { encoding: "utf8", maxBuffer: 2 ** 26 });
    for (const [index, line] of lines.trim().split("\n").entries()) {
      answers.set(asked[index]?.[0] ?? "", JSON.parse(line) as Answer);
    }
    expect(answers.size).toBe(asked.length);
  }, 300_000);

  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it("accepts a bundle of every ending, and one that a witness cosigned", () => {
    for (const ending of [...(Object.keys(all.bytes) as Ending[]), "witnessed"]) {
      expect([ending, answerOf(ending).verdict, answerOf(ending).codes]).toEqual([ending, "accept", []]);
    }
  });

  it.each(forgeries.filter((one) => !outOfScope.includes(titleOf(one))).map((one) => [titleOf(one), one] as const))(
    "refuses %s",
    (title, forgery) => {
      const { verdict, codes } = answerOf(title);
      expect(verdict).toBe(verdictOf(forgery));
      expect(codes).toContain(forgery.code);
    },
  );

  it("reads what passkeys signed as the first one does", () => {
    expect(byPasskey.filter(({ wrong }) => wrong === undefined)).toHaveLength(2);
    expect(byPasskey.filter(({ wrong }) => wrong !== undefined)).toHaveLength(27);
    for (const { about, wrong } of byPasskey) {
      const { verdict, codes } = answerOf(about);
      expect([about, verdict, ...codes]).toEqual([about, wrong === undefined ? "accept" : "reject", ...codes]);
      if (wrong !== undefined) expect([about, ...codes]).toContain(wrong.code);
    }
  });

  it("leaves to replay and admission exactly what it says it does", () => {
    expect(forgeries.map(titleOf).filter((title) => outOfScope.includes(title))).toEqual(outOfScope);
    for (const title of outOfScope) expect([title, answerOf(title).verdict]).toEqual([title, "accept"]);
    const run = spawnSync("python3", [script, put(all.bytes.executed), putTrust(all.trust)], { encoding: "utf8" });
    expect(run.stdout).toContain("not made: plugin: admission of the module (EXO_WASM_*) and its metering\n");
  });

  it("answers one file by exit code and by the last line", () => {
    const codes = { accept: 0, reject: 1, indeterminate: 6 };
    const unable = forgeries.find(({ state }) => state === "unable") as Forgery;
    const wrong = forgeries.find(({ code }) => code === "EXO_SIGNATURE") as Forgery;
    const trust = putTrust(all.trust);
    return Promise.all(
      ([["accept"], ["reject", wrong], ["indeterminate", unable]] as const).map(async ([verdict, forgery]) => {
        const bytes = forgery === undefined ? all.bytes.executed : await makeForgery(forgery, all);
        const run = spawnSync("python3", [script, put(bytes), trust], { encoding: "utf8" });
        expect(run.status).toBe(codes[verdict]);
        const last = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as Answer;
        expect(last).toEqual({ verdict, codes: forgery === undefined ? [] : [forgery.code] });
      }),
    );
  });

  it.each(malformed)("refuses a file with %s", (name, _text, code) => {
    expect(answerOf(name)).toMatchObject({ verdict: "reject", codes: [code] });
  });
  it("agrees with the vectors of canonical bytes, transcript roots, strict Ed25519 and ECDSA", () => {
    const run = spawnSync("python3", [join(folder, "vectors.py")], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^[1-9]\d* vectors hold\n$/);
  });

  it("takes nothing but Python's standard library", () => {
    const code = readdirSync(join(folder, "exoverify")).filter((name) => name.endsWith(".py"));
    const imports = code.flatMap((name) =>
      [...readFileSync(join(folder, "exoverify", name), "utf8").matchAll(/^\s*(?:import|from) ([a-z_]\w*)/gm)].map(
        ([, one]) => one ?? "",
      ),
    );
    const library = ["base64", "binascii", "datetime", "decimal", "functools", "hashlib", "json", "math", "pathlib"];
    expect([...new Set(imports)].sort()).toEqual([...library, "re", "typing"].sort());
  });
});
