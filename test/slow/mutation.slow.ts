import { test } from "vitest";
import { playLongMutants } from "../wasm/generate/long.js";

test("damaged modules are judged as the engine judges them, 3 minutes", () => {
  playLongMutants(1_000_000, 180_000);
});
