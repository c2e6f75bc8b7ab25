import { digestOf } from "../../canonical/digest.js";
import { ExoArmurError } from "../../errors.js";
import { meterRevision } from "../../wasm/fuel.js";
import { inspectModule } from "../../wasm/inspect.js";
import type { Reason } from "../../wasm/reasons.js";
import { type SealedModule, sealModule } from "../../wasm/seal.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput, writeOutput } from "../files.js";
import { executorName, type ModuleTerms, manifestReasons, readTerms } from "../module-terms.js";
import { formatCaps, formatHints, formatRatio, formatReasons, label } from "../module-text.js";
import { countOf, formatRows, printJson } from "../output.js";

/**
 * `meter IN.wasm -o OUT.wasm`: writes the sealed form of a module, or says every reason why it is refused (exit 1) and
 * writes nothing. EXO_USAGE, EXO_WASM_SIZE, EXO_FILE, EXO_HOME_READ_ONLY; EXO_JSON_*, EXO_SCHEMA for the manifest.
 */
export async function meter(context: CliContext, [path = "-"]: readonly string[], options: Options): Promise<ExitCode> {
  const out = textOption(options, "out") ?? "-";
  checkOut(context, out, hasFlag(options, "json"));
  const terms = await readTerms(context, options);
  const original = await readInput(context, path, inputs.module);
  const made = seal(original, terms);
  if (made.sealed === null) return refuseModule(context, { path, original, terms, reasons: made.reasons }, options);
  const { sealed } = made;
  if (out === "-") {
    context.stdout(sealed.bytes);
    return exitCodes.done;
  }
  await writeOutput(context, out, sealed.bytes, path);
  if (hasFlag(options, "json")) printJson(context, documentOf(original, terms, { sealed, path: out }, []));
  else context.stdout(formatSealed(path, out, original, sealed));
  return exitCodes.done;
}

/** Standard output holds the module or the report, and a terminal shows no bytes that a guest chose. */
function checkOut(context: CliContext, out: string, json: boolean): void {
  if (out !== "-") return;
  if (json) throw new ExoArmurError("EXO_USAGE", "--json and -o - both take standard output; name a file");
  if (context.isTTY.stdout) throw new ExoArmurError("EXO_USAGE", "a module is not written to a terminal; name a file");
}

type Made =
  | { readonly sealed: SealedModule; readonly reasons?: never }
  | { readonly sealed: null; readonly reasons: readonly Reason[] };

function seal(original: Uint8Array, terms: ModuleTerms): Made {
  const { capabilities, memoryPages, tableElements } = terms;
  const asked = { capabilities, memoryPages, tableElements };
  const sealed = sealModule(original, asked);
  const { digest, functions, reasons } = sealed.ok
    ? { digest: sealed.value.original, functions: sealed.value.exports, reasons: [] }
    : inspectModule(original, asked);
  const all = [...reasons, ...manifestReasons(terms, { digest, functions })];
  return sealed.ok && all.length === 0 ? { sealed: sealed.value } : { sealed: null, reasons: all };
}

type Refused = {
  readonly path: string;
  readonly original: Uint8Array;
  readonly terms: ModuleTerms;
  readonly reasons: readonly Reason[];
};

function refuseModule(context: CliContext, refused: Refused, options: Options): ExitCode {
  const { path, original, terms, reasons } = refused;
  if (hasFlag(options, "json")) {
    printJson(context, documentOf(original, terms, null, reasons));
    return exitCodes.refused;
  }
  const { capabilities, memoryPages, tableElements } = terms;
  const report = inspectModule(original, { capabilities, memoryPages, tableElements });
  const { missing } = report;
  const granting = missing.map((name) => `--capability ${name}`).join(" ");
  const rows = [...(granting === "" ? [] : [["option", granting]]), ["refused", countOf(reasons.length, "reason")]];
  const hints = formatHints(report, missing, terms, executorName(path, terms));
  context.stderr(`${hints}${formatRows(rows, label)}${formatReasons(reasons)}`);
  return exitCodes.refused;
}

function documentOf(
  original: Uint8Array,
  { memoryPages, tableElements }: ModuleTerms,
  made: { readonly sealed: SealedModule; readonly path: string } | null,
  reasons: readonly Reason[],
): object {
  const { length: size } = original;
  return {
    schema: "exoarmur.metered/v1",
    admitted: made !== null,
    original: { digest: digestOf(original), size },
    sealed: made === null ? null : { digest: made.sealed.digest, size: made.sealed.bytes.length, path: made.path },
    sizeRatio: made === null ? null : Number((made.sealed.bytes.length / size).toFixed(4)),
    meterRevision,
    caps: { memoryPages, tableElements },
    charges: made === null ? null : made.sealed.charges,
    reasons,
  };
}

function formatSealed(path: string, out: string, original: Uint8Array, sealed: SealedModule): string {
  const { charges } = sealed;
  return formatRows(
    [
      ["original", sealed.original, countOf(original.length, "byte"), path],
      [
        "sealed",
        sealed.digest,
        countOf(sealed.bytes.length, "byte"),
        formatRatio(sealed.bytes.length, original.length),
        out,
      ],
      ["meter", `revision ${sealed.meterRevision}`, formatCaps(sealed)],
      [
        "charges",
        countOf(charges.points, "point"),
        countOf(charges.dynamic, "dynamic charge"),
        countOf(charges.nans, "NaN repair"),
        countOf(charges.frames, "counted frame"),
      ],
    ],
    label,
  );
}
