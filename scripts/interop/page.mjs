/** The programs of spec/interop.md, run as they stand there, as checkers of table.mjs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goEnv, lackingOf, python } from "./tools.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What the programs of each language need, how they run in a folder that holds them, and how they say no. */
const languages = {
  sh: {
    tools: ["openssl", "python3"],
    file: "check.sh",
    command: () => ["sh", "check.sh"],
    refusal: /^Signature Verification Failure$/m,
  },
  js: {
    tools: ["@sigstore/verify"],
    file: "check.mjs",
    command: () => [process.execPath, "check.mjs"],
    refusal: /^VerificationError: signature verification failed$/m,
  },
  go: {
    tools: ["go", "x/mod"],
    file: "check.go",
    command: () => ["go", "run", "check.go"],
    refusal: / (?:invalid transparency proof|note has no verifiable signatures|invalid signature for key .*)$/m,
  },
  python: {
    tools: ["pynacl"],
    file: "check.py",
    command: () => [python(), "check.py"],
    refusal: /^nacl\.exceptions\.BadSignatureError: /m,
  },
};

/** A checker for each fenced program of the page. Throws when the page has another set of languages. */
export function pageCheckers(scratch) {
  const page = readFileSync(here("../../spec/interop.md"), "utf8");
  const blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, program]) => ({
    language,
    program,
  }));
  const found = blocks.map(({ language }) => language).toSorted();
  if (found.join() !== Object.keys(languages).toSorted().join()) throw new Error(`spec/interop.md has ${found}`);
  return blocks.map(({ language, program }) => ({
    name: "spec/interop.md",
    needs: languages[language].tools.join(", "),
    checks: ["page"],
    lacking: () => lackingOf(languages[language].tools),
    start: () => (inputs) => inputs.map((input) => runProgram(languages[language], program, input, scratch)),
  }));
}

function runProgram({ file, command, refusal }, program, { bundle, trust }, scratch) {
  const folder = mkdtempSync(join(scratch, "page-"));
  const files = { [file]: program, "one.proof.json": bundle, "trust.json": trust };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  symlinkSync(here("../../node_modules"), join(folder, "node_modules"));
  const [name, ...args] = command();
  const env = { ...process.env, ...goEnv(scratch) };
  const { status, stdout, stderr, error } = spawnSync(name, args, { cwd: folder, env, encoding: "utf8" });
  const says = `${stdout}${stderr}${error ?? ""}`.trim();
  // A program that stumbles ends with 1 too; only its own refusal counts as one.
  if (status !== 0 && !refusal.test(says)) throw new Error(`${name} ended with ${status}: ${says}`);
  return { accepted: status === 0, says };
}
