import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adviceOn, adviceSchema, nextStepsOf } from "../../src/contracts/advice.js";
import { executionStatuses } from "../../src/contracts/execution.js";
import { type ErrorCode, errorKind, errorTable } from "../../src/errors.js";
import { statusCodes } from "../../src/pipeline/outcome.js";

const codes = Object.keys(errorTable) as ErrorCode[];
const namesOf = (code: string) => nextStepsOf(code).map(({ step }) => step);

/** Files whose refusals end an intent, and the codes in them that are thrown at the caller or found before a run. */
const endingFiles = [
  "pipeline/submit",
  "pipeline/decide",
  "pipeline/denial",
  "pipeline/start",
  "pipeline/outcome",
  "pipeline/execute",
  "pipeline/registry",
  "pipeline/resolve-intent",
  "pipeline/attestations",
  "contracts/invocation",
  "contracts/json-schema-check",
  "approval/outdated",
  "approval/request",
  "capabilities/broker",
  "capabilities/grant-check",
  "sandbox/run",
];

const thrown = new Set([
  "EXO_APPROVAL_UNKNOWN",
  "EXO_APPROVAL_CLOSED",
  "EXO_APPROVAL_DUPLICATE",
  "EXO_APPROVAL_SPENT",
  "EXO_APPROVAL_APPROVER",
  "EXO_STORE_DAMAGED",
  "EXO_ENVELOPE",
  "EXO_TRUST",
]);

describe("next steps", () => {
  it.each(codes.filter((code) => ["denied", "execution"].includes(errorKind(code))))("%s has some", (code) => {
    expect(nextStepsOf(code).length).toBeGreaterThan(0);
  });

  it("every end of a run has some, and an unknown code none", () => {
    for (const status of executionStatuses) {
      if (status !== "completed") expect(nextStepsOf(statusCodes[status]).length).toBeGreaterThan(0);
    }
    expect(nextStepsOf("EXO_OF_A_LATER_BUILD")).toEqual([]);
    expect(nextStepsOf("toString")).toEqual([]);
  });

  it.each(endingFiles)("every code that %s refuses with has some", (file) => {
    const text = readFileSync(new URL(`../../src/${file}.ts`, import.meta.url), "utf8");
    const found = new Set([...text.matchAll(/"(EXO_[A-Z0-9_]+)"/g)].map(([, code = ""]) => code));
    for (const code of found) if (!thrown.has(code)) expect(namesOf(code), code).not.toEqual([]);
  });

  it.each(codes)("those of %s are what the contract says, in every end", (code) => {
    for (const end of ["denied", "failed", "in_doubt", "resolved"] as const) {
      for (const retrySafe of [true, false]) {
        const advice = adviceOn(end, { code, retrySafe });
        expect(adviceSchema.parse(advice)).toEqual(advice);
        expect(new Set(advice.nextSteps.map(({ step }) => step)).size).toBe(advice.nextSteps.length);
      }
    }
  });

  it("after a run that wrote before it failed, nobody is told to ask for the whole again", () => {
    const again = ["new_key", "send_again", "correct_request", "new_approval"];
    for (const code of codes) {
      const steps = adviceOn("failed", { code, retrySafe: false }).nextSteps.map(({ step }) => step);
      expect(steps[0]).toBe("check_effects");
      expect(steps.filter((step) => again.includes(step))).toEqual([]);
    }
    const safe = adviceOn("failed", { code: "EXO_TIMED_OUT", retrySafe: true });
    expect(safe.nextSteps.map(({ step }) => step)).toEqual(["wait", "new_key", "see_host"]);
  });

  it("an intent that has ended is not done again under its own key", () => {
    expect(namesOf("EXO_OVERLOADED")).toEqual(["wait", "send_again"]);
    const ended = adviceOn("failed", { code: "EXO_OVERLOADED", retrySafe: true });
    expect(ended.nextSteps.map(({ step }) => step)).toEqual(["wait", "new_key"]);
  });

  it("in doubt nobody repeats it; once resolved, only what was not executed", () => {
    const of = (end: "in_doubt" | "resolved", retrySafe: boolean) =>
      adviceOn(end, { code: "EXO_IN_DOUBT", retrySafe }).nextSteps.map(({ step }) => step);
    expect(of("in_doubt", false)).toEqual(["do_not_repeat", "resolve"]);
    expect(of("resolved", true)).toEqual(["new_key"]);
    expect(of("resolved", false)).toEqual(["read_outcome"]);
  });

  it("an approval could help where nothing else was lacking, and nowhere else", () => {
    const helped = codes.filter((code) => adviceOn("denied", { code, retrySafe: true }).approvalCouldHelp);
    expect(helped).toEqual(["EXO_APPROVAL_EXPIRED", "EXO_APPROVAL_STALE", "EXO_APPROVAL_ROSTER"]);
    for (const end of ["failed", "in_doubt", "resolved"] as const) {
      for (const code of codes) expect(adviceOn(end, { code, retrySafe: true }).approvalCouldHelp).toBe(false);
    }
  });

  it("a missing grant is named", () => {
    const denied = { capability: "fs_read", message: "fs_read is not granted" };
    expect(adviceOn("failed", { code: "EXO_CAPABILITY_DENIED", retrySafe: true }, denied).missing).toEqual(denied);
    expect(adviceOn("failed", { code: "EXO_CAPABILITY_DENIED", retrySafe: true })).not.toHaveProperty("missing");
  });
});
