import { expect, test } from "vitest";
import { readStream } from "../../src/canonical/read-stream.js";

function streamOf(chunks: readonly Uint8Array[], seen: { read: number; cancelled: boolean }) {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[seen.read++];
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel() {
      seen.cancelled = true;
    },
  });
}

const seen = () => ({ read: 0, cancelled: false });

test("all of it, up to the bound and at it", async () => {
  expect(await readStream(null, 0)).toEqual(new Uint8Array(0));
  expect(await readStream(streamOf([], seen()), 0)).toEqual(new Uint8Array(0));
  const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
  expect(await readStream(streamOf(parts, seen()), 3)).toEqual(Uint8Array.of(1, 2, 3));
});

test("more than the bound, by one byte or without end, is not read to its end", async () => {
  expect(await readStream(streamOf([Uint8Array.of(1, 2), Uint8Array.of(3, 4)], seen()), 3)).toBeUndefined();
  const watched = seen();
  const endless = Array.from({ length: 100 }, () => Uint8Array.of(1));
  expect(await readStream(streamOf(endless, watched), 3)).toBeUndefined();
  expect(watched.cancelled).toBe(true);
  expect(watched.read).toBeLessThan(10);
});

test("as many chunks as a peer likes", async () => {
  const chunk = Uint8Array.of(7);
  const chunks = Array.from({ length: 300_000 }, () => chunk);
  expect((await readStream(streamOf(chunks, seen()), 300_000))?.length).toBe(300_000);
});

test("a stream that breaks rejects with its own error", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("the line is down")),
  });
  await expect(readStream(broken, 10)).rejects.toThrow("the line is down");
});
