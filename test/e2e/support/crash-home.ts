import { copyFileSync } from "node:fs";
import { ROOT, Shell } from "../cli.js";

/**
 * A home in which anybody may write under data and count among the keys of the executor kv, and a person is asked before
 * anything is removed there. With a port, anybody may also ask the API on 127.0.0.1 for shipments.
 */
export async function crashTemplate(port?: number): Promise<Shell> {
  const shell = new Shell();
  const made = await shell.exo(["init"]);
  if (made.code !== 0) throw new Error(made.stderr);
  for (const name of ["kv.wasm", "kv.json", "http.wasm", "http.json"]) {
    copyFileSync(`${ROOT}/plugins/${name}`, shell.path(`.exoarmur/plugins/${name}`));
  }
  const prefixes = ["counter-"];
  const place = {
    scheme: "http",
    host: "127.0.0.1",
    port,
    methods: ["POST"],
    pathPrefix: "/v1",
    networks: ["loopback"],
  };
  shell.edit(".exoarmur/config.json", (config) => {
    const grants = config["grants"] as { fs: object };
    return {
      ...config,
      grants: {
        ...grants,
        ...(port === undefined ? {} : { http: { http_request: { allow: [place] } } }),
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
    const ship = { id: "ship", match: { action: "http.request" }, verdict: "allow" };
    return { ...policy, rules: [allow, count, ...(port === undefined ? [] : [ship]), ...rules] };
  });
  return shell;
}
