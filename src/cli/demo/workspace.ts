import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { PolicyRule } from "../../contracts/policy.js";
import { ExoArmurError } from "../../errors.js";
import { type BundledPlugin, createHome } from "../../home/create.js";
import { demoMarker } from "../../home/demo-folder.js";
import { type HomePaths, homePaths } from "../../home/paths.js";
import type { Entropy } from "../../ports.js";

/** A home and, beside it, the files a demo works on. */
export type Workspace = { readonly paths: HomePaths; readonly files: string; readonly data: string };

/** What makes a demo's home. `home` null: a new temporary folder. */
export type WorkspaceOptions = {
  readonly home: string | null;
  readonly entropy: Entropy;
  readonly plugins: readonly BundledPlugin[];
  readonly rules: readonly PolicyRule[];
};

/**
 * Makes a home for a demo, with its own policy, and an empty folder of files beside it. A home that an earlier demo made
 * is started afresh; any other is left alone with EXO_HOME_EXISTS.
 */
export async function makeWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const home =
    options.home === null ? join(await mkdtemp(join(tmpdir(), "exoarmur-demo-")), ".exoarmur") : resolve(options.home);
  const files = join(dirname(home), options.home === null ? "files" : `${basename(home)}-files`);
  if (await clearDemo(home)) await rm(files, { recursive: true, force: true });
  await mkdir(dirname(home), { recursive: true });
  const { entropy, plugins } = options;
  await createHome(home, { entropy, bundledPlugins: plugins, dataPath: `./${basename(files)}/data` });
  const policy = { schema: "exoarmur.policy/v1", policyId: "demo", version: 1, rules: options.rules };
  const paths = homePaths(home);
  await writeFile(paths.policy, `${JSON.stringify(policy, null, 2)}\n`);
  await markDemo(home);
  const data = join(files, "data");
  await mkdir(data, { recursive: true });
  return { paths, files, data };
}

/** Removes the home that an earlier demo made, and says whether there was one. EXO_HOME_EXISTS for any other folder. */
export async function clearDemo(home: string): Promise<boolean> {
  if (!existsSync(home)) return false;
  if (!existsSync(join(home, demoMarker))) {
    throw new ExoArmurError("EXO_HOME_EXISTS", `${home} exists and was not made by a demo; name another folder`, {
      file: home,
    });
  }
  await rm(home, { recursive: true });
  return true;
}

/** Marks a home as made by a demo, which may remove it. */
export async function markDemo(home: string): Promise<void> {
  await writeFile(join(home, demoMarker), '{ "schema": "exoarmur.demo/v1" }\n');
}
