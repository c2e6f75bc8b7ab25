import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PluginLanguage, PluginProject } from "../../contracts/plugin-project.js";
import { ExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import type { CliContext } from "../context.js";
import { inputs } from "../files.js";

/** What is run in the plugin's folder: a program by its absolute path, and what is in front of it on PATH. */
type Command = { readonly program: string; readonly args: readonly string[]; readonly path: string };

/** What a compiler is asked for. `out` is the absolute path of the module. */
type Request = { readonly folder: string; readonly source: string; readonly out: string; readonly path: string };

type Compiler = {
  /** What to install, as the end of a sentence. */
  readonly install: string;
  /** The command, or undefined when the compiler is not there. */
  readonly command: (request: Request) => Command | undefined;
  /** What the compiler says when a part of it is not installed. */
  readonly incomplete: RegExp;
};

/**
 * Options of AssemblyScript's compiler, those of the shipped executors: nothing is freed within a call, no debug names,
 * no source map.
 */
export const assemblyScriptOptions: readonly string[] = [
  "--optimizeLevel",
  "3",
  "--shrinkLevel",
  "0",
  "--converge",
  "--runtime",
  "stub",
  "--noColors",
];

const compilers: Readonly<Record<PluginLanguage, Compiler>> = {
  assemblyscript: {
    install: "install it with: npm install --save-dev assemblyscript",
    command: assemblyScript,
    incomplete: /Cannot find (?:module|package)/,
  },
  rust: {
    install:
      "install rustc and its target wasm32-unknown-unknown; on Debian: apt-get install rustc libstd-rust-dev-wasm32 lld",
    command: rust,
    incomplete: /target may not be installed|E0463|linker `[^`]*lld` not found/,
  },
  c: {
    install: "install clang and wasm-ld; on Debian: apt-get install clang lld",
    command: clang,
    incomplete: /unable to execute command|wasm-ld[^\n]*(?:not found|No such file)|No available targets/,
  },
};

/**
 * Compiles a plugin's source and gives the module's bytes. What the compiler says goes to standard error. EXO_TOOL_MISSING
 * with what to install; EXO_BUILD when the source is refused; EXO_FILE when there is no source.
 */
export async function compile(context: CliContext, folder: string, project: PluginProject): Promise<Uint8Array> {
  const { language, source } = project;
  const { command, install, incomplete } = compilers[language];
  const file = join(folder, source);
  if (!existsSync(file)) throw new ExoArmurError("EXO_FILE", `${file} does not exist`, { file });
  const scratch = await mkdtemp(join(tmpdir(), "exoarmur-build-"));
  try {
    const out = join(scratch, "plugin.wasm");
    const found = command({ folder, source, out, path: context.env["PATH"] ?? "" });
    if (found === undefined) {
      throw new ExoArmurError("EXO_TOOL_MISSING", `the compiler of ${language} was not found; ${install}`);
    }
    const { code, said } = await run(context, found, folder);
    const made = code === 0 ? await readBounded(out, { maxBytes: inputs.module.maxBytes }) : undefined;
    if (made !== undefined) return made.bytes;
    context.stderr(said.endsWith("\n") || said === "" ? said : `${said}\n`);
    if (incomplete.test(said))
      throw new ExoArmurError("EXO_TOOL_MISSING", `${language} is not installed whole; ${install}`);
    throw new ExoArmurError(
      "EXO_BUILD",
      `the compiler of ${language} refused ${source} (exit ${code ?? "by a signal"})`,
      {
        file,
      },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function run(
  context: CliContext,
  { program, args, path }: Command,
  cwd: string,
): Promise<{ code: number | null; said: string }> {
  const env = { ...context.env, PATH: path };
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], signal: context.signal });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      if (said.length < 1_000_000) said += text;
    });
  }
  return await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(context.signal.aborted ? context.signal.reason : error));
    child.on("close", (code) => resolve({ code, said }));
  });
}

/** The one compiler that is a package: the plugin's own, else the one beside this program. */
function assemblyScript({ folder, source, out, path }: Request): Command | undefined {
  const asc = [folder, dirname(fileURLToPath(import.meta.url))].map((from) => findPackageFile(from)).find(Boolean);
  if (asc === undefined) return undefined;
  // The alias names an element of the SDK, which a program that does not import the SDK has not.
  const usesSdk = readFileSync(join(folder, source), "utf8").includes("sdk/assembly/");
  const abort = usesSdk ? ["--use", "abort=sdk/assembly/io/abortRun"] : [];
  return { program: process.execPath, args: [asc, source, "--outFile", out, ...assemblyScriptOptions, ...abort], path };
}

function findPackageFile(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = join(folder, "node_modules", "assemblyscript", "bin", "asc.js");
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function rust({ folder, source, out, path }: Request): Command | undefined {
  const program = findProgram("rustc", path);
  if (program === undefined) return undefined;
  const options = ["opt-level=3", "panic=abort", "lto=fat", "codegen-units=1", "strip=symbols"].flatMap((one) => [
    "-C",
    one,
  ]);
  const target = [
    "--edition",
    "2021",
    "--target",
    "wasm32-unknown-unknown",
    "--crate-type",
    "cdylib",
    "--crate-name",
    "plugin",
  ];
  const args = [...target, "--color", "never", ...options, "--remap-path-prefix", `${folder}=.`, source, "-o", out];
  return { program, args, path: `${dirname(program)}${delimiter}${path}` };
}

function clang({ folder, source, out, path }: Request): Command | undefined {
  const program = findProgram("clang", path);
  if (program === undefined) return undefined;
  const sdk = join(folder, "sdk");
  const parts = existsSync(sdk)
    ? readdirSync(sdk)
        .filter((name) => name.endsWith(".c"))
        .sort()
    : [];
  const options = [
    "--target=wasm32",
    "-std=c11",
    "-O2",
    "-mbulk-memory",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-color-diagnostics",
  ];
  const bare = [
    "-ffreestanding",
    "-nostdlib",
    `-ffile-prefix-map=${folder}=.`,
    "-Wl,--no-entry",
    "-Wl,--stack-first",
    "-Wl,--strip-all",
    "-Isdk",
  ];
  const args = [...options, ...bare, source, ...parts.map((name) => `sdk/${name}`), "-o", out];
  // Not the caller's PATH: clang would run any wasm-opt it finds there, and the bytes would be another compiler's.
  return { program, args, path: [dirname(program), "/usr/bin", "/bin"].join(delimiter) };
}

/** A program on PATH, the system's own before others, so that a build is the same for everybody on one distribution. */
function findProgram(name: string, path: string): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  const system = folders.filter((folder) => systemFolders.has(folder));
  return [...system, ...folders].map((folder) => join(folder, name)).find((file) => existsSync(file));
}

const systemFolders: ReadonlySet<string> = new Set(["/usr/bin", "/bin"]);
