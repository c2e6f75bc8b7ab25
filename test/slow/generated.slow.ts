import { test } from "vitest";
import { playLongRounds } from "../wasm/generate/long.js";

test("2,000 generated modules do what they did before sealing, or as many as fit into 10 minutes", () => {
  playLongRounds(2000, 600_000);
});
