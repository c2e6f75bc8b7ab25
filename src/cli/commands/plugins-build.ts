import { existsSync } from "node:fs";
import { writeAtomic } from "../../home/atomic.js";
import { hasFlag, type Options } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatHints, formatReasons, label } from "../module-text.js";
import { countOf, formatRows, printJson, shownPath } from "../output.js";
import { type Admission, judgePlugin } from "../plugins/admission.js";
import { compile } from "../plugins/compilers.js";
import { locatePlugin, type PluginPlace, readManifest } from "../plugins/locate.js";
import { readProject } from "../plugins/project.js";
import { withProgress } from "../progress.js";

/**
 * `plugins build [DIR]`: compiles a plugin's source to NAME.wasm and judges it under its manifest. A module that is not
 * admitted is left there to be inspected, exit 1. EXO_TOOL_MISSING, EXO_BUILD, EXO_FILE, EXO_JSON_*, EXO_SCHEMA.
 */
export async function buildPlugin(
  context: CliContext,
  [what = "."]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const place = await locatePlugin(context, what, undefined);
  const draft = await readManifest(place);
  const project = await readProject(place.folder);
  const wasm = await withProgress(context, `building ${draft.name}`, compile(context, place.folder, project));
  const admission = judgePlugin(draft, wasm);
  await writeAtomic(place.module, wasm);
  const { report, reasons, manifest, unused } = admission;
  if (hasFlag(options, "json")) {
    const { name, version } = draft;
    const module = { path: place.module, digest: report.digest, size: report.size };
    const admitted = manifest !== null;
    printJson(context, {
      schema: "exoarmur.plugin-build/v1",
      name,
      version,
      language: project.language,
      module,
      admitted,
      reasons,
      imports: report.imports,
      functions: report.functions,
      capabilities: report.capabilities,
      unused,
    });
  } else context.stdout(textOf(context, place, admission));
  return manifest === null ? exitCodes.refused : exitCodes.done;
}

function textOf(
  context: CliContext,
  place: PluginPlace,
  { report, terms, reasons, manifest, unused }: Admission,
): string {
  const kernel = report.imports.filter(({ capability }) => capability === null).length;
  const rows = [
    ["built", shownPath(context, place.module), countOf(report.size, "byte")],
    ["digest", report.digest],
    ["functions", report.functions.join(", ") || "none"],
    ["imports", report.capabilities.join(", ") || "no capability", countOf(kernel, "kernel function")],
    ...(unused.length === 0 ? [] : [["unused", `the manifest asks for ${unused.join(", ")}, which nothing calls`]]),
    ...(existsSync(place.signed)
      ? [["signed", `${shownPath(context, place.signed)} is of an earlier build; sign again`]]
      : []),
  ];
  const name = terms.manifest?.name ?? "";
  const verdict =
    manifest === null
      ? `${formatHints(report, report.missing, terms, name)}${formatRows([["refused", countOf(reasons.length, "reason")]], label)}${formatReasons(reasons)}`
      : formatRows([["admitted", `${manifest.name}@${manifest.version}`]], label);
  return `${formatRows(rows, label)}${verdict}`;
}
