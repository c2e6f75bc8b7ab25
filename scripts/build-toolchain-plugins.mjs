// Builds what the SDKs of C and Rust are shown and tested by: the executors checksum and text-diff, and a probe of each SDK
// for the tests. Needs Debian's clang, lld, rustc and libstd-rust-dev-wasm32; other versions make other bytes. Everybody
// else takes the modules as they are committed: digests stand in plugins/toolchain-digests.json and test/plugins/digests.json.
//
//   node scripts/build-toolchain-plugins.mjs            write the modules and the digests
//   node scripts/build-toolchain-plugins.mjs --check    build, compare with the files; exit 1 and name what differs.
//                                                       Without these compilers it says so in one line and compares the
//                                                       digests alone. Under EXOARMUR_NO_SKIP=1 the modules must build
//                                                       all the same, with whatever versions there are

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, digestOf, isPresent, lacking } from "./debian-toolchains.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Options as `exoarmur plugins build` has them; the READMEs of the SDKs say why. */
const clang = ["--target=wasm32", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib"];
const clangLink = ["-mbulk-memory", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", "-Iplugins/sdk-c"];
const rustc = ["--edition", "2021", "--target", "wasm32-unknown-unknown", "--crate-type", "cdylib"];
const rustCode = ["opt-level=3", "panic=abort", "lto=fat", "codegen-units=1", "strip=symbols"].flatMap((option) => [
  "-C",
  option,
]);

/** The C files of a folder, in the order of their names. */
const sources = (folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".c"))
    .sort()
    .map((name) => `${folder}/${name}`);

/** By module: the program and its arguments up to the output. Paths are relative, so that none of the machine gets in. */
const c = (folder) => [
  "/usr/bin/clang",
  [...clang, ...clangLink, ...sources(folder), ...sources("plugins/sdk-c"), "-o"],
];
const rust = (source) => ["/usr/bin/rustc", [...rustc, ...rustCode, source, "-o"]];
const modules = {
  "plugins/checksum.wasm": c("plugins/checksum/src"),
  "plugins/text-diff.wasm": rust("plugins/text-diff/src/lib.rs"),
  "test/plugins/probe-c.wasm": c("plugins/sdk-probe/c"),
  "test/plugins/probe-rust.wasm": rust("plugins/sdk-probe/rust/lib.rs"),
};
const digestFiles = { plugins: "plugins/toolchain-digests.json", "test/plugins": "test/plugins/digests.json" };
const needs = ["clang 14.0.6", "LLD 14.0.6", "rustc 1.63.0", "libstd-rust-dev-wasm32"];

/** Digest files as text, from modules by path. */
function digestsOf(built) {
  return Object.entries(digestFiles).map(([folder, file]) => {
    const here = Object.keys(built).filter((path) => dirname(path) === folder);
    const digests = Object.fromEntries(here.map((path) => [path.slice(folder.length + 1), digestOf(built[path])]));
    return [file, Buffer.from(`${JSON.stringify(digests, null, 2)}\n`)];
  });
}

/** How many of these files are not as they should be; names each. */
function compare(files, problem) {
  const differing = files.filter(([path, bytes]) => !readFileSync(join(root, path)).equals(bytes));
  for (const [path] of differing) console.error(`${path} ${problem}`);
  return differing.length;
}

function buildAll() {
  const scratch = mkdtempSync(join(tmpdir(), "toolchains-"));
  try {
    const built = {};
    for (const [path, [program, args]] of Object.entries(modules)) {
      const made = join(scratch, "out.wasm");
      compile(program, args.concat(made), root);
      built[path] = readFileSync(made);
    }
    return built;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Without the right versions: the committed modules are what the digests say, and under EXOARMUR_NO_SKIP=1 others build. */
function checkWithout(missing) {
  const present = Object.fromEntries(Object.keys(modules).map((path) => [path, readFileSync(join(root, path))]));
  const wrong = compare(digestsOf(present), "names other digests than those of the modules");
  const why = `${missing.join(", ")} not installed (apt-get install clang lld rustc libstd-rust-dev-wasm32)`;
  if (process.env.EXOARMUR_NO_SKIP !== "1") {
    console.log(`no C or Rust plugin rebuilt, ${wrong} problems; only digests compared: ${why}`);
    return wrong;
  }
  if (!isPresent(needs)) {
    console.error(`no C or Rust plugin rebuilt: ${why}`);
    return wrong + 1;
  }
  console.log(
    `${Object.keys(buildAll()).length} C and Rust plugins build with other versions, ${wrong} problems; ${why}`,
  );
  return wrong;
}

function buildOrCheck() {
  const built = buildAll();
  const files = [...Object.entries(built), ...digestsOf(built)];
  if (!check) for (const [path, bytes] of files) writeFileSync(join(root, path), bytes);
  const differing = compare(files, "differs from a fresh build");
  console.log(`${Object.keys(built).length} C and Rust plugins rebuilt, ${differing} problems`);
  return differing;
}

const check = process.argv.includes("--check");
const missing = lacking(needs);
if (missing.length > 0 && !check) console.error(`cannot build: ${missing.join(", ")} not installed`);
const problems = missing.length === 0 ? buildOrCheck() : check ? checkWithout(missing) : 1;
process.exitCode = problems === 0 ? 0 : 1;
