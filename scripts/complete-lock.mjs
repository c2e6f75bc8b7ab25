/**
 * Completes package-lock.json. When the registry in use lacks an optional platform package, npm writes the lock without
 * it, and a later `npm ci` stops with "Missing ... from lock file". Run after every `npm install`; `--check` only looks.
 */
import { readFileSync, writeFileSync } from "node:fs";

const path = "package-lock.json";
const systems = "aix android darwin freebsd linux netbsd openbsd openharmony sunos win32".split(" ");
const processors = "arm arm64 ia32 loong64 mips64el ppc64 riscv64 s390x x64".split(" ");

/** What a platform package's name says of where it fits: `@lmdb/lmdb-linux-arm64` -> linux, arm64. */
function platform(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.filter((word) => processors.includes(word));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name}: add its entry to ${path} by hand`);
  const libc = os[0] !== "linux" ? [] : words.at(-1) === "gnu" ? ["glibc"] : words.at(-1) === "musl" ? ["musl"] : [];
  return { os, cpu, ...(libc.length > 0 && { libc }) };
}

/** Whether a package in `from` would find `name`, looking in its own node_modules and then in each above. */
function isFound(packages, from, name) {
  for (let at = from; ; ) {
    if (`${at === "" ? "" : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === "") return false;
    at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")));
  }
}

const text = readFileSync(path, "utf8");
const lock = JSON.parse(text);
const missing = [];
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isFound(lock.packages, from, name)) continue;
    const version = range.replace(/^[\^~]/, "");
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform(name),
      ...(entry.dev && { dev: true }),
      optional: true,
    };
    missing.push(`${name}@${version}`);
  }
}

if (process.argv.includes("--check")) {
  for (const name of missing) console.error(`${path}: no entry for ${name}; run node scripts/complete-lock.mjs`);
  process.exitCode = missing.length > 0 ? 1 : 0;
} else if (missing.length > 0) {
  // Packages are kept in npm's own order, so that the next `npm install` moves nothing.
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`lock: ${Object.keys(lock.packages).length} packages, ${missing.length} were missing`);
