/** Debian's compilers of C and Rust for WebAssembly. Only one version of a compiler makes the same bytes. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";

const says = (program) => spawnSync(program, ["--version"], { encoding: "utf8" }).stdout ?? "";
const builtins = "/usr/lib/llvm-14/lib/clang/14.0.6/lib/wasi/libclang_rt.builtins-wasm32.a";

/** What a build can need, by name: where it is and, for a program, how the right version introduces itself. */
const parts = {
  "clang 14.0.6": { path: "/usr/bin/clang", version: "Debian clang version 14.0.6" },
  "LLD 14.0.6": { path: "/usr/bin/wasm-ld", version: "Debian LLD 14.0.6" },
  "wasi-libc": { path: "/usr/lib/wasm32-wasi/libc.a" },
  "libclang-rt-dev-wasm32": { path: builtins },
  "rustc 1.63.0": { path: "/usr/bin/rustc", version: "rustc 1.63.0" },
  "libstd-rust-dev-wasm32": { path: "/usr/lib/rustlib/wasm32-unknown-unknown" },
};

/** The names of what is needed and not there in the version that made the committed bytes. */
export function lacking(names) {
  return names.filter((name) => {
    const { path, version } = parts[name];
    return !existsSync(path) || (version !== undefined && !says(path).startsWith(version));
  });
}

/** Whether all of it is there in some version. */
export function isPresent(names) {
  return names.every((name) => existsSync(parts[name].path));
}

/** Runs a compiler in a folder. What it says is shown; it throws when it fails. */
export function compile(program, args, cwd) {
  // The system's path alone: clang would run any wasm-opt it finds, and npm puts the one of a dependency before it.
  execFileSync(program, args, { cwd, stdio: "inherit", env: { PATH: "/usr/bin:/bin" } });
}

/** Digest as it stands in digest files. */
export function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
