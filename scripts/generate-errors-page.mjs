/** Writes spec/errors.md from the table in src/errors.ts, read from the build. `--check` compares. */
import { errorTable } from "../dist/errors.js";
import { settle } from "./generated.mjs";

const kinds = {
  input: "Malformed or refused input: the caller can mend it.",
  denied: "Well-formed, and not allowed.",
  execution: "How a guest's run ended.",
  verification: "Proven wrong, by cryptography or by the log.",
  unable: "Could not be checked. This is never a pass.",
  state: "The home or the store is not fit for use.",
  internal: "A broken invariant of the program itself.",
};

const page = [
  "# Error codes",
  "",
  "Generated from `src/errors.ts` by `scripts/generate-errors-page.mjs`; do not edit.",
  "",
  "Every error and every refusal carries one of these codes. A code is never renamed and never given another meaning;",
  "messages may change. Expected outcomes (a denial, a failed run) are values; only misuse, malformed input and broken",
  "state are thrown, as `ExoArmurError` with `code` and `place`. `errors.md#EXO_...` leads to a code's line.",
  "",
];

const rows = Object.entries(errorTable);
for (const [kind, meaning] of Object.entries(kinds)) {
  page.push(`## ${kind}`, "", meaning, "", "| code | meaning |", "|---|---|");
  for (const [code, [rowKind, text]] of rows) {
    if (rowKind === kind) page.push(`| <a id="${code}"></a>\`${code}\` | ${text.replace(/[|_]/g, "\\$&")} |`);
  }
  page.push("");
}

const unknown = rows.filter(([, [kind]]) => !(kind in kinds)).map(([code]) => code);
if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: of a kind this script does not know`);

settle("errors page", "scripts/generate-errors-page.mjs", { "spec/errors.md": `${page.join("\n").trimEnd()}\n` });
