import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalText } from "../../canonical/jcs.js";
import type { Trust } from "../../contracts/trust.js";
import type { HandedIn } from "../../replay/agreement.js";
import { askProcess } from "./ask-process.js";

/** One verifier: a process with a key and a copy of the bundle of its own. */
export type VerifierNode = {
  readonly name: string;
  /** How `exoarmur` is started for it: program and first arguments. */
  readonly program: readonly string[];
  /** Its key file, and the public key in it: the only one that its answer is taken under. */
  readonly keyFile: string;
  readonly publicKey: Uint8Array;
  /** The bundle as it is handed to this node. */
  readonly copy: Uint8Array;
};

/** How nodes are asked. */
export type AskOptions = {
  /** An empty folder that nobody else can read. */
  readonly folder: string;
  /** The home whose sandbox settings count; need not exist. */
  readonly home: string;
  readonly trust: Trust | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** How many processes run at a time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Called whenever a node is done. */
  readonly onDone?: (one: HandedIn) => void;
};

/**
 * Has every node replay its copy in a process of its own, `exoarmur replay COPY --attest --key KEY`, and gives what each
 * handed in, in the order of the nodes. What a process does wrong is its answer (EXO_VERIFIER). Rejects with the signal's
 * reason, and with what writing to the folder throws.
 */
export async function askNodes(nodes: readonly VerifierNode[], options: AskOptions): Promise<readonly HandedIn[]> {
  const handedIn: HandedIn[] = [];
  let next = 0;
  const serve = async (): Promise<void> => {
    for (let at = next++; at < nodes.length; at = next++) {
      const one = await askNode(nodes[at] as VerifierNode, join(options.folder, `${at + 1}`), options);
      handedIn[at] = one;
      options.onDone?.(one);
    }
  };
  // All have ended before anything is thrown: the folder can be removed then.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(options.jobs, nodes.length) }, serve));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return handedIn;
}

async function askNode(node: VerifierNode, folder: string, options: AskOptions): Promise<HandedIn> {
  const { name, program, keyFile, publicKey, copy } = node;
  const { home, trust, env, timeoutMs, signal } = options;
  await mkdir(folder, { mode: 0o700 });
  const bundle = join(folder, "bundle.proof.json");
  const trustFile = join(folder, "trust.json");
  await writeFile(bundle, copy);
  if (trust !== undefined) await writeFile(trustFile, canonicalText(trust));
  const args = ["replay", bundle, "--attest", "--key", keyFile, "--home", home];
  const command = [...program, ...args, ...(trust === undefined ? [] : ["--trust", trustFile])];
  const answer = await askProcess({ command, cwd: folder, env, timeoutMs, signal });
  return { from: name, answer, keys: [{ id: name, person: name, publicKey }] };
}
