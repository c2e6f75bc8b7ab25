import { beforeAll, describe, expect, it } from "vitest";
import { formatTimeline } from "../../src/cli/timeline-text.js";
import type { Divergence } from "../../src/contracts/replay-report.js";
import type { Step, Story } from "../../src/replay/story/step.js";
import { tellStory } from "../../src/replay/story/story.js";
import { type Bundles, makeBundles } from "../support/bundles.js";

const divergence = (step: string, intentId: string): Divergence => ({
  ...{ level: "execution", step, kind: "host_call_mismatch", intentId, expected: "a", actual: "b" },
});
const callStep = (seq: number): Step => ({
  ...{
    kind: "call",
    title: "fs_read",
    summary: "ok",
    at: null,
    seq,
    fuel: seq * 1000,
    rows: [],
    blobs: [],
    checks: [],
  },
});
const storyOf = (calls: number): Story => ({
  ...{ intentId: "I", action: "x", target: null, actor: "a", verdict: "allow", ended: "completed" },
  steps: Array.from({ length: calls }, (_, seq) => callStep(seq)),
});
const lines = (text: string): string[] => text.trimEnd().split("\n");

describe("the timeline of a bundle", () => {
  let all: Bundles;
  beforeAll(async () => {
    all = await makeBundles();
  });
  const story = (ending: keyof Bundles["bytes"]): Story => {
    const told = tellStory(all.bytes[ending]);
    if (told === null) throw new Error("no story");
    return told;
  };

  it("has one line a step, with its time, rule and fuel", () => {
    expect(
      lines(formatTimeline(story("approvalDenied"), null, false)).map((line) => line.replace(/ {2,}/g, "  ")),
    ).toEqual([
      expect.stringMatching(/^ {2}2026-01-31 {2}step {2}fuel {2}[0-9A-Z]{26}$/),
      expect.stringMatching(/^ {2}09:00:0\d\.000 {2}Intent {2}fs\.remove {2}data\/b\.txt$/),
      expect.stringMatching(/Policy {2}require approval {2}remove-needs-two$/),
      expect.stringMatching(/Safety gate {2}allow {2}safe$/),
      expect.stringMatching(/Verdict {2}require approval {2}policy:remove-needs-two, safety:safe$/),
      expect.stringMatching(/Approval asked for {2}2 of \d+ {2}/),
      expect.stringMatching(/Approval denied {2}alice {2}not today$/),
      expect.stringMatching(/Denied {2}EXO_APPROVAL_DENIED/),
      expect.stringMatching(/Log {2}\d+ of \d+$/),
    ]);
  });

  it("marks the step at which the replay parted, in the story that it is about", () => {
    const { intentId } = story("executed");
    const marked = (step: string, id: string): string[] =>
      lines(formatTimeline(story("executed"), divergence(step, id), false)).filter((line) => line.startsWith(">"));
    expect(marked("fuel", intentId)).toEqual([expect.stringContaining("Completed")]);
    expect(marked("policy", intentId)).toEqual([expect.stringContaining("Policy")]);
    expect(marked("host call 0, request", intentId)).toEqual([expect.stringContaining("call 0")]);
    expect(marked("fuel", "another")).toEqual([]);
    expect(marked("no such step", intentId)).toEqual([]);
  });
});

describe("many host calls", () => {
  it("are shown at both ends, unless all are asked for", () => {
    const shown = lines(formatTimeline(storyOf(500), null, false));
    expect(shown).toHaveLength(1 + 5 + 1 + 5);
    expect(shown[6]).toContain("490 host calls");
    expect(shown[7]).toContain("call 495");
    expect(lines(formatTimeline(storyOf(500), null, true))).toHaveLength(501);
    expect(lines(formatTimeline(storyOf(10), null, false))).toHaveLength(11);
  });

  it("never hide the one that differs", () => {
    const shown = lines(formatTimeline(storyOf(500), divergence("host call 250, request", "I"), false));
    expect(shown.filter((line) => line.startsWith(">"))).toEqual([expect.stringContaining("call 250")]);
    expect(shown.filter((line) => line.includes("..."))).toHaveLength(2);
  });
});

it("what was recorded cannot steer a terminal", () => {
  const [step] = storyOf(1).steps;
  const hostile = { ...step, title: "\u001b[2Jfs_read", summary: "\u202eko" } as Step;
  const shown = formatTimeline({ ...storyOf(0), steps: [hostile] }, null, false);
  expect(shown).toContain("\\u001b[2Jfs_read");
  expect(shown).toContain("\\u202eko");
});
