import { type Digest, digestOf } from "../../canonical/digest.js";
import { canonicalize } from "../../canonical/jcs.js";
import type { PolicyDocument } from "../../contracts/policy.js";
import { readPolicyFile } from "../../home/open.js";
import { homePaths } from "../../home/paths.js";
import { readPolicy } from "../../policy/read.js";
import { type CliContext, homeDir } from "../context.js";
import { inputName, inputs, readInput } from "../files.js";

/** A policy by what names it. */
export type PolicyName = { readonly policyId: string; readonly version: number; readonly digest: Digest };

/** Reads a policy file, JSON or YAML by its ending. EXO_FILE, EXO_JSON_*, EXO_YAML, EXO_SCHEMA. */
export async function readPolicyArgument(context: CliContext, path: string): Promise<PolicyDocument> {
  return readPolicy(await readInput(context, path, inputs.document), inputName(path));
}

/** The policy of `--policy`, or the one that lies in the home, signed or not. Errors also of a home without one. */
export async function readPolicyOption(
  context: CliContext,
  given: string | undefined,
  home: string | undefined,
): Promise<PolicyDocument> {
  if (given !== undefined) return await readPolicyArgument(context, given);
  const { file, bytes } = await readPolicyFile(homePaths(homeDir(context, home)));
  return readPolicy(bytes, file);
}

/** What names a policy. */
export function nameOf(policy: PolicyDocument): PolicyName {
  return { policyId: policy.policyId, version: policy.version, digest: digestOf(canonicalize(policy)) };
}
