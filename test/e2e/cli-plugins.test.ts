import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compilerOptions } from "../../scripts/build-plugins.mjs";
import { assemblyScriptOptions } from "../../src/cli/plugins/compilers.js";
import { type Ended, errorOf, jsonOf, near, ROOT, Shell } from "./cli.js";

let made: Shell;
let shell: Shell;
const exo = async (args: readonly string[], input = "", env = {}): Promise<Ended> =>
  await near(shell, args, { input, env });
const json = async (args: readonly string[]): Promise<Record<string, never>> =>
  jsonOf(await exo([...args, "--json"])) as never;
const errorLine = ({ stderr }: Ended): string => stderr.split("\n")[0] ?? "";

/** A built plugin `hello` and a home, made once. */
beforeAll(async () => {
  made = new Shell();
  for (const args of [["init"], ["plugins", "new", "hello"], ["plugins", "build", "hello"]]) {
    const ended = await made.exo(args);
    if (ended.code !== 0) throw new Error(`${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
  }
}, 120_000);
afterAll(() => made.remove());

beforeEach(() => {
  shell?.remove();
  shell = new Shell(made);
});
afterAll(() => shell.remove());

const digest = (name: string): string => `sha256:${createHash("sha256").update(shellFile(name)).digest("hex")}`;

describe("plugins new", () => {
  it("makes a folder that stands alone, and says what is in it", async () => {
    const ended = await exo(["plugins", "new", "word-count"]);
    expect(ended.stderr).toBe("");
    expect(ended.stdout).toBe(
      [
        "word-count/assembly/index.ts   the source, in assemblyscript",
        "word-count/word-count.json     the manifest: functions, actions, capabilities",
        "word-count/cases/              tests: a call, and how it must end",
        "word-count/sdk/                the SDK, a copy: this folder stands alone",
        "next: exoarmur plugins build word-count && exoarmur plugins test word-count\n",
      ].join("\n"),
    );
    expect(shell.read("word-count/word-count.json")).toContain('"action": "word-count.greet"');
    expect(readdirSync(shell.path("word-count/sdk/assembly"))).toEqual(readdirSync(`${ROOT}/plugins/sdk/assembly`));
    expect(shell.list(".").filter((name) => name.includes(".new-"))).toEqual([]);
    for (const name of readdirSync(shell.path("word-count"), { recursive: true }) as string[]) {
      expect(name).not.toContain("__NAME__");
    }
  });

  const badNames = [
    ...["../x", "/tmp/x", "a/b", "a\\b", "..", ".hidden", "-x", "Upper", "with space", "name\u0000", "__NAME__"],
    ...["\u00e4", "x".repeat(101), ""],
  ];
  it("refuses every name that is no executor's, and writes nothing", async () => {
    const before = shell.list(".");
    for (const name of badNames) {
      const ended = await exo(["plugins", "new", "--", name]);
      expect([name, ended.code, errorLine(ended).split(":")[0]]).toEqual([name, 2, "error EXO_USAGE"]);
      expect(errorLine(ended)).toContain("such as table-stats");
    }
    expect(shell.list(".")).toEqual(before);
  });

  it("refuses the names of devices", async () => {
    for (const name of ["con", "nul", "aux", "com1", "lpt9"]) {
      const ended = await exo(["plugins", "new", name]);
      expect([ended.code, errorLine(ended)]).toEqual([
        2,
        `error EXO_USAGE: "${name}" is the name of a device on Windows`,
      ]);
    }
  });

  it.each(["a folder", "an empty folder", "a file", "a dangling link"])(
    "leaves alone %s that is there",
    async (what) => {
      if (what === "a folder") mkdirSync(shell.path("taken/inner"), { recursive: true });
      if (what === "an empty folder") mkdirSync(shell.path("taken"));
      if (what === "a file") shell.write("taken", "mine");
      if (what === "a dangling link") symlinkSync("nowhere", shell.path("taken"));
      const ended = await exo(["plugins", "new", "taken"]);
      expect(ended.code).toBe(1);
      expect(errorLine(ended)).toMatch(/^error EXO_FILE: .*taken exists already, and is left as it is$/);
      expect(shell.list(".").filter((name) => name.includes(".new-"))).toEqual([]);
    },
  );

  it("copies what the package ships: every file of the templates and SDKs is in it", () => {
    const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    const [pack] = JSON.parse(stdout) as { files: { path: string }[] }[];
    const shipped = new Set(pack?.files.map(({ path }) => path));
    for (const folder of ["templates", "sdk/assembly", "sdk-rust", "sdk-c"]) {
      const files = readdirSync(`${ROOT}/plugins/${folder}`, { recursive: true, withFileTypes: true });
      const paths = files
        .filter((one) => one.isFile())
        .map((one) => `${one.parentPath}/${one.name}`.slice(ROOT.length));
      expect(paths.length).toBeGreaterThan(3);
      for (const path of paths) expect(shipped, path).toContain(path.replace(/^\//, ""));
    }
  });

  it("refuses a language it does not know", async () => {
    const ended = await exo(["plugins", "new", "x", "--lang", "cobol"]);
    expect([ended.code, errorLine(ended)]).toEqual([
      2,
      "error EXO_USAGE: --lang: there is no cobol; there are assemblyscript, rust, c",
    ]);
    expect(existsSync(shell.path("x"))).toBe(false);
  });
});

/** A compiler of the plugin's own, which gives the module that is there. */
function useFakeCompiler(): void {
  const bin = shell.path("hello/node_modules/assemblyscript/bin");
  mkdirSync(bin, { recursive: true });
  const program = 'const { copyFileSync } = require("node:fs"); copyFileSync("hello.wasm", process.argv[4]);';
  writeFileSync(`${bin}/asc.js`, program);
}

describe("plugins build", () => {
  it("compiles with the options of the shipped executors", () => {
    expect(assemblyScriptOptions).toEqual(compilerOptions);
  });

  it("gives the digest, and what the module imports", async () => {
    useFakeCompiler();
    const before = digest("hello/hello.wasm");
    const built = await json(["plugins", "build", "hello"]);
    expect(built).toMatchObject({
      schema: "exoarmur.plugin-build/v1",
      name: "hello",
      language: "assemblyscript",
      admitted: true,
      reasons: [],
      functions: ["greet", "count"],
      capabilities: ["fs_read"],
      unused: [],
    });
    expect(built).toMatchObject({ module: { digest: before } });
  });

  it("says what does not compile, and leaves the module alone", async () => {
    const before = digest("hello/hello.wasm");
    shell.write("hello/assembly/index.ts", "export function greet(): i32 { return nothing; }\n");
    const ended = await exo(["plugins", "build", "hello"]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("Cannot find name 'nothing'");
    expect(ended.stderr).toMatch(
      /error EXO_BUILD: the compiler of assemblyscript refused assembly\/index\.ts \(exit 1\)/,
    );
    expect(digest("hello/hello.wasm")).toBe(before);
  });

  it("judges the module under the manifest: every reason, and the lines that would admit it", async () => {
    useFakeCompiler();
    shell.edit("hello/hello.json", (manifest) => ({
      ...manifest,
      capabilities: [{ name: "clock_now" }],
      functions: [...(manifest["functions"] as object[]), { name: "bye", action: "hello.bye" }],
    }));
    const ended = await exo(["plugins", "build", "hello"]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain('manifest     "capabilities": [{"name":"fs_read"}]');
    expect(ended.stdout).toContain("unused       the manifest asks for clock_now, which nothing calls");
    expect(ended.stdout).toMatch(/refused {6}2 reasons\n {2}EXO_WASM_IMPORT .*fs_read/);
    expect(ended.stdout).toMatch(/EXO_WASM_EXPORT .*the manifest names the function bye; .*: greet, count/);
  });

  it.each([
    ["hello.json", { functionz: [] }, /^error EXO_SCHEMA: .*hello\.json, line 1: \/functionz: expected no such member/],
    [
      "hello.json",
      { name: "other" },
      /^error EXO_PLUGIN_REFUSED: .*\/name: expected hello, the name of the file, got other/,
    ],
    [
      "hello.json",
      { capabilities: [{ name: "net" }] },
      /^error EXO_SCHEMA: .*\/capabilities\/0\/name: expected .*got "net"/,
    ],
    [
      "exoarmur.json",
      { language: "go" },
      /^error EXO_SCHEMA: .*exoarmur\.json, line 1: \/language: expected .*got "go"/,
    ],
    ["exoarmur.json", { source: "../../x.ts" }, /^error EXO_SCHEMA: .*\/source: expected .*a path inside the folder/],
    ["exoarmur.json", { source: "/etc/passwd" }, /^error EXO_SCHEMA: .*\/source/],
    ["exoarmur.json", { source: "--outFile=x" }, /^error EXO_SCHEMA: .*\/source/],
    ["exoarmur.json", { source: "gone.ts" }, /^error EXO_FILE: .*gone\.ts does not exist/],
    ["exoarmur.json", { schema: "exoarmur.plugin-project/v2" }, /^error EXO_SCHEMA_VERSION/],
  ])("%s with %j: one exact message", async (file, change, message) => {
    shell.edit(`hello/${file}`, (document) => ({ ...document, ...change }));
    const ended = await exo(["plugins", "build", "hello"]);
    expect(ended.code).toBe(1);
    expect(errorLine(ended)).toMatch(message);
  });

  it("says what is missing: the project, the manifest, the folder", async () => {
    rmSync(shell.path("hello/exoarmur.json"));
    expect(errorLine(await exo(["plugins", "build", "hello"]))).toMatch(
      /^error EXO_FILE: .*exoarmur plugins new writes it$/,
    );
    rmSync(shell.path("hello/hello.json"));
    expect(errorLine(await exo(["plugins", "build", "hello"]))).toMatch(
      /^error EXO_PLUGIN_REFUSED: .*expected one manifest such as hello\.json, got none$/,
    );
    expect(errorLine(await exo(["plugins", "build", "gone"]))).toMatch(
      /^error EXO_FILE: gone does not exist and no plugin of that name is in .exoarmur\/plugins$/,
    );
  });

  it.each([
    ["assemblyscript", "Cannot find module x", "npm install --save-dev assemblyscript"],
    [
      "rust",
      "the `wasm32-unknown-unknown` target may not be installed",
      "apt-get install rustc libstd-rust-dev-wasm32 lld",
    ],
    ["c", "clang: error: unable to execute command: Executable wasm-ld doesn't exist!", "apt-get install clang lld"],
  ])("names the packages where the compiler of %s is not there, or not whole", async (language, says, packages) => {
    const bin = shell.path("bin");
    mkdirSync(bin);
    shell.edit("hello/exoarmur.json", (project) => ({ ...project, language }));
    if (language !== "assemblyscript") {
      const ended = await exo(["plugins", "build", "hello"], "", { PATH: bin });
      expect([ended.code, errorLine(ended)]).toEqual([
        1,
        expect.stringMatching(
          new RegExp(`^error EXO_TOOL_MISSING: the compiler of ${language} was not found; .*${packages}$`),
        ),
      ]);
    }
    const program = `#!/bin/sh\necho "error: ${says.replaceAll("`", "\\`")}" >&2\nexit 1\n`;
    for (const name of ["rustc", "clang"]) writeFileSync(`${bin}/${name}`, program, { mode: 0o755 });
    const asc = shell.path("hello/node_modules/assemblyscript/bin");
    mkdirSync(asc, { recursive: true });
    writeFileSync(`${asc}/asc.js`, `console.error(${JSON.stringify(says)}); process.exit(1);`);
    const ended = await exo(["plugins", "build", "hello"], "", { PATH: `${bin}:/nowhere` });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      new RegExp(`error EXO_TOOL_MISSING: ${language} is not installed whole; .*${packages}`),
    );
  });
});

/** Whether what a language needs is there; without it its tests are skipped. */
const missing: Readonly<Record<string, readonly string[]>> = {
  rust:
    hasProgram("rustc") && existsSync("/usr/lib/rustlib/wasm32-unknown-unknown")
      ? []
      : ["rustc libstd-rust-dev-wasm32"],
  c: hasProgram("clang") && hasProgram("wasm-ld") ? [] : ["clang lld"],
};

function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).status === 0;
}

describe("every language", () => {
  for (const language of ["rust", "c"]) {
    const lacks = missing[language] ?? [];
    const title = lacks.length === 0 ? language : `${language} (skipped: apt-get install ${lacks.join(" ")})`;
    it.skipIf(lacks.length > 0)(`${title}: new, build and test, at once`, { timeout: 120_000 }, async () => {
      expect((await exo(["plugins", "new", "made", "--lang", language])).code).toBe(0);
      const built = await exo(["plugins", "build", "made"]);
      expect([built.code, built.stderr]).toEqual([0, ""]);
      const tested = await exo(["plugins", "test", "made"]);
      expect(tested.stdout).toMatch(/^3 passed, 0 failed$/m);
      const where = shellFile("made/made.wasm").includes(shell.cwd);
      expect(where, "the module names the folder it was built in").toBe(false);
    });
  }
});

describe("plugins test", () => {
  it("runs every case: one line each, and a sum", async () => {
    const ended = await exo(["plugins", "test", "hello"]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(
      /^pass {3}count +completed +[\d,]+ fuel\npass {3}greet-nobody +guest_error +[\d,]+ fuel\npass {3}greet +completed +[\d,]+ fuel\n3 passed, 0 failed\n$/,
    );
  });

  it.each<[what: string, change: object, problem: RegExp]>([
    [
      "another output",
      { expect: { status: "completed", output: { greeting: "Hi" } } },
      /output: expected \{"greeting":"Hi"\}, got \{"greeting":"Hello, Ada!"\}/,
    ],
    ["another end", { expect: { status: "trapped" } }, /expected trapped, ended completed/],
    [
      "another message",
      { input: {}, expect: { status: "guest_error", message: "no" } },
      /message: expected "no", got "parameter \\"name\\" is missing"/,
    ],
    [
      "a file that is not there",
      { expect: { status: "completed", files: { "data/x": "y" } } },
      /data\/x: expected "y", got no file/,
    ],
    [
      "a path out of its root",
      { expect: { status: "completed", files: { "../x": "y" } } },
      /\.\.\/x is no root-alias path/,
    ],
    [
      "no grant",
      { function: "count", input: { path: "data/lines.txt" }, expect: { status: "completed" } },
      /expected completed, ended capability_denied \(EXO_CAPABILITY_DENIED/,
    ],
    ["no target", { function: "count", input: {}, expect: { status: "completed" } }, /was refused: EXO_PARAMETERS/],
  ])("a case that expects %s fails", async (_, change, problem) => {
    for (const other of ["count", "greet-nobody"]) rmSync(shell.path(`hello/cases/${other}.json`));
    shell.edit("hello/cases/greet.json", (one) => ({ ...one, ...change }));
    const ended = await exo(["plugins", "test", "hello"]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(problem);
    expect(ended.stdout).toMatch(/^0 passed, 1 failed$/m);
  });

  it("refuses a malformed case, a missing module and a folder without cases", async () => {
    shell.edit("hello/cases/greet.json", (one) => ({ ...one, expects: {} }));
    expect(errorLine(await exo(["plugins", "test", "hello"]))).toMatch(
      /^error EXO_SCHEMA: .*greet\.json, line 1: \/expects: expected no such member/,
    );
    rmSync(shell.path("hello/cases"), { recursive: true });
    expect(errorLine(await exo(["plugins", "test", "hello"]))).toMatch(/^error EXO_FILE: .*cases has no case$/);
    rmSync(shell.path("hello/hello.wasm"));
    expect(errorLine(await exo(["plugins", "test", "hello"]))).toMatch(
      /^error EXO_FILE: .*make it with: exoarmur plugins build hello$/,
    );
  });

  it("gives a case a copy of its folders: the plugin's own files stay", async () => {
    const fs = `${ROOT}/plugins`;
    mkdirSync(shell.path("copy/cases/data"), { recursive: true });
    for (const name of ["fs.json", "fs.wasm"]) cpSync(`${fs}/${name}`, shell.path("copy", name));
    shell.write("copy/cases/data/old.txt", "old");
    const write = { path: "data/new.txt", text: "new" };
    const call = (fn: string, input: object, files: object): string =>
      JSON.stringify({ function: fn, input, grants: ["fs=cases/data:rw"], expect: { status: "completed", files } });
    shell.write("copy/cases/remove.json", call("remove", { path: "data/old.txt" }, { "data/old.txt": null }));
    shell.write("copy/cases/write.json", call("write", write, { "data/new.txt": "new", "data/old.txt": "old" }));
    for (let round = 0; round < 2; round++)
      expect((await exo(["plugins", "test", "copy"])).stdout).toMatch(/2 passed, 0 failed/);
    expect(shell.list("copy/cases/data")).toEqual(["old.txt"]);
  });
});

describe("plugins run", () => {
  const count = ["plugins", "run", "hello", "--function", "count", "--input", '{"path":"data/orders.csv"}'];

  it("shows the output, the fuel and every host call, and that nothing is recorded", async () => {
    const ended = await made.exo([...count, "--grant", "fs=./data"]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout.replaceAll(/[\d,]+(?= (?:of|fuel|ms))/g, "N")).toBe(
      [
        "completed    hello@0.1.0 count   N of N fuel   1 page of memory   1 host call   N ms",
        "call 0       fs_read   ok   22 bytes out, 82 in   local   data/orders.csv",
        'output       {"bytes":63,"lines":5}',
        "recorded     nothing: a trial has no home, no policy and no log\n",
      ].join("\n"),
    );
    expect(made.list(".exoarmur/data")).toEqual([]);
  });

  it("takes its input from a file and from standard input", async () => {
    shell.write("x.json", '{"name":"file"}');
    const run = ["plugins", "run", "hello", "--function", "greet", "--json", "--input"];
    expect(jsonOf(await exo([...run, "x.json"]))["output"]).toEqual({ greeting: "Hello, file!" });
    expect(jsonOf(await exo([...run, "-"], '{"name":"stdin"}'))["output"]).toEqual({ greeting: "Hello, stdin!" });
  });

  it("grants nothing by itself, and says what would", async () => {
    const ended = await exo(count);
    expect(ended.code).toBe(5);
    expect(ended.stdout).toMatch(/^capability_denied {3}hello@0\.1\.0 count/);
    expect(ended.stdout).toMatch(/call 0 +fs_read +denied .*data\/orders\.csv/);
    expect(ended.stdout).toMatch(/grant +--grant fs=FOLDER, with :rw at its end to write/);
  });

  it("grants what was asked and not more: another folder, writing, a function without effects", async () => {
    const fs = (fn: string, input: object, grant: string): string[] => [
      ...["plugins", "run", "fs", "--json", "--function", fn, "--input", JSON.stringify(input), "--grant", grant],
    ];
    const end = async (args: readonly string[]): Promise<unknown> => jsonOf(await exo(args))["status"];
    mkdirSync(shell.path("other"));
    expect(await end(fs("read", { path: "data/orders.csv" }, "fs=other"))).toBe("capability_denied");
    expect(await end(fs("read", { path: "other/../data/orders.csv" }, "fs=other"))).not.toBe("completed");
    expect(await end(fs("remove", { path: "data/orders.csv" }, "fs=data"))).toBe("capability_denied");
    expect(await end(fs("remove", { path: "data/orders.csv" }, "fs=data:ro"))).toBe("capability_denied");
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
    expect(await end(fs("read", { path: "named/orders.csv" }, "fs=named=./data"))).toBe("completed");
    expect(await end(fs("remove", { path: "data/orders.csv" }, "fs=data:rw"))).toBe("completed");
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
  });

  it("reaches the URL that was granted, and no other", async () => {
    const server = createServer((_request, response) => response.end("{}")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const http = `${ROOT}/plugins/http.json`;
      const run = (url: string): string[] => [
        ...["plugins", "run", http, "--function", "get", "--json", "--grant", `http=${base}/v1`],
        ...["--input", JSON.stringify({ url })],
      ];
      expect(jsonOf(await exo(run(`${base}/v1/x`)))).toMatchObject({ status: "completed", output: { status: 200 } });
      expect(jsonOf(await exo(run(`${base}/v2/x`)))).toMatchObject({ status: "capability_denied" });
    } finally {
      server.close();
    }
  });

  const badGrants = [
    ["fs", "expected fs=FOLDER"],
    ["fs=", "expected fs=FOLDER"],
    ["fs=nowhere", "is no folder"],
    ["fs=data/orders.csv", "is no alias"],
    ["fs=x=data/orders.csv", "is no folder"],
    ["fs=Up=data", "is no alias"],
    ["fs=/", "is no alias"],
    ["http=ftp://x/", "expected http=URL in normal form"],
    ["http=http://user@x/", "expected http=URL in normal form"],
    ["http=http://x/../y", "expected http=URL in normal form"],
    ["kv=1", "expected kv without a value"],
    ["secret=x", "expected fs=[ALIAS=]FOLDER[:ro|:rw], http=URL, kv, clock or random"],
    ["constructor", "expected fs=[ALIAS=]FOLDER"],
  ] as const;
  it("refuses what is no grant", async () => {
    for (const [grant, says] of badGrants) {
      const ended = await exo([...count, "--grant", grant]);
      expect([grant, ended.code]).toEqual([grant, 2]);
      expect(errorLine(ended)).toMatch(/^error EXO_USAGE: --grant /);
      expect(errorLine(ended)).toContain(says);
    }
  });

  it("refuses a folder given twice under one alias", async () => {
    const ended = await exo([...count, "--grant", "fs=data", "--grant", "fs=data=hello"]);
    expect(errorLine(ended)).toContain("the alias data is given twice");
  });

  it("refuses a function, an input and a module that are none", async () => {
    expect(errorLine(await exo(["plugins", "run", "hello"]))).toBe(
      "error EXO_USAGE: --function is missing; hello has greet, count",
    );
    expect(errorLine(await exo(["plugins", "run", "hello", "--function", "x"]))).toBe(
      "error EXO_USAGE: --function there is no x; hello has greet, count",
    );
    const greet = ["plugins", "run", "hello", "--function", "greet", "--input"];
    expect(errorLine(await exo([...greet, '{"a":1,"a":2}']))).toMatch(/^error EXO_JSON_DUPLICATE_KEY/);
    expect(errorLine(await exo([...greet, "-"], "[]"))).toBe(
      "error EXO_SCHEMA: the input: expected a JSON object of parameters",
    );
    shell.write("hello/hello.wasm", "no module");
    const ended = await exo([...greet, "{}"]);
    expect([ended.code, errorLine(ended)]).toEqual([1, expect.stringMatching(/^error EXO_WASM_INVALID/)]);
  });

  it("runs an installed one by name, and a bare module that needs nothing", async () => {
    const installed = [
      "plugins",
      "run",
      "table-stats",
      "--json",
      "--grant",
      "fs=data",
      "--input",
      '{"path":"data/orders.csv"}',
    ];
    expect(jsonOf(await exo(installed))).toMatchObject({ status: "completed", output: { rows: 4 } });
    cpSync(`${ROOT}/test/fixtures/trap.wasm`, shell.path("trap.wasm"));
    const trapped = await exo(["plugins", "run", "trap.wasm", "--function", "trap", "--json"]);
    expect([trapped.code, jsonOf(trapped)["status"]]).toEqual([5, "trapped"]);
    cpSync(shell.path("hello/hello.wasm"), shell.path("bare.wasm"));
    expect(errorLine(await exo(["plugins", "run", "bare.wasm"]))).toMatch(
      /^error EXO_WASM_IMPORT: .*bare\.wasm imports fs_read, .*write bare\.json beside it$/,
    );
  });
});

describe("keys new", () => {
  const publisher = ["keys", "new", "--role", "publisher", "--id", "acme", "-o", "acme.key"];

  it("makes a private key and shows, or adds, what a trust file says of it", async () => {
    const ended = await exo(publisher);
    expect(ended.stdout).toMatch(
      /add to keys of trust\.json: \{"role":"publisher","id":"acme",.*"from":null,"until":null\}/,
    );
    expect((await exo([...publisher.slice(0, -1), "two.key", "--trust", ".exoarmur/trust.json"])).code).toBe(0);
    const trust = JSON.parse(shell.read(".exoarmur/trust.json")) as { keys: { role: string }[] };
    expect(trust.keys.filter(({ role }) => role === "publisher")).toHaveLength(1);
    expect((await exo(["doctor", "--json"])).code).toBe(0);
  });

  it("never overwrites a key, and makes none for a trust file that is none", async () => {
    await exo(publisher);
    const before = shell.read("acme.key");
    expect(errorLine(await exo(publisher))).toMatch(/^error EXO_FILE: acme\.key exists already/);
    expect(shell.read("acme.key")).toBe(before);
    shell.write("bad.json", "{}");
    expect((await exo([...publisher.slice(0, -1), "two.key", "--trust", "bad.json"])).code).toBe(1);
    expect(existsSync(shell.path("two.key"))).toBe(false);
    expect(errorLine(await exo([...publisher, "--role", "king"]))).toMatch(
      /^error EXO_USAGE: --role: there is no king/,
    );
  });
});

describe("plugins sign, add and list", () => {
  const add = ["plugins", "add", "hello"];
  const sign = ["plugins", "sign", "hello", "--key", "acme.key"];
  const listed = async (name: string): Promise<Record<string, unknown> | undefined> => {
    const { plugins } = (await json(["plugins", "list"])) as unknown as { plugins: Record<string, unknown>[] };
    return plugins.find((plugin) => plugin["name"] === name);
  };
  const require = (): void =>
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, plugins: { requireSignatures: true } }));
  const newKey = async (id = "acme", role = "publisher", trusted = true): Promise<void> => {
    const trust = trusted ? ["--trust", ".exoarmur/trust.json"] : [];
    expect((await exo(["keys", "new", "--role", role, "--id", id, "-o", `${id}.key`, ...trust])).code).toBe(0);
  };
  const publish = (): void => shell.edit("hello/hello.json", (manifest) => ({ ...manifest, publisher: "acme" }));

  it("adds a plugin with its digest pinned, and prints the line that grants what it asks for", async () => {
    const ended = await exo(add);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toContain('config       "grants": {"hello":{"fs_read":{"roots":["data"]}}}');
    expect(ended.stdout).toContain("signed       by nobody");
    const manifest = JSON.parse(shell.read(".exoarmur/plugins/hello.json")) as { wasm: { digest: string } };
    expect(manifest.wasm.digest).toBe(digest("hello/hello.wasm"));
    expect(digest(".exoarmur/plugins/hello.wasm")).toBe(digest("hello/hello.wasm"));
    expect(await listed("hello")).toMatchObject({
      version: "0.1.0",
      refused: null,
      signedBy: null,
      granted: [],
      missing: ["fs_read"],
      admittedAt: null,
    });
  });

  it("signs, adds and lists as signed; a run's bundle verifies under the publisher's key", async () => {
    await newKey();
    publish();
    expect((await exo(sign)).stdout).toMatch(
      /^signed +hello@0\.1\.0 +module sha256:[0-9a-f]{64}\nby +acme +publisher key [0-9a-f]{32}\n/,
    );
    require();
    expect((await exo(add)).code).toBe(0);
    shell.edit(".exoarmur/policy.json", (policy) => ({
      ...policy,
      rules: [{ id: "hello", match: { action: "hello.greet" }, verdict: "allow" }],
    }));
    const intent = JSON.stringify({ actor: "me", action: "hello.greet", parameters: { name: "Ada" } });
    expect((await exo(["run", "-", "--out", "p.json"], intent)).code).toBe(0);
    const verified = await exo(["verify", "p.json", "--trust", ".exoarmur/trust.json"]);
    expect(verified.code).toBe(0);
    expect(verified.stdout).toMatch(/^pass +plugin signed by its publisher +acme, admitted at log position \d+$/m);
    expect(await listed("hello")).toMatchObject({
      refused: null,
      signedBy: { publisher: "acme" },
      admittedAt: expect.any(Number),
    });
    expect(await listed("fs")).toMatchObject({ refused: { code: "EXO_PLUGIN_UNSIGNED" } });
    const { checks } = jsonOf(await exo(["doctor", "--json"])) as { checks: { id: string }[] };
    const about = (name: string): unknown => checks.find((check) => check.id === `plugin ${name}`);
    expect(about("fs")).toMatchObject({ state: "fail", code: "EXO_PLUGIN_UNSIGNED" });
    expect(about("hello")).toMatchObject({ state: "ok", message: expect.stringMatching(/, signed by acme$/) });
    const other = { ...JSON.parse(shell.read(".exoarmur/trust.json")), keys: [] };
    shell.write("other.json", JSON.stringify(other));
    expect((await exo(["verify", "p.json", "--trust", "other.json"])).stdout).toMatch(
      /^FAIL|^fail +plugin signed by its publisher/m,
    );
  });

  it("signs only what its publisher named and what would be admitted", async () => {
    await newKey();
    await newKey("appr", "approver");
    expect(errorLine(await exo(sign))).toMatch(/\/publisher: expected "acme", whose key this is, got nothing$/);
    publish();
    expect(errorLine(await exo([...sign.slice(0, -1), "appr.key"]))).toMatch(
      /^error EXO_KEY: .*is a key of the role approver, expected publisher$/,
    );
    expect(errorLine(await exo([...sign.slice(0, -1), "gone.key"]))).toMatch(
      /^error EXO_FILE: .*gone\.key does not exist$/,
    );
    shell.edit("hello/hello.json", (manifest) => ({ ...manifest, capabilities: [] }));
    expect(errorLine(await exo(sign))).toMatch(/^error EXO_WASM_IMPORT/);
    expect(existsSync(shell.path("hello/hello.signed.json"))).toBe(false);
  });

  it.each<[what: string, change: () => Promise<void> | void, message: RegExp]>([
    ["no signature", () => rmSync(shell.path("hello/hello.signed.json")), /^error EXO_PLUGIN_UNSIGNED/],
    [
      "a manifest changed since",
      () => shell.edit("hello/hello.json", (manifest) => ({ ...manifest, version: "0.1.1" })),
      /^error EXO_PLUGIN_SIGNATURE: hello: the manifest signed is sha256:/,
    ],
    [
      "a module changed since",
      () => {
        // A custom section: the same program, other bytes.
        const bytes = Buffer.concat([shellFile("hello/hello.wasm"), Buffer.from([0, 2, 1, 0x78])]);
        shell.write("hello/hello.wasm", bytes);
      },
      /^error EXO_PLUGIN_SIGNATURE: hello: the module signed is sha256:/,
    ],
    [
      "an envelope that is none",
      () => void shell.write("hello/hello.signed.json", '{"payload":1}'),
      /^error EXO_SCHEMA: .*hello\.signed\.json/,
    ],
    [
      "a linked envelope",
      () => {
        shell.write("elsewhere.json", shell.read("hello/hello.signed.json"));
        rmSync(shell.path("hello/hello.signed.json"));
        symlinkSync(shell.path("elsewhere.json"), shell.path("hello/hello.signed.json"));
      },
      /^error EXO_FILE: .*ELOOP/,
    ],
    [
      "a module too large",
      () => truncateSync(shell.path("hello/hello.wasm"), 67_108_865),
      /^error EXO_FILE: .*at most 67108864 are read/,
    ],
  ])("%s is not added where signatures are required", async (_, change, message) => {
    await newKey();
    publish();
    expect((await exo(sign)).code).toBe(0);
    require();
    await change();
    const ended = await exo(add);
    expect(ended.code).toBe(1);
    expect(errorLine(ended)).toMatch(message);
    expect(shell.list(".exoarmur/plugins")).not.toContain("hello.json");
  });

  it("a key that nobody trusts signs nothing that is added", async () => {
    await newKey("acme", "publisher", false);
    publish();
    await exo(sign);
    expect(errorLine(await exo(add))).toMatch(/^error EXO_TRUST: hello: no key of the publisher acme is trusted now$/);
  });

  it("tells of a signature that a new build made stale, and of a plugin changed in the home", async () => {
    await newKey();
    publish();
    await exo(sign);
    useFakeCompiler();
    expect((await exo(["plugins", "build", "hello"])).stdout).toMatch(
      /^signed +hello\/hello\.signed\.json is of an earlier build/m,
    );
    await exo(add);
    shell.edit(".exoarmur/plugins/hello.json", (manifest) => ({ ...manifest, version: "9.9.9" }));
    expect(await listed("hello")).toMatchObject({ refused: { code: "EXO_PLUGIN_SIGNATURE" } });
    shell.write(".exoarmur/plugins/hello.wasm", shellFile(".exoarmur/plugins/fs.wasm"));
    expect(await listed("hello")).toMatchObject({ refused: { code: "EXO_PLUGIN_DIGEST" } });
    expect((await exo(["plugins", "list"])).stdout).toMatch(
      /^refused +hello\n +EXO_PLUGIN_DIGEST: hello: expected a module with/m,
    );
  });

  it("adds a bare module under a manifest made from its exports, and an unsigned one takes its signature away", async () => {
    cpSync(`${ROOT}/test/fixtures/trap.wasm`, shell.path("trap.wasm"));
    const added = await json(["plugins", "add", "trap.wasm"]);
    expect(added).toMatchObject({ name: "trap", version: "0.0.0", drafted: true, missing: [] });
    const { functions, capabilities } = JSON.parse(shell.read(".exoarmur/plugins/trap.json")) as Record<
      string,
      unknown
    >;
    expect(capabilities).toBe(undefined);
    expect(functions).toEqual(
      expect.arrayContaining([expect.objectContaining({ action: expect.stringMatching(/^trap\./) })]),
    );
    shell.write(".exoarmur/plugins/trap.signed.json", "{}");
    await exo(["plugins", "add", "trap.wasm"]);
    expect(shell.list(".exoarmur/plugins")).not.toContain("trap.signed.json");
  });

  it("refuses a bare module of no executor's name, a home that is not there, and a plugin of two manifests", async () => {
    cpSync(`${ROOT}/test/fixtures/trap.wasm`, shell.path("Trap.wasm"));
    expect(errorLine(await exo(["plugins", "add", "Trap.wasm"]))).toMatch(
      /^error EXO_PLUGIN_REFUSED: .*expected a lower-case name/,
    );
    expect(errorOf(await exo([...add, "--home", "nowhere", "--json"]))).toBe("EXO_HOME_MISSING");
    mkdirSync(shell.path("two"));
    for (const name of ["a.json", "b.json"]) cpSync(shell.path("hello/hello.json"), shell.path("two", name));
    expect(errorLine(await exo(["plugins", "add", "two"]))).toMatch(
      /expected one manifest such as two\.json, got a\.json, b\.json$/,
    );
  });
});

function shellFile(name: string): Buffer {
  return Buffer.from(readFileSync(shell.path(name)));
}
