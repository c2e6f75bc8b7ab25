import { expect, it } from "vitest";
import {
  createClockPerformer,
  createLogPerformer,
  createRandomPerformer,
} from "../../../src/capabilities/performers/local.js";
import type { Performer } from "../../../src/ports.js";
import { calm } from "../support.js";

function loggedBy(level: string, message: string): readonly unknown[] {
  const lines: unknown[] = [];
  const { log } = createLogPerformer({ log: (...line) => void lines.push(line) });
  expect(log.perform({ level, message }, {}, calm)).toEqual({ outcome: "ok", value: {} });
  return lines;
}

it("answers the clock's time", () => {
  const { clock_now } = createClockPerformer({ now: () => 1_767_225_600_000 });
  expect(clock_now.perform({}, {}, calm)).toEqual({ outcome: "ok", value: { ms: 1_767_225_600_000 } });
});

it("answers as many random bytes as asked for", () => {
  const random: Performer = createRandomPerformer({ bytes: (length) => new Uint8Array(length).fill(7) }).random_bytes;
  expect(random.perform({ length: 3 }, {}, calm)).toEqual({ outcome: "ok", value: { bytes: Uint8Array.of(7, 7, 7) } });
});

it("logs the guest's line as data, never as the message", () => {
  expect(loggedBy("warn", "%s hello")).toEqual([["warn", "guest log", { message: "%s hello" }]]);
  expect(loggedBy("trace", "x")).toEqual([["debug", "guest log", { message: "x" }]]);
});

it("cuts long lines at a whole character and shows what steers a terminal", () => {
  expect(loggedBy("info", `${"x".repeat(1023)}😀`)).toEqual([["info", "guest log", { message: "x".repeat(1023) }]]);
  expect(loggedBy("info", "a\u001b[2J\n\u009b\u202eb")).toEqual([
    ["info", "guest log", { message: "a\\u001b[2J\\u000a\\u009b\\u202eb" }],
  ]);
});
