import type { JsonValue } from "../../canonical/jcs.js";
import { countOf, formatCount, formatRows, formatTable } from "../output.js";
import type { TrialCall, TrialEnd } from "./trial.js";

const label = 10;

/** What is known of a trial beside its end: `hello@0.1.0 greet`, and how long it took. */
export type TrialFacts = { readonly executor: string; readonly milliseconds: number };

/** A trial for people: how it ended, every host call on a line, the output last. */
export function formatTrial(end: TrialEnd, { executor, milliseconds }: TrialFacts): string {
  if (end.refused !== null) return formatRows([["refused", end.refused.code, executor, end.refused.message]], label);
  const { status, error, fuel, memoryPeakPages, calls, output } = end;
  const figures = [
    `${formatCount(fuel.used)} of ${formatCount(fuel.limit)} fuel`,
    `${countOf(memoryPeakPages, "page")} of memory`,
    countOf(calls.length, "host call"),
    `${Math.round(milliseconds)} ms`,
  ];
  const failed = error === null ? [] : [["error", error.code, error.message]];
  const hints = [
    ...new Set(calls.filter(({ outcome }) => outcome === "denied").map(({ capability }) => hintOf(capability))),
  ];
  const shown = output === undefined ? [] : [["output", oneLine(output)]];
  return [
    formatRows([[status, executor, ...figures]], label),
    calls.length === 0 ? "" : formatTable(calls.map(callCells)),
    formatRows(
      [
        ...failed,
        ...hints.map((hint) => ["grant", hint]),
        ...shown,
        ["recorded", "nothing: a trial has no home, no policy and no log"],
      ],
      label,
    ),
  ].join("");
}

function callCells({
  seq,
  capability,
  outcome,
  about,
  requestBytes,
  responseBytes,
  assurance,
  error,
}: TrialCall): string[] {
  const sizes = `${formatCount(requestBytes)} bytes out, ${formatCount(responseBytes)} in`;
  // A denial's message stands below, where the run says why it ended.
  const said = error === null ? "" : outcome === "denied" ? error.code : `${error.code}: ${error.message}`;
  const cells = [capability, outcome, sizes, assuranceName(assurance), [about, said].filter(Boolean).join("   ")];
  return [`call ${seq}`.padEnd(label), ...cells];
}

function assuranceName(assurance: TrialCall["assurance"]): string {
  if (typeof assurance === "string") return assurance;
  return "tls" in assurance ? `tls ${assurance.tls.spkiDigest.slice(0, 19)}...` : `signed by ${assurance.signed.keyId}`;
}

/** Text as it is, everything else as JSON. */
function oneLine(output: JsonValue): string {
  return typeof output === "string" ? output : JSON.stringify(output);
}

/** The `--grant` that a denied call needs, by the beginning of its capability's name. */
const grantForms: readonly (readonly [start: string, form: string])[] = [
  ["fs_", "--grant fs=FOLDER, with :rw at its end to write"],
  ["http_", "--grant http=URL"],
  ["kv_", "--grant kv"],
  ["clock_", "--grant clock"],
  ["random_", "--grant random"],
];

function hintOf(capability: string): string {
  const form = grantForms.find(([start]) => capability.startsWith(start))?.[1] ?? "";
  return `${form}; the manifest must ask for ${capability}, and the function's effects allow it`;
}
