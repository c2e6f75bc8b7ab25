import { copyFileSync } from "node:fs";
import { ROOT, Shell } from "../cli.js";

/** A home in which anybody may write under data and count among the keys of the executor kv, and a person is asked before anything is removed there. */
export async function crashTemplate(): Promise<Shell> {
  const shell = new Shell();
  const made = await shell.exo(["init"]);
  if (made.code !== 0) throw new Error(made.stderr);
  for (const ending of ["wasm", "json"]) {
    copyFileSync(`${ROOT}/plugins/kv.${ending}`, shell.path(`.exoarmur/plugins/kv.${ending}`));
  }
  const prefixes = ["counter-"];
  shell.edit(".exoarmur/config.json", (config) => {
    const grants = config["grants"] as { fs: object };
    return {
      ...config,
      grants: {
        ...grants,
        kv: { kv_get: { prefixes }, kv_put: { prefixes } },
        fs: { ...grants.fs, fs_write: { roots: ["data"] } },
      },
      sandbox: { workers: 2 },
    };
  });
  shell.edit(".exoarmur/policy.json", (policy) => {
    const rules = policy["rules"] as object[];
    const allow = { id: "allow-write", match: { action: "fs.write", target: { under: "data" } }, verdict: "allow" };
    const count = { id: "count", match: { action: ["kv.get", "kv.put"] }, verdict: "allow" };
    return { ...policy, rules: [allow, count, ...rules] };
  });
  return shell;
}
