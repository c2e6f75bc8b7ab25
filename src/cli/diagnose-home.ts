import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { resolveManifest } from "../contracts/manifest-draft.js";
import { isCedar } from "../contracts/policy-cedar.js";
import { secretFault } from "../contracts/secret.js";
import type { Role } from "../contracts/trust.js";
import { readAnchor } from "../home/anchor.js";
import { killFileExists } from "../home/kill-file.js";
import { readOwner } from "../home/owner-lock.js";
import { type PluginFile, readPlugins } from "../home/plugins.js";
import { compareCheckpoint } from "../log/audit.js";
import { readCheckpoint } from "../log/checkpoint.js";
import { type KillSwitchState, readState } from "../pipeline/documents.js";
import { readIntentRecord } from "../pipeline/present.js";
import { openIntents } from "../pipeline/recovery.js";
import { admitExecutor } from "../pipeline/registry.js";
import { stateKeys } from "../pipeline/store-keys.js";
import { readHomePolicy } from "../runtime/home-policy.js";
import { homeSecrets } from "../runtime/secrets.js";
import { readCandidate } from "../runtime/shadow.js";
import type { CliContext } from "./context.js";
import { diagnoseWitnesses } from "./diagnose-witnesses.js";
import { type Diagnosis, examine, type Found } from "./diagnosis.js";
import type { HomeView } from "./home-view.js";
import { openHomeView } from "./home-view.js";
import { countOf, shownPath } from "./output.js";
import { judgeSignature } from "./plugins/signature.js";

/** Looks at a home, reading only. When it cannot be opened, the one line says why. */
export async function diagnoseHome(context: CliContext, dir: string): Promise<Diagnosis[]> {
  let view: HomeView | undefined;
  const opened = await examine("home", async () => {
    view = await openHomeView(dir);
    const { tenantId, cellId } = view.home.resolved;
    return `${shownPath(context, dir)}, tenant ${tenantId}, cell ${cellId}, local file system`;
  });
  if (view === undefined) return [opened];
  try {
    return [opened, ...(await diagnoseView(context, view))];
  } finally {
    await view.close();
  }
}

async function diagnoseView(context: CliContext, view: HomeView): Promise<Diagnosis[]> {
  const { home, store } = view;
  const lines = [
    await examine("roots", () => checkRootFolders(view)),
    await examine("keys", () => checkKeys(view)),
    await examine("owner", () => {
      const owner = readOwner(home.paths, context.clock);
      return owner === undefined ? "nobody owns the home now" : `process ${owner.pid} owns the home`;
    }),
    await examine("kill switch", () => checkKillSwitch(view)),
    await examine("log", () => checkLog(view)),
    ...(await diagnoseWitnesses(view)),
    await examine("policy", () => checkPolicy(view)),
    ...(home.resolved.shadowFile === null ? [] : [await examine("shadow policy", () => checkShadow(view))]),
    await examine("secrets", () => checkSecrets(view, context.env)),
  ];
  for (const plugin of await readPlugins(home)) {
    lines.push(await examine(`plugin ${plugin.name}`, () => checkPlugin(view, plugin)));
  }
  const inDoubt = openIntents(store).filter((id) => readIntentRecord(store, id).state === "in_doubt");
  if (inDoubt.length > 0) {
    lines.push({
      id: "in doubt",
      state: "warn",
      code: "EXO_IN_DOUBT",
      message: `${inDoubt.join(", ")}; see exoarmur resolve`,
    });
  }
  return lines;
}

function checkRootFolders({ home: { resolved } }: HomeView): Found {
  const roots = Object.entries(resolved.roots);
  const missing = roots.filter(([, { path }]) => !existsSync(path)).map(([alias, { path }]) => `${alias} (${path})`);
  if (missing.length > 0) return { state: "warn", message: `${missing.join(", ")} does not exist` };
  return roots.map(([alias, { access }]) => `${alias} (${access})`).join(", ") || "none: executors reach no file";
}

async function checkKeys({ home }: HomeView): Promise<Found> {
  const needed: readonly Role[] = ["runtime", "log"];
  const others: readonly Role[] = ["approver", "operator", "policy-author"];
  const present = [...needed, ...others.filter((role) => home.hasKey(role))];
  for (const role of present) await home.signer(role);
  await home.saltKey();
  const found = `${present.join(", ")}: private, and in the trust file`;
  if (!home.hasKey("approver")) return found;
  return {
    state: "warn",
    message: `${found}; approver.key lies beside the runtime, move it off this machine before it matters`,
  };
}

function checkKillSwitch({ home, store }: HomeView): Found {
  if (killFileExists(home.paths)) {
    return {
      state: "warn",
      code: "EXO_KILL_SWITCH",
      message: "a KILL file denies every start; see exoarmur killswitch off",
    };
  }
  const state = readState<KillSwitchState>(store, stateKeys.killSwitch);
  const tenants = Object.entries(state?.tenants ?? {}).filter(([, on]) => on);
  const on = [
    ...(state?.global === true ? ["every tenant"] : []),
    ...tenants.map(([tenantId]) => `tenant ${tenantId}`),
  ];
  if (on.length === 0) return "off";
  return { state: "warn", code: "EXO_KILL_SWITCH", message: `on for ${on.join(", ")}` };
}

function checkLog({ home, store, log }: HomeView): Found {
  const present = log();
  const anchor = readAnchor(home.paths);
  if (present === undefined) {
    if (anchor === undefined) return "empty: nothing was recorded yet";
    return {
      state: "fail",
      code: "EXO_STORE_ROLLED_BACK",
      message: "the store is empty, the anchor shows that it was not",
    };
  }
  const size = countOf(present.size, "entry").replace("entrys", "entries");
  if (anchor === undefined) return { state: "warn", message: `${size}; the home has no anchor file to compare with` };
  const standing = compareCheckpoint(store, anchor);
  if (standing === "consistent") return `${size}, consistent with the anchor at ${readCheckpoint(anchor).size}`;
  return {
    state: "fail",
    code: standing === "behind" ? "EXO_STORE_ROLLED_BACK" : "EXO_STORE_DAMAGED",
    message: `${size}; ${standing === "behind" ? "fewer than the anchor shows" : "not the log of the anchor"}`,
  };
}

/** Every configured secret has a value that can go where it is bound. */
async function checkSecrets({ home }: HomeView, env: CliContext["env"]): Promise<Found> {
  const { secrets, vault } = homeSecrets(home.paths, home.resolved.secrets, env);
  const missing: string[] = [];
  const clear: string[] = [];
  for (const [name, binding] of Object.entries(secrets)) {
    const value = await vault.get(name);
    const fault = value === undefined ? undefined : secretFault(value, binding);
    value?.fill(0);
    if (fault !== undefined) return { state: "fail", code: "EXO_SECRET_VALUE", message: `${name} ${fault}` };
    if (value === undefined) missing.push(name);
    if (binding.origin.scheme === "http") clear.push(name);
  }
  if (missing.length > 0)
    return { state: "warn", message: `no value for ${missing.join(", ")}; see exoarmur secrets set` };
  if (clear.length > 0) return { state: "warn", message: `${clear.join(", ")} would be sent without TLS` };
  return Object.keys(secrets).join(", ") || "none configured";
}

async function checkPolicy({ home, store }: HomeView): Promise<Found> {
  const { file, fileDigest, program, active, superseded } = await readHomePolicy(home.paths, store);
  const { document: policy } = program;
  const digest = superseded ? active?.digest : fileDigest;
  const source = superseded ? `activated by an order in the place of ${basename(file)}` : basename(file);
  const what = `${source}: ${policy.policyId} version ${policy.version}, ${isCedar(policy) ? "in Cedar" : countOf(policy.rules.length, "rule")}, ${digest}`;
  if (active?.digest === digest) return `${what}, signed and active`;
  if (active !== undefined && (active.policyId !== policy.policyId || policy.version <= active.version)) {
    const expected = `${active.policyId} with a version above ${active.version}`;
    return {
      state: "fail",
      code: "EXO_POLICY_VERSION",
      message: `${what}; the active policy is another: expected ${expected}`,
    };
  }
  if (home.hasKey("policy-author")) return `${what}, to be signed by author.key at the next start`;
  if (existsSync(join(home.paths.home, "policy.signed.json")))
    return `${what}, to be activated from policy.signed.json`;
  return {
    state: "fail",
    code: "EXO_POLICY_UNSIGNED",
    message: `${what}; neither author.key nor policy.signed.json is there`,
  };
}

/** A candidate that cannot be used keeps nothing from running: the next start goes without it. */
async function checkShadow({ home: { resolved } }: HomeView): Promise<Awaited<Found>> {
  const { candidate, problem } = await readCandidate(resolved.shadowFile ?? "");
  if (problem !== undefined) return { state: "warn", code: problem.code, message: `not asked: ${problem.message}` };
  const { policyId, version, rules } = candidate.compiled.document;
  return `${policyId} version ${version}, ${countOf(rules.length, "rule")}, ${candidate.document.digest}: asked, never obeyed`;
}

async function checkPlugin(view: HomeView, plugin: PluginFile): Promise<Found> {
  if (plugin.problem !== undefined) return { state: "fail", ...plugin.problem };
  const manifest = resolveManifest(plugin.manifest, plugin.wasm);
  const admitted = manifest.ok ? await admitExecutor(manifest.value, plugin.wasm) : manifest;
  if (!admitted.ok) return { state: "fail", ...admitted.error };
  const signed = judgeSignature(view, admitted.value.manifest, plugin.signed);
  if (!signed.ok) return { state: "fail", ...signed.error };
  const { version, functions, wasm } = admitted.value.manifest;
  const by = signed.value === null ? "" : `, signed by ${signed.value.publisher}`;
  return `${version}, ${functions.map(({ action }) => action).join(", ")}, ${wasm.digest}${by}`;
}
