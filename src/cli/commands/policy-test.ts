import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type PolicyCases, policyCasesSchema } from "../../contracts/policy-cases.js";
import { ExoArmurError } from "../../errors.js";
import { parseDocument } from "../../home/document.js";
import { readPolicyFile } from "../../home/open.js";
import { homePaths } from "../../home/paths.js";
import { type CaseOutcome, runPolicyCase } from "../../policy/cases.js";
import type { PolicyProgram } from "../../policy/program.js";
import { readProgram } from "../../runtime/policy-file.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, isFolder, readInput } from "../files.js";
import { formatRows, formatTable, printJson } from "../output.js";
import { readPolicyArgument } from "../policy/read-policy.js";

type Tested = CaseOutcome & { readonly file: string };

/**
 * `policy test DIR|FILE...`: the cases of each file, and of each `*.cases.json` directly in a folder, under `--policy` or
 * the policy file beside them. Exit 1 when a case fails. EXO_FILE when there is no case, EXO_HOME_DAMAGED when there is not
 * exactly one policy beside them; the errors of the files read.
 */
export async function testPolicy(context: CliContext, paths: readonly string[], options: Options): Promise<ExitCode> {
  const given = textOption(options, "policy");
  const named = given === undefined ? undefined : await readPolicyArgument(context, given);
  const results: Tested[] = [];
  for (const file of (await Promise.all(paths.map((path) => caseFilesOf(context, path)))).flat()) {
    const policy = named ?? (await policyBeside(resolve(context.cwd, file)));
    const { cases } = await readCases(context, file);
    results.push(...cases.map((one) => ({ file, ...runPolicyCase(policy, one) })));
  }
  const failed = results.filter(({ problems }) => problems.length > 0).length;
  const passed = results.length - failed;
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.policy-test/v1", passed, failed, cases: results });
  } else {
    context.stdout(formatTable(results.map(rowOf)));
    const broken = results.flatMap(({ name, problems }) => problems.map((problem) => [name, problem]));
    context.stdout(`${formatRows(broken)}${passed} passed, ${failed} failed\n`);
  }
  return failed === 0 ? exitCodes.done : exitCodes.refused;
}

async function caseFilesOf(context: CliContext, path: string): Promise<string[]> {
  const place = resolve(context.cwd, path);
  if (!(await isFolder(place))) return [path];
  const names = (await readdir(place)).filter((name) => name.endsWith(".cases.json") && !name.startsWith("."));
  if (names.length === 0) throw new ExoArmurError("EXO_FILE", `${path} has no *.cases.json`, { file: place });
  return names.sort().map((name) => join(path, name));
}

async function policyBeside(file: string): Promise<PolicyProgram> {
  const found = await readPolicyFile(homePaths(dirname(file)));
  return await readProgram(found.bytes, found.file);
}

async function readCases(context: CliContext, file: string): Promise<PolicyCases> {
  const bytes = await readInput(context, file, inputs.document);
  return await parseDocument(bytes, file, { schema: policyCasesSchema, version: "exoarmur.policy-cases/v1" });
}

function rowOf({ name, problems, outcome }: Tested): readonly string[] {
  return [problems.length === 0 ? "pass" : "FAIL", name, `${outcome.verdict} by ${outcome.ruleIds.join(", ")}`];
}
