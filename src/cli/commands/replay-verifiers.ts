import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf } from "../../canonical/digest.js";
import { decodeBase64 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { signerEnv } from "../../home/keyring.js";
import { generateKey, readKeyFile, writeKeyFile } from "../../home/keys.js";
import { agreementOf, majorityOf } from "../../replay/agreement.js";
import { hasFlag, type Options, textOption, textsOption } from "../action.js";
import { agreementCodes, countOption, formatAgreement, thresholdOption } from "../agreement-text.js";
import { type CliContext, homeDir } from "../context.js";
import type { ExitCode } from "../exit-codes.js";
import { jobsOption } from "../jobs.js";
import { printJson } from "../output.js";
import { withBar } from "../progress.js";
import type { BundleInput } from "../replay-question.js";
import { askNodes, type VerifierNode } from "../verifiers/ask-nodes.js";
import { readTrustOption } from "./verify.js";

const maxVerifiers = 64;
const maxTimeout = 86_400;
const usualTimeout = 300;

/** This program. */
const main = fileURLToPath(new URL("../main.js", import.meta.url));

/**
 * `replay BUNDLE --verifiers N [--threshold K] [--key FILE]... [--timeout S]`: N processes replay copies of it and sign what
 * they found, each with a key of its own, made for this once unless N are given. Exit 0 when at least K found success, 1
 * when they agree on a failure, 6 otherwise. EXO_USAGE, EXO_FILE, EXO_KEY, EXO_KEY_MODE, trust file errors.
 */
export async function replayWithVerifiers(
  context: CliContext,
  bundle: BundleInput,
  options: Options,
): Promise<ExitCode> {
  const count = countOption(options, "verifiers", maxVerifiers) ?? 1;
  const threshold = thresholdOption(options, majorityOf(count));
  if (threshold > count) {
    throw new ExoArmurError("EXO_USAGE", `--threshold ${threshold} can never be reached by ${count} verifiers`);
  }
  const timeoutMs = 1000 * (countOption(options, "timeout", maxTimeout) ?? usualTimeout);
  const jobs = jobsOption(options);
  const trust = await readTrustOption(context, options);
  const folder = await mkdtemp(join(tmpdir(), "exoarmur-verifiers-"));
  try {
    const keys = await keysOf(context, count, textsOption(options, "key"), folder);
    const nodes = keys.map(
      (key, at): VerifierNode => ({
        name: `node ${at + 1}`,
        program: [process.execPath, main],
        copy: bundle.bytes,
        ...key,
      }),
    );
    const handedIn = await withBar(context, count, (step) =>
      askNodes(nodes, {
        folder,
        trust,
        jobs,
        timeoutMs,
        home: homeDir(context, textOption(options, "home")),
        env: signerEnv(context.env, []),
        signal: context.signal,
        onDone: ({ answer }) => step(!answer.ok),
      }),
    );
    const agreement = agreementOf(digestOf(bundle.bytes), handedIn, threshold);
    if (hasFlag(options, "json")) printJson(context, agreement);
    else context.stdout(formatAgreement(agreement));
    return agreementCodes[agreement.result];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type NodeKey = Pick<VerifierNode, "keyFile" | "publicKey">;

/** One key for each verifier: those given, or new ones in the folder, which goes with them. */
async function keysOf(
  context: CliContext,
  count: number,
  given: readonly string[],
  folder: string,
): Promise<readonly NodeKey[]> {
  if (given.length === 0)
    return await Promise.all(Array.from({ length: count }, (_, at) => newKey(context, folder, at)));
  if (given.length !== count) {
    throw new ExoArmurError("EXO_USAGE", `--key: expected one for each of ${count} verifiers, came ${given.length}`);
  }
  const keys = await Promise.all(
    given.map(async (path) => {
      const keyFile = resolve(context.cwd, path);
      return { keyFile, signer: (await readKeyFile(keyFile, "verifier")).signer };
    }),
  );
  const again = keys.find(({ signer }, at) => keys.findIndex((key) => key.signer.keyId === signer.keyId) !== at);
  if (again !== undefined) {
    throw new ExoArmurError("EXO_USAGE", `--key: ${again.keyFile} holds a key that another verifier has`);
  }
  return keys.map(({ keyFile, signer: { publicKey } }) => ({ keyFile, publicKey }));
}

async function newKey(context: CliContext, folder: string, at: number): Promise<NodeKey> {
  const key = generateKey("verifier", `node ${at + 1}`, context.entropy);
  const keyFile = join(folder, `${at + 1}.key`);
  await writeKeyFile(keyFile, key);
  return { keyFile, publicKey: decodeBase64(key.publicKey) ?? new Uint8Array(0) };
}
