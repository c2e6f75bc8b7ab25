/* oxlint-disable unicorn/no-thenable -- what looks like a promise is one of the cases */
import { describe, expect, it } from "vitest";
import { endOf } from "../../src/capabilities/abortable.js";
import { calm } from "./support.js";

describe("endOf", () => {
  it("gives values, of promises and of what only looks like one", async () => {
    expect(await endOf(() => 1, calm)).toEqual({ state: "value", value: 1 });
    expect(await endOf(() => Promise.resolve(2), calm)).toEqual({ state: "value", value: 2 });
    let release: (value: number) => void = () => undefined;
    // biome-ignore lint/suspicious/noThenProperty: this is the case under test
    const thenable = { then: (resolve: (value: number) => void) => (release = resolve) };
    const ended = endOf(() => thenable as unknown as Promise<number>, calm);
    await Promise.resolve();
    release(3);
    expect(await ended).toEqual({ state: "value", value: 3 });
  });

  it("keeps no error", async () => {
    const fail = (): never => {
      throw new Error("/home/secret");
    };
    expect(await endOf(fail, calm)).toEqual({ state: "thrown" });
    expect(await endOf(() => Promise.reject(new Error("/home/secret")), calm)).toEqual({ state: "thrown" });
  });

  it("does not start work after the signal", async () => {
    let started = 0;
    expect(await endOf(() => ++started, AbortSignal.abort())).toEqual({ state: "aborted" });
    expect(started).toBe(0);
  });

  it("sees an abort that comes while the work is started", async () => {
    const controller = new AbortController();
    const work = (): Promise<never> => {
      controller.abort();
      return new Promise<never>(() => undefined);
    };
    expect(await endOf(work, controller.signal)).toEqual({ state: "aborted" });
  });

  it("ignores a failure that comes late", async () => {
    const controller = new AbortController();
    let fail: (error: Error) => void = () => undefined;
    const ended = endOf(() => new Promise<never>((_resolve, reject) => (fail = reject)), controller.signal);
    controller.abort();
    expect(await ended).toEqual({ state: "aborted" });
    fail(new Error("late"));
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
});
