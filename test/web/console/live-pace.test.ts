import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { paceOf } from "../../../src/web/console/live-pace.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A pace on the faked clock, and how often it showed. */
const paced = () => {
  const show = vi.fn<() => void>();
  return { show, pace: paceOf(show, () => Date.now()) };
};

it("a change is shown soon, many at once together", () => {
  const { show, pace } = paced();
  for (let each = 0; each < 100; each++) pace.touch();
  expect(show).not.toHaveBeenCalled();
  vi.advanceTimersByTime(300);
  expect(show).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(show).toHaveBeenCalledTimes(1);
});

it("a stream of changes is shown every five seconds, its last one too", () => {
  const { show, pace } = paced();
  for (let ms = 0; ms < 20_000; ms += 100) {
    pace.touch();
    vi.advanceTimersByTime(100);
  }
  expect(show).toHaveBeenCalledTimes(4);
  vi.advanceTimersByTime(5000);
  expect(show).toHaveBeenCalledTimes(5);
});

it("a clock that was put back delays nothing for longer", () => {
  let now = 1_000_000;
  const show = vi.fn<() => void>();
  const pace = paceOf(show, () => now);
  pace.touch();
  vi.advanceTimersByTime(300);
  now = 0;
  pace.touch();
  vi.advanceTimersByTime(5000);
  expect(show).toHaveBeenCalledTimes(2);
});

it("nothing is shown once it is stopped", () => {
  const { show, pace } = paced();
  pace.touch();
  pace.stop();
  vi.advanceTimersByTime(60_000);
  expect(show).not.toHaveBeenCalled();
});
