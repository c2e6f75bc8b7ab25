import { describe, expect, it } from "vitest";
import { listen } from "../../../src/cli/prove/stage.js";

describe("the listener that nothing may reach", () => {
  it("gives a stranger one word, counts who came, and is gone at the end", async () => {
    const listener = await listen();
    const place = `http://127.0.0.1:${listener.port}`;
    expect(listener.seen()).toBe(0);
    expect(await (await fetch(`${place}/home/keys/runtime.key`)).text()).toBe("inside");
    expect(listener.seen()).toBe(1);
    const sent = await fetch(place, { method: "POST", body: "x".repeat(1000) });
    expect([sent.status, await sent.text(), listener.seen()]).toEqual([200, "inside", 2]);
    await listener.close();
    await expect(fetch(place)).rejects.toThrow("fetch failed");
  });
});
