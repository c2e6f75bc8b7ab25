import { inspectModule, type ModuleReport } from "../../wasm/inspect.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { executorName, type ModuleTerms, manifestReasons, openTerms, raisedTerms, readTerms } from "../module-terms.js";
import { formatModule } from "../module-text.js";
import { printJson } from "../output.js";

/**
 * `inspect PLUGIN.wasm`: what the module is and whether it would be admitted, under `--manifest` or else under one that
 * grants what it needs. EXO_WASM_SIZE, EXO_FILE; EXO_JSON_*, EXO_SCHEMA for the manifest.
 */
export async function inspect(
  context: CliContext,
  [path = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const given = textOption(options, "manifest") === undefined ? undefined : await readTerms(context, options);
  const bytes = await readInput(context, path, inputs.module);
  const first = inspectUnder(bytes, given ?? openTerms);
  const terms = given ?? raisedTerms(first);
  const raised = terms.memoryPages > first.caps.memoryPages || terms.tableElements > first.caps.tableElements;
  const report = raised ? inspectUnder(bytes, terms) : first;
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.module/v1", ...report });
  else context.stdout(formatModule(report, terms, executorName(path, terms)));
  return report.admitted ? exitCodes.done : exitCodes.refused;
}

/** The report with what the manifest says against the module as well. */
function inspectUnder(bytes: Uint8Array, terms: ModuleTerms): ModuleReport {
  const { capabilities, memoryPages, tableElements } = terms;
  const report = inspectModule(bytes, { capabilities, memoryPages, tableElements });
  const reasons = [...report.reasons, ...manifestReasons(terms, report)];
  return reasons.length === report.reasons.length ? report : { ...report, admitted: false, reasons, sealed: null };
}
