import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ReplayReport } from "../../src/contracts/replay-report.js";
import { divergingStep } from "../../src/replay/story/diverging-step.js";
import type { Step } from "../../src/replay/story/step.js";
import type { VerificationReport } from "../../src/verify/report.js";
import { type Findings, outcomeOf } from "../../src/web/outcome.js";

const pages = [
  ["verifier.html", 1_500_000, "'none'", "<!-- given -->\n<script>"],
  ["verifier-cedar.html", 7_000_000, "'none'", "<!-- given -->\n<script>"],
  ["console.html", 2_500_000, "'self'", "</script>\n<script>"],
] as const;
const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

describe.each(pages)("the built page %s", (name, maxBytes, connect, start) => {
  const page = readFileSync(new URL(`../../dist/web/${name}`, import.meta.url), "utf8");
  const inner = (start: string, end: string): string =>
    page.slice(page.indexOf(start) + start.length, page.indexOf(end));

  it("weighs less than it may and carries everything inside", () => {
    expect(Buffer.byteLength(page)).toBeLessThan(maxBytes);
    const shell = page.replace(/(<script[^>]*>)[\s\S]*?<\/script>/g, "$1");
    expect(shell.length).toBeLessThan(20_000);
    expect(shell).not.toMatch(/<(?:link|img|iframe|base|object)\b|<script[^>]+\bsrc=|@import|url\(|https?:/i);
    expect(shell.match(/<script[^>]*>/g)).toEqual(['<script type="text/plain" id="worker">', "<script>"]);
  });

  it("runs its one script and nothing else, and reaches nobody", () => {
    const script = inner(start, "</script>\n</body>");
    const style = inner("<style>", "</style>");
    expect(inner('Policy" content="', '">\n<meta name="viewport')).toBe(
      `default-src 'none'; script-src ${hash(script)} 'wasm-unsafe-eval'; style-src ${hash(style)}; worker-src blob:; ` +
        `connect-src ${connect}; img-src 'none'; base-uri 'none'; form-action 'none'`,
    );
  });
});

describe("the word at the top", () => {
  const verified = (result: VerificationReport["result"]) => ({ result, checks: [] }) as unknown as VerificationReport;
  const replayed = (result: ReplayReport["result"]) => ({ result, checks: [] }) as unknown as ReplayReport;
  const base: Findings = {
    name: "x",
    bytes: 1,
    trustName: null,
    verified: verified("pass"),
    call: false,
    story: null,
    replayed: replayed("success"),
    seen: [],
    digest: null,
    broken: null,
  };

  it.each<[string, Partial<Findings>, string]>([
    ["everything holds", {}, "pass"],
    ["nothing is known yet", { verified: null, replayed: null }, "checking"],
    ["not run again yet", { replayed: null }, "checking"],
    ["broken before anything", { verified: null, replayed: null, broken: "x" }, "unable"],
    ["broken while it runs again", { replayed: null, broken: "x" }, "unable"],
    ["broken after everything held", { broken: "x" }, "unable"],
    ["wrong, then broken", { verified: verified("fail"), replayed: null, broken: "x" }, "fail"],
    ["wrong, not yet run again", { verified: verified("fail"), replayed: null }, "fail"],
    ["runs again otherwise", { replayed: replayed("failure") }, "fail"],
    ["runs again in part", { replayed: replayed("partial") }, "unable"],
    ["no records", { replayed: replayed("no_audit_records") }, "unable"],
    ["a check could not be made", { verified: verified("unable") }, "unable"],
    ["another revision", { verified: verified("unsupported_revision") }, "unable"],
    ["a disclosed call", { call: true, replayed: null }, "pass"],
    ["a disclosed call, unable", { call: true, replayed: null, verified: verified("unable") }, "unable"],
  ])("%s", (_, change, word) => {
    expect(outcomeOf({ ...base, ...change })).toBe(word);
  });
});

describe("the step that a divergence is about", () => {
  const step = (kind: Step["kind"], seq: number | null, ...checks: string[]): Step => ({
    ...{ kind, seq, checks, title: "", summary: "", at: null, fuel: null, rows: [], blobs: [] },
  });
  const steps = [step("intent", null, "intent"), step("call", 0), step("call", 1), step("end", null, "execution")];
  const at = (name: string): number =>
    divergingStep(steps, {
      level: "execution",
      kind: "fuel_mismatch",
      intentId: null,
      expected: "",
      actual: "",
      step: name,
    });

  it.each([
    ["host call 1: fuel differs: expected 1, came 2", 2],
    ["host call 7", 3],
    ["fuel", 3],
    ["output", 3],
    ["execution", 3],
    ["intent", 0],
    ["format", -1],
  ])("%s", (name, index) => {
    expect(at(name)).toBe(index);
  });

  it("none without one", () => expect(divergingStep(steps, null)).toBe(-1));
});
