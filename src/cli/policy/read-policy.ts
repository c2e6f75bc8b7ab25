import { dirname, resolve } from "node:path";
import { type Digest, digestOf } from "../../canonical/digest.js";
import { canonicalize } from "../../canonical/jcs.js";
import type { AnyPolicy } from "../../contracts/policy-cedar.js";
import type { PolicyProgram } from "../../policy/program.js";
import { readHomePolicy } from "../../runtime/home-policy.js";
import { readProgram } from "../../runtime/policy-file.js";
import { type CliContext, homeDir } from "../context.js";
import { inputName, inputs, readInput } from "../files.js";
import { withHomeView } from "../home-view.js";

/** A policy by what names it. */
export type PolicyName = { readonly policyId: string; readonly version: number; readonly digest: Digest };

/** Reads a policy file, JSON or YAML by its ending, of rules or of Cedar. EXO_FILE, EXO_JSON_*, EXO_YAML, EXO_SCHEMA. */
export async function readPolicyArgument(context: CliContext, path: string): Promise<PolicyProgram> {
  const folder = path === "-" ? context.cwd : dirname(resolve(context.cwd, path));
  return await readProgram(await readInput(context, path, inputs.document), inputName(path), folder);
}

/** The policy of `--policy`, or the one that a start of the home puts in force, signed or not. Errors also of the home. */
export async function readPolicyOption(
  context: CliContext,
  given: string | undefined,
  home: string | undefined,
): Promise<PolicyProgram> {
  if (given !== undefined) return await readPolicyArgument(context, given);
  return await withHomeView(homeDir(context, home), async ({ home: { paths }, store }) => {
    const { program } = await readHomePolicy(paths, store);
    return program;
  });
}

/** What names a policy. */
export function nameOf(policy: AnyPolicy): PolicyName {
  return { policyId: policy.policyId, version: policy.version, digest: digestOf(canonicalize(policy)) };
}
