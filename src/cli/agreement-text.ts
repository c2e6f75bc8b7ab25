import type { Agreement, AgreementVoice } from "../contracts/agreement.js";
import { ExoArmurError } from "../errors.js";
import { readDecimal } from "../log/checkpoint.js";
import { type Options, textOption } from "./action.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { formatTable } from "./output.js";

/** Exit codes of what many verifiers agree on: agreement on a failure is no success, and too little of it proves nothing. */
export const agreementCodes: Readonly<Record<Agreement["result"], ExitCode>> = {
  success: exitCodes.done,
  failure: exitCodes.refused,
  partial: exitCodes.unable,
  no_consensus: exitCodes.unable,
};

/** A count given as an option, 1 to `most`. EXO_USAGE. */
export function countOption(options: Options, name: string, most: number): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const count = readDecimal(text) ?? 0;
  if (count >= 1 && count <= most) return count;
  throw new ExoArmurError("EXO_USAGE", `--${name} expects a number from 1 to ${most}, got ${JSON.stringify(text)}`);
}

/** `--threshold`, else `usual`. EXO_USAGE. */
export function thresholdOption(options: Options, usual: number): number {
  return countOption(options, "threshold", 1000) ?? usual;
}

/** What many verifiers said, one line each and what differs below it, then what they agree on. */
export function formatAgreement(agreement: Agreement): string {
  const { voices, threshold, counts, result, resultDigest, trustMode } = agreement;
  const mode = trustMode === "pinned" ? "pinned" : "self-check only";
  const agreed = resultDigest === null ? "no consensus" : [result, mode, resultDigest].join("   ");
  const sum = `${counts.agrees} agree, ${counts.differs} differ, ${counts.refused} not counted; ${threshold} must agree`;
  return `${formatTable(voices.flatMap(rowsOf))}\nAgreement: ${agreed}\n${sum}\n`;
}

const stateWords = { agrees: "agrees", differs: "DIFFERS", refused: "NOT COUNTED" } as const;

function rowsOf(voice: AgreementVoice): string[][] {
  const { state, from, verifier, code, message, difference, divergence } = voice;
  const named = verifier === null || verifier === from ? from : `${from} (${verifier})`;
  const rows = [[stateWords[state], named, code === undefined ? message : `${code}: ${message}`]];
  if (state === "agrees") return rows;
  if (difference !== null) {
    rows.push(["", "", `${difference.what}: the others ${difference.expected}, here ${difference.actual}`]);
  }
  if (divergence !== null) rows.push(["", "", `its replay parted at ${divergence.step}: ${divergence.kind}`]);
  return rows;
}
