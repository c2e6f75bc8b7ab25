// Builds the guests under test/dropin from C and Rust, and writes digests.json beside them. Needs Debian's clang, lld,
// wasi-libc, libclang-rt-dev-wasm32, rustc and libstd-rust-dev-wasm32; other versions make other bytes. The tests take
// the modules as they are committed.
//
//   node scripts/build-dropins.mjs            write test/dropin/*.wasm and digests.json
//   node scripts/build-dropins.mjs --check    build, compare with the files; exit 1 and name what differs. Without
//                                             these compilers it says so in one line and compares the digests alone

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, digestOf, lacking } from "./debian-toolchains.mjs";

const folder = fileURLToPath(new URL("../test/dropin/", import.meta.url));
const c = ["clang", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-all"];
const bare = ["--target=wasm32", "-nostdlib", "-ffreestanding", "-Wl,--no-entry"];
const rust = ["/usr/bin/rustc", "--edition", "2021", "--target", "wasm32-wasi", "--crate-type", "cdylib"];

/** Module name to the command that makes it; the output file comes last. */
const guests = {
  "kernel-c": [...c, ...bare, "src/kernel-c.c", "-o"],
  "legacy-c": [...c, ...bare, "-DLEGACY", "src/kernel-c.c", "-o"],
  "wasi-c": [...c, "--target=wasm32-wasi", "-mexec-model=reactor", "src/wasi-c.c", "-o"],
  "command-c": [...c, "--target=wasm32-wasi", "src/command-c.c", "-o"],
  "wasi-rust": [...rust, "-C", "opt-level=s", "-C", "strip=symbols", "-C", "lto=fat", "src/wasi-rust.rs", "-o"],
};

const check = process.argv.includes("--check");

const needs = [
  "clang 14.0.6",
  "LLD 14.0.6",
  "wasi-libc",
  "libclang-rt-dev-wasm32",
  "rustc 1.63.0",
  "libstd-rust-dev-wasm32",
];

const missing = lacking(needs);
if (missing.length > 0) {
  const recorded = JSON.parse(readFileSync(join(folder, "digests.json"), "utf8"));
  const wrong = Object.keys(recorded).filter((name) => digestOf(readFileSync(join(folder, name))) !== recorded[name]);
  for (const name of wrong) console.error(`test/dropin/${name} has another digest than recorded`);
  console.log(
    `no drop-in rebuilt, ${wrong.length} problems; only digests compared: ${missing.join(", ")} not installed`,
  );
  process.exit(check && wrong.length === 0 ? 0 : 1);
}

const scratch = mkdtempSync(join(tmpdir(), "dropins-"));
const digests = {};
let differing = 0;
try {
  for (const [name, [command, ...options]] of Object.entries(guests)) {
    const made = join(scratch, `${name}.wasm`);
    compile(command, [...options, made], folder);
    const bytes = readFileSync(made);
    digests[`${name}.wasm`] = digestOf(bytes);
    if (!check) writeFileSync(join(folder, `${name}.wasm`), bytes);
    else if (!readFileSync(join(folder, `${name}.wasm`)).equals(bytes)) {
      differing += 1;
      console.error(`test/dropin/${name}.wasm differs from a fresh build`);
    }
  }
  if (!check) writeFileSync(join(folder, "digests.json"), `${JSON.stringify(digests, null, 2)}\n`);
} finally {
  rmSync(scratch, { recursive: true });
}
console.log(`${Object.keys(guests).length} drop-ins rebuilt, ${differing} problems`);
process.exitCode = differing === 0 ? 0 : 1;
