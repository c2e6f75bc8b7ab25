import { Shell } from "../cli.js";

/** A home in which anybody may write under data, and a person is asked before anything is removed there. */
export async function crashTemplate(): Promise<Shell> {
  const shell = new Shell();
  const made = await shell.exo(["init"]);
  if (made.code !== 0) throw new Error(made.stderr);
  shell.edit(".exoarmur/config.json", (config) => {
    const grants = config["grants"] as { fs: object };
    return {
      ...config,
      grants: { ...grants, fs: { ...grants.fs, fs_write: { roots: ["data"] } } },
      sandbox: { workers: 2 },
    };
  });
  shell.edit(".exoarmur/policy.json", (policy) => {
    const rules = policy["rules"] as object[];
    const allow = { id: "allow-write", match: { action: "fs.write", target: { under: "data" } }, verdict: "allow" };
    return { ...policy, rules: [allow, ...rules] };
  });
  return shell;
}
