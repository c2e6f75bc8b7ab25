import { test } from "vitest";
import { playLongMutants } from "../wasm/generate/long.js";

test("1,000,000 damaged modules are judged as the engine judges them, or as many as fit into 55 minutes", () => {
  playLongMutants(1_000_000, 3_300_000);
});
