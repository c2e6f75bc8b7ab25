import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { seal } from "../wasm/support.js";

declare const WebAssembly: Record<string, unknown>;

// Engines of later versions can suspend a guest. Where they can, the SDK puts HTTP requests of its own in the place of
// `extism:host/env` `http_request`, whatever the host gave it. It looks once, when it is loaded.
WebAssembly["promising"] = (fn: unknown) => fn;
WebAssembly["Suspending"] = function suspending(): unknown {
  return () => {
    throw new Error("the SDK's own request");
  };
};

it("the SDK's own HTTP requests reach no guest", async () => {
  const { runHere, bytes, text } = await import("./support.js");
  const wasm = new Uint8Array(readFileSync(new URL("../dropin/kernel-c.wasm", import.meta.url)));
  const outcome = await runHere(seal(wasm, { capabilities: ["http_request"] }), {
    function: "fetch",
    input: bytes(`{"url":"https://a.example/"}`),
    answer: () => ({
      kind: "answer",
      response: encodeAbi({ ok: { status: 200, headers: {}, body: bytes("the host's") } }),
    }),
  });
  expect(outcome).toMatchObject({ status: "completed", hostCalls: 1 });
  expect(text(outcome.output)).toMatch(/the host's$/);
});
