import { expect, it } from "vitest";
import { createTurns } from "../../../../src/capabilities/performers/fs/turns.js";

/** Work that records when it begins, and ends when it is told to. */
function started(log: string[], name: string): { readonly work: () => Promise<string>; readonly end: () => void } {
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    work: async () => {
      log.push(name);
      await over;
      return name;
    },
    end: () => end(),
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("runs what shares a key one after the other, in order, and the rest at once", async () => {
  const turns = createTurns();
  const log: string[] = [];
  const [a, b, c, other] = [started(log, "a"), started(log, "b"), started(log, "c"), started(log, "other")];
  const all = [turns(["x"], a.work), turns(["x", "y"], b.work), turns(["y"], c.work), turns(["z"], other.work)];
  await settled();
  expect(log).toEqual(["a", "other"]);
  c.end();
  a.end();
  await settled();
  expect(log).toEqual(["a", "other", "b"]);
  b.end();
  other.end();
  expect(await Promise.all(all)).toEqual(["a", "b", "c", "other"]);
  expect(log).toEqual(["a", "other", "b", "c"]);
});

it("goes on after work that failed", async () => {
  const turns = createTurns();
  const failed = turns(["x"], () => Promise.reject(new Error("broken")));
  const next = turns(["x"], () => Promise.resolve("next"));
  await expect(failed).rejects.toThrow("broken");
  expect(await next).toBe("next");
});

it("never has two wait for each other", async () => {
  const turns = createTurns();
  const order: number[] = [];
  const work = Array.from({ length: 50 }, (_, i) =>
    turns(i % 2 === 0 ? ["x", "y"] : ["y", "x"], async () => {
      await settled();
      order.push(i);
    }),
  );
  await Promise.all(work);
  expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
});
