import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { canonicalText, type JsonValue } from "../../canonical/jcs.js";
import { parseAliasPath } from "../../contracts/alias-path.js";
import { type PluginCase, pluginCaseSchema } from "../../contracts/plugin-project.js";
import { decodeBase64, encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import { maxDocumentBytes, parseDocument } from "../../home/document.js";
import type { Logger } from "../../ports.js";
import type { CliContext } from "../context.js";
import { type GrantedRoot, readGrants, type TrialGrants } from "./grants.js";
import type { FoundPlugin } from "./locate.js";
import { runTrial, type TrialEnd } from "./trial.js";

/** How one case ended. `problems` is empty for one that passed. */
export type CaseResult = { readonly name: string; readonly problems: readonly string[]; readonly end: TrialEnd };

const caseKind = { schema: pluginCaseSchema, version: "exoarmur.plugin-case/v1" };

/** Reads `cases/*.json` of a plugin's folder, in the order of their names. EXO_FILE when there are none; EXO_JSON_*, EXO_SCHEMA. */
export async function readCases(folder: string): Promise<readonly (readonly [name: string, PluginCase])[]> {
  const dir = join(folder, "cases");
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith(".json") && !name.startsWith("."));
  if (names.length === 0) throw new ExoArmurError("EXO_FILE", `${dir} has no case`, { file: dir });
  const cases: [string, PluginCase][] = [];
  for (const name of names.sort()) {
    const file = join(dir, name);
    const read = await readBounded(file, { maxBytes: maxDocumentBytes });
    cases.push([basename(name, ".json"), await parseDocument(read?.bytes ?? new Uint8Array(0), file, caseKind)]);
  }
  return cases;
}

/** Runs one case. Folders it is granted are copied first, so that it may write and still find the same every time. */
export async function runCase(
  context: CliContext,
  { place, draft, wasm }: FoundPlugin,
  [name, one]: readonly [name: string, PluginCase],
  logger: Logger,
): Promise<CaseResult> {
  const scratch = await mkdtemp(join(tmpdir(), "exoarmur-case-"));
  try {
    const given = await readGrants(one.grants ?? [], place.folder);
    const grants = await copyRoots(given, scratch);
    const input = inputOf(draft.functions.find((fn) => fn.name === one.function)?.input ?? "parameters", one);
    const end = await runTrial(context, { draft, wasm, fn: one.function, input, grants }, logger);
    return { name, end, problems: [...compareEnd(end, one), ...(await compareFiles(scratch, one))] };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function copyRoots(given: TrialGrants, scratch: string): Promise<TrialGrants> {
  const roots: Record<string, GrantedRoot> = {};
  for (const [alias, { path, access }] of Object.entries(given.roots)) {
    roots[alias] = { path: join(scratch, alias), access };
    await cp(path, join(scratch, alias), { recursive: true });
  }
  return { ...given, roots };
}

function inputOf(kind: string, { input = {} }: PluginCase): Uint8Array {
  if (kind === "text" && typeof input === "string") return encodeUtf8(input);
  if (kind === "bytes" && typeof input === "string") return decodeBase64(input) ?? encodeUtf8(input);
  return encodeUtf8(canonicalText(input));
}

function compareEnd(end: TrialEnd, { expect }: PluginCase): string[] {
  if (end.refused !== null)
    return [`expected ${expect.status}, was refused: ${end.refused.code}: ${end.refused.message}`];
  const why = end.error === null ? "" : ` (${end.error.code}: ${end.error.message})`;
  if (end.status !== expect.status) return [`expected ${expect.status}, ended ${end.status}${why}`];
  const problems: string[] = [];
  const compare = (what: string, wanted: JsonValue | undefined, came: JsonValue | undefined): void => {
    if (wanted === undefined || (came !== undefined && canonicalText(wanted) === canonicalText(came))) return;
    problems.push(
      `${what}: expected ${canonicalText(wanted)}, got ${came === undefined ? "none" : canonicalText(came)}`,
    );
  };
  compare("output", expect.output, end.output);
  compare("message", expect.message, end.error?.message);
  return problems;
}

async function compareFiles(scratch: string, { expect }: PluginCase): Promise<string[]> {
  const problems: string[] = [];
  for (const [path, wanted] of Object.entries(expect.files ?? {})) {
    const segments = parseAliasPath(path);
    if (segments === null) {
      problems.push(`files: ${path} is no root-alias path such as data/orders.csv`);
      continue;
    }
    const came = await readFile(join(scratch, ...segments), "utf8").catch(() => null);
    if (came !== wanted) problems.push(`${path}: expected ${shown(wanted)}, got ${shown(came)}`);
  }
  return problems;
}

function shown(content: string | null): string {
  return content === null ? "no file" : JSON.stringify(content.slice(0, 200));
}
