import { inspectModule, type ModuleReport, type Signature } from "../../wasm/inspect.js";
import { hasFlag, type Options } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { countOf, formatCount, formatRows, printJson } from "../output.js";

/** `inspect PLUGIN.wasm`: what the module is and whether it would be admitted. EXO_WASM_SIZE, EXO_FILE. */
export async function inspect(
  context: CliContext,
  [path = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const report = inspectModule(await readInput(context, path, inputs.module));
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.module/v1", ...report });
  else context.stdout(formatModule(report));
  return report.admitted ? exitCodes.done : exitCodes.refused;
}

function formatModule(report: ModuleReport): string {
  const { memory, sealed } = report;
  const pages = (size: number | null): string => (size === null ? "no maximum" : `at most ${formatCount(size)}`);
  const rows: string[][] = [
    report.admitted ? ["admitted", "under a manifest that grants what it needs"] : ["refused"],
    ...report.reasons.map(({ code, message, offset }) => [
      "",
      code,
      offset === undefined ? "" : `byte ${offset}`,
      message,
    ]),
    ["digest", report.digest, countOf(report.size, "byte")],
    sealed === null ? ["metered", "not"] : ["metered", sealed.digest, countOf(sealed.size, "byte")],
    ["needs", report.capabilities.join(", ") || "no capability"],
    ["functions", report.functions.join(", ") || "none that a manifest may name"],
    ["memory", memory === null ? "none" : `${countOf(memory.initial, "page")}, ${pages(memory.maximum)}`],
    ...report.tables.map((table) => [
      "table",
      table.type,
      `${formatCount(table.initial)} elements, ${pages(table.maximum)}`,
    ]),
    ["features", report.features.map(({ name }) => name).join(", ") || "none beyond the first version"],
    ...report.imports.map((one) => [
      "import",
      `${one.module} ${one.name}`,
      signatureOf(one.signature) || one.kind,
      one.capability ?? "kernel",
    ]),
    ...report.exports.map((one) => ["export", one.name, signatureOf(one.signature) || one.kind]),
    ...report.customSections.map(({ name, size }) => ["section", name, countOf(size, "byte")]),
    ...(report.hasStart ? [["start", "the module has a start function"]] : []),
  ];
  return formatRows(rows);
}

function signatureOf(signature: Signature | null): string {
  return signature === null ? "" : `(${signature.params.join(", ")}) -> (${signature.results.join(", ")})`;
}
