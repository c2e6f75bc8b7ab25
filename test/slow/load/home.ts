import { mkdirSync, writeFileSync } from "node:fs";
import type { TokenGrant } from "../../../src/contracts/access.js";
import type { KeyFile } from "../../../src/contracts/trust.js";
import { generateKey, trustEntryOf } from "../../../src/home/keys.js";
import { homePaths } from "../../../src/home/paths.js";
import { createToken } from "../../../src/home/tokens.js";
import { systemClock } from "../../../src/runtime/system.js";
import { near, Shell } from "../../e2e/cli.js";
import { seededEntropy, seededIds } from "../../support/world.js";

/** One agent of the load: by token, or by a key of its own. */
export type LoadAgent = { readonly name: string; readonly token?: string; readonly key?: KeyFile };

/** A home for a load: appending under data/free is allowed, under data/ask a person is asked. */
export type LoadHome = {
  readonly shell: Shell;
  readonly agents: readonly LoadAgent[];
  readonly operators: readonly KeyFile[];
};

/** Makes the home. Of `agents` the last `keyed` have keys instead of tokens. */
export async function makeLoadHome(agents: number, keyed: number, operators: number): Promise<LoadHome> {
  const shell = new Shell();
  const made = await near(shell, ["init"]);
  if (made.code !== 0) throw new Error(made.stderr);
  for (const folder of ["free", "ask"]) mkdirSync(shell.path("data", folder));
  const entropy = seededEntropy("load keys");
  const people = Array.from({ length: operators }, (_, at) => generateKey("approver", `operator-${at}`, entropy));
  const names = Array.from({ length: agents }, (_, at) => `agent-${at}`);
  const keys = names.slice(agents - keyed).map((name) => generateKey("agent", name, entropy));
  shell.edit(".exoarmur/trust.json", (trust) => ({
    ...trust,
    keys: [
      ...(trust["keys"] as object[]),
      ...people.map(trustEntryOf),
      ...keys.map((key) => ({ ...trustEntryOf(key), tenants: ["default"], actions: ["fs.append"] })),
    ],
  }));
  shell.edit(".exoarmur/config.json", (config) => ({
    ...config,
    grants: { fs: { fs_append: { roots: ["data"] } } },
    safety: { sources: { trustScore: "state", cellLoad: "off", networkHealth: "off" } },
  }));
  shell.edit(".exoarmur/policy.json", (policy) => ({
    ...policy,
    rules: [
      { id: "free", match: { action: "fs.append", target: { under: "data/free" } }, verdict: "allow" },
      { id: "ask", match: { action: "fs.append", target: { under: "data/ask" } }, verdict: "require_approval" },
    ],
  }));
  const ids = seededIds(systemClock, "load tokens");
  const paths = homePaths(shell.path(".exoarmur"));
  const list: LoadAgent[] = [];
  for (const [at, name] of names.entries()) {
    for (const folder of ["free", "ask"]) writeFileSync(shell.path("data", folder, `${name}.log`), "");
    const key = keys[at - (agents - keyed)];
    if (key !== undefined) {
      list.push({ name, key });
      continue;
    }
    const grant: TokenGrant = { kind: "agent", actor: { id: name, type: "agent" }, actions: ["fs.append"] };
    const life = { tenantId: "default", grant, lifeMs: 86_400_000 };
    const { text } = await createToken(paths, life, { clock: systemClock, ids, entropy: seededEntropy(name) });
    list.push({ name, token: text });
  }
  return { shell, agents: list, operators: people };
}
