import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalText } from "../../canonical/jcs.js";
import type { Config } from "../../contracts/config.js";
import type { PolicyDocument, PolicyRule } from "../../contracts/policy.js";
import { type AnyPolicy, isCedar } from "../../contracts/policy-cedar.js";
import type { KeyFile, Role, Trust, TrustedKey } from "../../contracts/trust.js";
import { decodeBase64 } from "../../crypto/encoding.js";
import { signerFromSeed } from "../../crypto/signer.js";
import { createHome } from "../../home/create.js";
import { generateKey, trustEntryOf } from "../../home/keys.js";
import { type Home, openHome } from "../../home/open.js";
import type { HomePaths } from "../../home/paths.js";
import type { Entropy, Signer } from "../../ports.js";
import { loadCedar } from "../../runtime/cedar.js";
import { readHomePolicy } from "../../runtime/home-policy.js";
import type { Engines } from "../../verify/report.js";
import { withHomeView } from "../home-view.js";
import { guestFiles, readGuests, scratchActions, scratchNames, standIn } from "./guests.js";
import { type Ask, ownAsk } from "./own-ask.js";

/** An approver of the scratch home, whose private key is at hand. */
export type ScratchApprover = { readonly id: string; readonly signer: Signer };

/** A home made for trying guarantees, in a folder of its own. */
export type Scratch = {
  readonly folder: string;
  readonly paths: HomePaths;
  /** The folder of the guests' root. */
  readonly root: string;
  readonly trust: Trust;
  readonly approvers: readonly ScratchApprover[];
  /** What the home's own policy asks a person for; undefined when nothing of the kind can be made up. */
  readonly ask: Ask | undefined;
  readonly policy: AnyPolicy;
  /** What verifying its bundles needs. */
  readonly engines: Engines;
  /** Puts the derived policy in the place of the home's own, and takes the budgets out. The runtime must be closed. */
  derive(): Promise<void>;
  remove(): Promise<void>;
};

/** Rules that the derived policy has before the home's own. */
export const addedRules: readonly PolicyRule[] = [
  {
    id: "exoarmur-prove-ask",
    match: { action: scratchActions.ask },
    verdict: "require_approval",
    rationale: "added to try approvals",
    obligations: { approvals: 1, expiresInSeconds: 900 },
  },
  {
    id: "exoarmur-prove-allow",
    match: { action: "exoarmur_prove.*" },
    verdict: "allow",
    rationale: "added to try what an allowed action cannot do",
  },
];

/** Answers of every request of one name: the port of the loopback listener. */
export type ScratchPorts = { readonly entropy: Entropy; readonly listener: number };

/**
 * Makes a scratch home from what a home's configuration and policy say: the same tenants, grants, safety sources,
 * features and limits over folders and keys of its own. Only reads `dir`. The errors of openHome and readProgram.
 */
export async function makeScratch(dir: string, { entropy, listener }: ScratchPorts): Promise<Scratch> {
  const home = await openHome(dir);
  const { document: policy } = await withHomeView(
    dir,
    async ({ store }) => (await readHomePolicy(home.paths, store)).program,
  );
  const folder = await mkdtemp(join(tmpdir(), "exoarmur-prove-"));
  try {
    const { tenantId, cellId } = home.resolved;
    const made = await createHome(join(folder, "home"), { entropy, bundledPlugins: [], tenantId, cellId });
    const { paths } = made;
    const keys = approverKeys(policy, entropy);
    const publisher = home.resolved.requireSignatures
      ? generateKey("publisher", scratchNames.publisher, entropy)
      : null;
    const trust = { ...made.trust, keys: [...made.trust.keys, ...keys.map(({ entry }) => entry)] };
    if (publisher !== null) trust.keys.push(trustEntryOf(publisher));
    await writeFile(paths.trust, canonicalText(trust));
    const root = join(folder, "root");
    await mkdir(root);
    await writeConfig(home, folder, paths, listener);
    await writeFile(paths.policy, canonicalText(policy));
    const ask = isCedar(policy) ? undefined : ownAsk(policy, { tenantId, cellId });
    const guests = await readGuests();
    if (ask !== undefined) guests.push(standIn(ask.executor, ask.action));
    for (const guest of guests) {
      const files = await guestFiles(guest, publisher === null ? null : signerOf(publisher));
      for (const [name, content] of Object.entries(files)) await writeFile(join(paths.plugins, name), content);
    }
    return {
      folder,
      paths,
      root,
      trust,
      approvers: keys.map(({ key }) => ({ id: key.id, signer: signerOf(key) })),
      ask,
      policy,
      engines: isCedar(policy) ? { cedar: await loadCedar() } : {},
      derive: () => derive(paths, policy),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function signerOf({ seed }: KeyFile): Signer {
  return signerFromSeed(decodeBase64(seed) ?? new Uint8Array(0));
}

/** One more approver than any rule asks for, each with every role that a rule names. */
function approverKeys(policy: AnyPolicy, entropy: Entropy): { key: KeyFile; entry: TrustedKey }[] {
  const rules = rulesOf(policy);
  const roles = new Set(["approver", ...rules.flatMap(({ obligations }) => obligations?.roles ?? [])]);
  const most = Math.max(2, ...rules.map(({ obligations }) => obligations?.approvals ?? 1));
  const role: Role = "approver";
  return Array.from({ length: most + 1 }, (_, at) => {
    const key = generateKey(role, `exoarmur-prove-approver-${at + 1}`, entropy);
    return { key, entry: { ...trustEntryOf(key), roles: [...roles].sort() } };
  });
}

async function writeConfig({ config }: Home, folder: string, paths: HomePaths, listener: number): Promise<void> {
  const roots: Config["roots"] = { [scratchNames.root]: { path: join(folder, "root"), access: "write" } };
  for (const [at, [alias, { access }]] of Object.entries(config.roots).entries()) {
    const path = join(folder, `own-${at}`);
    await mkdir(path);
    if (alias !== scratchNames.root) roots[alias] = { path, access };
  }
  const place = { scheme: "http" as const, port: listener, methods: ["GET" as const], pathPrefix: "/" };
  const { safety, sandbox, secrets, plugins, tenants } = config;
  const scratch: Config = {
    schema: config.schema,
    tenantId: config.tenantId,
    cellId: config.cellId,
    ...(tenants === undefined ? {} : { tenants }),
    roots,
    grants: {
      ...config.grants,
      [scratchNames.files]: { fs_read: { roots: [scratchNames.root] }, fs_append: { roots: [scratchNames.root] } },
      [scratchNames.http]: {
        http_request: {
          allow: [
            { ...place, host: "127.0.0.1" },
            { ...place, host: "*.exoarmur-prove.test" },
          ],
        },
      },
      [scratchNames.near]: { http_request: { allow: [{ ...place, host: "127.0.0.1", networks: ["loopback"] }] } },
    },
    ...(safety === undefined ? {} : { safety }),
    ...(plugins === undefined ? {} : { plugins }),
    sandbox: { ...sandbox, workers: 1 },
    ...(secrets === undefined ? {} : { secrets }),
    features: config.features,
  };
  await writeFile(paths.config, JSON.stringify(scratch));
}

/** The rules of a policy in rules; Cedar's are none. */
function rulesOf(policy: AnyPolicy): readonly PolicyRule[] {
  return isCedar(policy) ? [] : policy.rules;
}

async function derive(paths: HomePaths, policy: AnyPolicy): Promise<void> {
  const derived: PolicyDocument = {
    schema: "exoarmur.policy/v1",
    policyId: policy.policyId,
    version: policy.version + 1,
    rules: [...addedRules, ...rulesOf(policy)],
  };
  await writeFile(paths.policy, JSON.stringify(derived));
  const config = JSON.parse(await readFile(paths.config, "utf8")) as Config;
  const { budgets: _, ...safety } = config.safety ?? {};
  await writeFile(paths.config, JSON.stringify({ ...config, safety }));
}

/** Copies a closed store's folder. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
}
