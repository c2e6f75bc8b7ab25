/**
 * The second verifier (python/) graded over the whole conformance kit, as a row of table.mjs. What it is known not to check
 * stands in python/exceptions.json, with the reason; a listed vector that it answers rightly fails the row, as a wrong
 * answer to any other does.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lackingOf } from "./tools.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * State and detail of the row. `vectors` are the manifest's, `verdicts` what was answered in their order, `exceptions`
 * groups of vectors by their `about`, each group with its `why`.
 */
export function gradeKit(vectors, verdicts, exceptions) {
  const listed = exceptions.flatMap((group) => group.vectors);
  const names = vectors.map(({ about }) => about);
  const twice = listed.find(
    (name, at) => listed.indexOf(name) !== at || names.filter((one) => one === name).length > 1,
  );
  const unknown = listed.find((name) => !names.includes(name));
  const unreasoned = exceptions.find(({ why }) => typeof why !== "string" || why === "");
  const wrong = vectors.findIndex(({ verdict, about }, at) => verdicts[at] !== verdict && !listed.includes(about));
  const passes = vectors.find(({ verdict, about }, at) => verdicts[at] === verdict && listed.includes(about));
  const faults = [
    [vectors.length === 0 || verdicts.length !== vectors.length, `${verdicts.length} answers to ${vectors.length}`],
    [unreasoned !== undefined, "exceptions without a reason"],
    [twice !== undefined, `not one exception: ${twice}`],
    [unknown !== undefined, `no vector of the kit: ${unknown}`],
    [wrong >= 0, `${verdicts[wrong]} where ${vectors[wrong]?.verdict} is right: ${names[wrong]}`],
    [passes !== undefined, `listed as an exception and answered rightly: ${passes?.about}`],
  ];
  const [fault] = faults.filter(([there]) => there);
  if (fault !== undefined) return { state: "fail", detail: fault[1] };
  const count = (verdict) =>
    vectors.filter((vector) => vector.verdict === verdict && !listed.includes(vector.about)).length;
  const right = ["accept", "reject", "indeterminate"].map((verdict) => `${count(verdict)} ${verdict}`).join(", ");
  return { state: "pass", detail: `${right}; ${listed.length} exceptions, listed with reasons` };
}

/** The row: missing where Python is, failed when it breaks. */
export async function kitRow() {
  const facts = { checker: "second verifier", needs: "Python 3.11", check: "kit" };
  const lacking = await lackingOf(["python3.11"]);
  if (lacking.length > 0) return { ...facts, state: "missing", detail: `install ${lacking.join(" ")}` };
  const kit = here("../../spec/vectors/conformance");
  const { vectors } = readJson(join(kit, "manifest.json"));
  const pairs = vectors.flatMap(({ file, trust }) => [join(kit, file), join(kit, trust)]);
  const args = [here("python/verify.py"), "--batch", ...pairs];
  const { status, stdout, stderr, error } = spawnSync("python3", args, { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) {
    const says = `broke: ended with ${status}: ${stderr ?? ""}${error ?? ""}`.replace(/\s+/g, " ").slice(0, 300);
    return { ...facts, state: "fail", detail: says };
  }
  const verdicts = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).verdict);
  return { ...facts, ...gradeKit(vectors, verdicts, readJson(here("python/exceptions.json")).exceptions) };
}
