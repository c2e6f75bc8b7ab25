import type { Config } from "../contracts/config.js";
import type { PolicyDocument } from "../contracts/policy.js";
import type { KeyFile, Trust } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { formatVkey, noteKey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import { trustEntryOf } from "./keys.js";

/** config.json of a new home: the root `data`, and what the bundled executors may do in it. */
export function starterConfig(tenantId: string, cellId: string, dataPath: string): Config {
  return {
    schema: "exoarmur.config/v1",
    tenantId,
    cellId,
    roots: { data: { path: dataPath, access: "write" } },
    grants: {
      fs: { fs_read: { roots: ["data"] }, fs_list: { roots: ["data"] }, fs_remove: { roots: ["data"] } },
      "table-stats": { fs_read: { roots: ["data"] } },
    },
    features: {},
  };
}

/** policy.json of a new home: table.stats is allowed, fs.remove needs a person, the rest is denied. */
export const starterPolicy: PolicyDocument = {
  schema: "exoarmur.policy/v1",
  policyId: "files",
  version: 1,
  rules: [
    { id: "allow-stats", match: { action: "table.stats", target: { under: "data" } }, verdict: "allow" },
    {
      id: "delete-needs-a-person",
      match: { action: "fs.remove", target: { under: "data" } },
      verdict: "require_approval",
      rationale: "deleting cannot be undone",
      obligations: {
        approvals: 1,
        roles: ["approver"],
        expiresInSeconds: 900,
        narrow: { fs_remove: { paths: ["{target}"] } },
      },
    },
  ],
};

/** Trust file of a new home: its own log and the public half of every key. `keys` must hold one of the role log. */
export function starterTrust(cellId: string, keys: readonly KeyFile[]): Trust {
  const log = keys.find((key) => key.role === "log");
  const publicKey = log === undefined ? undefined : decodeBase64(log.publicKey);
  if (log === undefined || publicKey === undefined)
    throw new ExoArmurError("EXO_INTERNAL", "A new home has no log key.");
  const origin = `exoarmur/${cellId}/${log.keyId.slice(0, 16)}`;
  return {
    schema: "exoarmur.trust/v1",
    logs: [{ origin, vkey: formatVkey(noteKey(origin, publicKey)) }],
    keys: keys.map(trustEntryOf),
    witnesses: { threshold: 0, vkeys: [] },
  };
}

/** .gitignore of a home: everything that is secret, large or only of the moment. */
export const starterGitignore =
  "keys/\nvault.age\ndata/\nbundles/\ninbox/\ntokens/\nanchor\nowner.lock*\nKILL\n.*.tmp\n";
