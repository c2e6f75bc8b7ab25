// Builds the guests of the metering benchmark and writes their digests beside them.
//
//   node scripts/bench/build-guests.mjs            write guests/*.wasm and guests/digests.json; needs all compilers
//   node scripts/bench/build-guests.mjs --check    build in memory, compare with the files; exit 1 and name what differs
//
// Only one version of a compiler makes the same bytes. Where it isn't installed, the check says so in one line and
// compares digests of sources and modules alone. AssemblyScript's compiler is a development dependency, always there.
// Clang and lld are Debian 12's packages clang and lld, rustc its packages rustc and libstd-rust-dev-wasm32.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { compareGuests, digestOf, guestFolder, guests, sourceDigest } from "./guests.mjs";

const folder = fileURLToPath(guestFolder);
const sources = join(folder, "src");

const clang = ["--target=wasm32", "-nostdlib", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"];
const link = ["-Wl,--no-entry", "-Wl,--export=run", "-Wl,--strip-all"];
const script = ["--optimizeLevel", "3", "--converge", "--use", "abort="];
const rust = [
  ["--edition", "2021", "--crate-type", "cdylib", "--target", "wasm32-unknown-unknown"],
  ["opt-level=3", "lto=off", "codegen-units=1", "panic=abort", "strip=symbols"].flatMap((option) => ["-C", option]),
].flat();

/** Options of single guests. Without libc a loop must not become a call of memset; with bulk memory it need not. */
const special = { copy: ["-mbulk-memory"] };
const optionsInC = ({ name, simd }) => [...(special[name] ?? ["-fno-builtin"]), ...(simd ? ["-msimd128"] : [])];

const lld = { name: "LLD 14.0.6", present: () => versionOf("/usr/bin/wasm-ld").startsWith("Debian LLD 14.0.6") };
const rustTarget = "/usr/lib/rustlib/wasm32-unknown-unknown";

/** By language: what building takes, and how it builds. */
const languages = {
  c: {
    needs: [
      { name: "clang 14.0.6", present: () => versionOf("/usr/bin/clang").startsWith("Debian clang version 14.0.6") },
      lld,
    ],
    build: (guest, out) =>
      compile("/usr/bin/clang", [...clang, ...optionsInC(guest), ...link, "-o", out, `${guest.name}.c`], out),
  },
  rust: {
    needs: [
      { name: "rustc 1.63.0", present: () => versionOf("/usr/bin/rustc").startsWith("rustc 1.63.0") },
      { name: "its library for wasm32", present: () => existsSync(rustTarget) },
      lld,
    ],
    build: ({ name }, out) => compile("/usr/bin/rustc", [...rust, "-o", out, `${name}.rs`], out),
  },
  as: { needs: [], build: ({ name }) => compileScript(name) },
};

/** What a program says its version is, or nothing if it isn't there. */
function versionOf(path) {
  return spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "";
}

/** What is not collected anyway is never freed, as in most plugins. */
const runtimeOf = (name) => (name === "trees" ? "incremental" : "stub");

function compile(program, args, out) {
  // The system's path alone: clang would run any wasm-opt it finds, and npm puts the one of a dependency before it.
  const env = { PATH: "/usr/bin:/bin" };
  const { status, stderr, error } = spawnSync(program, args, { cwd: sources, encoding: "utf8", env });
  if (status !== 0 || stderr !== "") throw new Error(`${program} ${args.join(" ")}\n${stderr}${error ?? ""}`);
  return readFileSync(out);
}

async function compileScript(name) {
  const source = readFileSync(join(sources, `${name}.as`), "utf8");
  let wasm;
  let said = "";
  const options = ["--outFile", "out.wasm", ...script, "--runtime", runtimeOf(name), "--noColors"];
  const { error } = await asc.main([`${name}.ts`, ...options], {
    readFile: (path) => (path === `${name}.ts` ? source : null),
    writeFile: (_path, contents) => {
      wasm = contents;
    },
    listFiles: () => [],
    stderr: {
      write: (text) => {
        said += text;
      },
    },
  });
  if (error || wasm === undefined) throw new Error(`${name}: ${error?.message ?? "no output"}\n${said}`);
  return Buffer.from(wasm);
}

/**
 * Builds what the compilers here can build. `modules` maps names to bytes, `lacking` languages to what is not here. Throws what a compiler prints, warnings too.
 */
export async function buildGuests() {
  const scratch = mkdtempSync(join(tmpdir(), "exoarmur-guests-"));
  try {
    const lacking = new Map();
    for (const [language, one] of Object.entries(languages)) {
      const lacks = one.needs.filter(({ present }) => !present()).map(({ name }) => name);
      if (lacks.length > 0) lacking.set(language, lacks.join(", "));
    }
    const modules = new Map();
    for (const guest of guests.filter(({ language }) => !lacking.has(language))) {
      modules.set(guest.name, await languages[guest.language].build(guest, join(scratch, `${guest.name}.wasm`)));
    }
    return { modules, lacking };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function write({ modules, lacking }) {
  if (lacking.size > 0) {
    console.error(`nothing written, not installed: ${[...new Set(lacking.values())].join(", ")}`);
    return 1;
  }
  const digests = {};
  for (const guest of guests) {
    const bytes = modules.get(guest.name);
    writeFileSync(join(folder, `${guest.name}.wasm`), bytes);
    digests[guest.name] = { module: digestOf(bytes), source: sourceDigest(guest) };
    console.log(`${guest.name}.wasm  ${bytes.length} bytes`);
  }
  writeFileSync(join(folder, "digests.json"), `${JSON.stringify(digests, null, 2)}\n`);
  return 0;
}

function check({ modules, lacking }) {
  const problems = compareGuests(modules);
  for (const problem of problems) console.error(problem);
  const rest = [...lacking].map(([language, lacks]) => `${language} (${lacks} not installed)`);
  const others = rest.length === 0 ? "" : `; of the others only digests compared: ${rest.join(", ")}`;
  console.log(`${modules.size} of ${guests.length} guests rebuilt, ${problems.length} problems${others}`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const args = process.argv.slice(2);
  if (args.some((argument) => argument !== "--check")) {
    console.error(`usage: build-guests.mjs [--check], got ${args.join(" ")}`);
    process.exitCode = 2;
  } else {
    const built = await buildGuests();
    process.exitCode = args.includes("--check") ? check(built) : write(built);
  }
}
