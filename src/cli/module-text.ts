import { rooted } from "../capabilities/grant-check.js";
import type { CapabilityName } from "../contracts/imports.js";
import { defaultLimits } from "../contracts/manifest.js";
import type { ModuleReport, Signature } from "../wasm/inspect.js";
import type { Reason } from "../wasm/reasons.js";
import type { ModuleTerms } from "./module-terms.js";
import { countOf, formatCount, formatRows, formatTable } from "./output.js";

/** Rows of one kind, and characters of one name, that are shown; --json has all. */
const shownRows = 40;
const shownName = 80;
/** Width of the first column of what is said about modules. */
export const label = 10;

/** A size in relation to another: `1.92x`. */
export function formatRatio(size: number, original: number): string {
  return `${(size / original).toFixed(2)}x`;
}

/** `at most 256 pages and 10,000 table elements`. */
export function formatCaps({ memoryPages, tableElements }: ModuleReport["caps"]): string {
  return `at most ${countOf(memoryPages, "page")} and ${countOf(tableElements, "table element")}`;
}

/** Reasons against a module, one line each: code, byte offset, text. */
export function formatReasons(reasons: readonly Reason[]): string {
  return formatTable(
    reasons.map(({ code, message, offset }) => {
      const place = offset === undefined ? "" : ` (at byte ${offset})`;
      const text = message.endsWith(place) ? message.slice(0, message.length - place.length) : message;
      return [`  ${code}`, offset === undefined ? "" : `byte ${offset}`, text];
    }),
  );
}

/**
 * What to write where, so that a module is admitted: lines for its manifest and for config.json, empty for none.
 *
 * @param needed capabilities that are still to be granted
 */
export function formatHints(
  { memory, tables, exports }: ModuleReport,
  needed: readonly CapabilityName[],
  terms: ModuleTerms,
  executor: string,
): string {
  const elements = tables.reduce((sum, { initial }) => sum + initial, 0);
  const limits = {
    ...(startsBeyond(memory?.initial ?? 0, terms.memoryPages, defaultLimits.memoryPages) && {
      memoryPages: memory?.initial,
    }),
    ...(startsBeyond(elements, terms.tableElements, defaultLimits.tableElements) && { tableElements: elements }),
  };
  const manifest = [
    ...(needed.length === 0 ? [] : [`"capabilities": ${JSON.stringify(needed.map((name) => ({ name })))}`]),
    ...(Object.keys(limits).length === 0 ? [] : [`"limits": ${JSON.stringify(limits)}`]),
  ];
  return formatRows(
    [
      ...manifest.map((line, at) => [at === 0 ? "manifest" : "", line]),
      ...(needed.length === 0 ? [] : [["config", grantsLine(needed, executor)]]),
      ...(exports.some(({ name }) => name.startsWith("exo:"))
        ? [["hint", "names that begin with exo: are the meter's; if this is a sealed module, give its original"]]
        : []),
    ],
    label,
  );
}

function startsBeyond(initial: number, cap: number, usual: number): boolean {
  return initial > cap || (initial > usual && cap !== usual);
}

/** The line of config.json that grants capabilities to an executor. */
export function grantsLine(names: readonly CapabilityName[], executor: string): string {
  const grants = names.map((name) => [name, rooted.has(name) ? { roots: ["data"] } : {}] as const);
  return `"grants": ${JSON.stringify({ [executor]: Object.fromEntries(grants) })}`;
}

/** A report for people: facts, tables, and the verdict with every reason last. */
export function formatModule(report: ModuleReport, terms: ModuleTerms, executor: string): string {
  const { admitted, reasons } = report;
  const needed = terms.manifest === undefined ? report.capabilities : report.missing;
  const verdict = admitted
    ? formatRows(
        [["admitted", terms.manifest === undefined ? "under a manifest that grants what it needs" : ""]],
        label,
      )
    : `${formatRows([["refused", countOf(reasons.length, "reason")]], label)}${formatReasons(reasons)}`;
  return `${facts(report)}${tables(report)}${formatHints(report, needed, terms, executor)}${verdict}`;
}

function facts({ sealed, memory, caps, ...report }: ModuleReport): string {
  const most = (size: number | null): string => (size === null ? "no maximum" : `at most ${formatCount(size)}`);
  return formatRows(
    [
      ["digest", report.digest, countOf(report.size, "byte")],
      ...(sealed === null
        ? [["sealed", "not"]]
        : [
            ["sealed", sealed.digest, countOf(sealed.size, "byte"), formatRatio(sealed.size, report.size)],
            ["", `meter revision ${sealed.meterRevision}`, formatCaps(caps)],
          ]),
      ["memory", memory === null ? "none" : `${countOf(memory.initial, "page")}, ${most(memory.maximum)}`],
      ...report.tables.map(({ type, initial, maximum }) => [
        "table",
        `${type}, ${countOf(initial, "element")}, ${most(maximum)}`,
      ]),
      ...(report.hasStart ? [["start", "has a start function, which runs first"]] : []),
      ["functions", short(report.functions.join(", "), 10 * shownName) || "none that a manifest may name"],
      ["needs", report.capabilities.join(", ") || "no capability"],
    ],
    label,
  );
}

function tables(report: ModuleReport): string {
  return [
    list("feature", report.features, ({ name, offset }) => [name, `byte ${offset}`]),
    list("import", report.imports, (one) => [
      `${short(one.module)} ${short(one.name)}`,
      signatureOf(one.signature) || one.kind,
      one.capability ?? "no capability",
    ]),
    list("export", report.exports, (one) => [short(one.name), signatureOf(one.signature) || one.kind]),
    list("section", report.customSections, ({ name, size }) => [short(name), countOf(size, "byte")]),
  ].join("");
}

function list<T>(kind: string, all: readonly T[], cells: (one: T) => readonly string[]): string {
  const name = kind.padEnd(label);
  const rest = all.length - shownRows;
  const more = rest > 0 ? formatRows([[kind, `and ${formatCount(rest)} more; --json has all`]], label) : "";
  return `${formatTable(all.slice(0, shownRows).map((one) => [name, ...cells(one)]))}${more}`;
}

/** A guest's own text at a length that keeps a table a table. */
function short(text: string, most = shownName): string {
  return text.length > most ? `${text.slice(0, most)}...` : text;
}

function signatureOf(signature: Signature | null): string {
  return signature === null ? "" : `(${signature.params.join(", ")}) -> (${signature.results.join(", ")})`;
}
