import { test } from "vitest";
import { playLongRounds } from "../wasm/generate/long.js";

test("10,000 generated modules do what they did before sealing, or as many as fit into 55 minutes", () => {
  playLongRounds(10_000, 3_300_000);
});
