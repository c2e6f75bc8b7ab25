import { expect, it } from "vitest";
import { openProcessPool } from "../../src/sandbox/pool.js";
import { expectSteady, runHostile } from "../sandbox/hostile.js";
import { createPool, processUrl } from "../sandbox/support.js";

it.each([
  ["threads", 5000, () => Promise.resolve(createPool({ size: 2 }))],
  ["processes", 1000, () => openProcessPool({ processUrl, size: 2 })],
] as const)("%s survive %i hostile plugins in a row with steady memory", async (name, plugins, open) => {
  const pool = await open();
  try {
    const growth = await runHostile(pool, plugins);
    console.log(name, plugins, "hostile plugins; grown in MiB:", growth);
    expectSteady(growth);
    expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
  } finally {
    await pool.close();
  }
});
