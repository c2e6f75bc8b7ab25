import type { ReplayReport } from "../contracts/replay-report.js";
import type { Story } from "../replay/story/step.js";
import type { VerificationReport } from "../verify/report.js";
import type { SeenStep, WorkerMessage } from "./messages.js";

/** What the page knows of the file it was given, and what it still waits for. */
export type Findings = {
  readonly name: string;
  readonly bytes: number;
  readonly trustName: string | null;
  readonly verified: VerificationReport | null;
  /** The file is one disclosed call: there is nothing to re-execute. */
  readonly call: boolean;
  readonly story: Story | null;
  readonly replayed: ReplayReport | null;
  readonly seen: readonly SeenStep[];
  readonly digest: string | null;
  /** Why the work ended early, in words; null while it goes on or when it is done. */
  readonly broken: string | null;
};

/** What is known of a file before anything was found. */
export function noFindings(name: string, bytes: number, trustName: string | null): Findings {
  const nothing = { verified: null, call: false, story: null, replayed: null, seen: [], digest: null, broken: null };
  return { ...nothing, name, bytes, trustName };
}

/** What is known once the worker has told one thing more. */
export function withMessage(findings: Findings, message: WorkerMessage): Findings {
  switch (message.kind) {
    case "verified":
      return { ...findings, verified: message.report, call: message.call };
    case "story":
      return { ...findings, story: message.story };
    case "replayed":
      return { ...findings, replayed: message.report, seen: message.seen, digest: message.digest };
    case "broken":
      return { ...findings, broken: message.message };
  }
}

/** The word at the top of the page. Never `pass` before everything that was asked for has been done and holds. */
export type Outcome = "checking" | "pass" | "fail" | "unable";

/** The outcome of everything found so far. What was proven wrong stays wrong, whatever breaks afterwards. */
export function outcomeOf({ verified, replayed, call, broken }: Findings): Outcome {
  if (verified?.result === "fail" || replayed?.result === "failure") return "fail";
  if (broken !== null) return "unable";
  if (verified === null || (replayed === null && !call)) return "checking";
  const held = verified.result === "pass" && (call || replayed?.result === "success");
  return held ? "pass" : "unable";
}
