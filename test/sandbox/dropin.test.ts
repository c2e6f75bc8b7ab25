import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeAbi } from "../../src/canonical/msgpack.js";
import { capabilityNames } from "../../src/contracts/imports.js";
import type { GuestAnswer, GuestCall, SandboxOutcome } from "../../src/ports.js";
import { engine } from "../../src/sandbox/engine.js";
import type { SealedModule } from "../../src/wasm/seal.js";
import { seal } from "../wasm/support.js";
import { answer, answerWasi, firstMs } from "./imports/wasi-support.js";
import { bytes, runHere, text } from "./support.js";

// Guests as toolchains make them, from test/dropin/src by scripts/build-dropins.mjs.

const file = (name: string): Uint8Array => readFileSync(new URL(`../dropin/${name}`, import.meta.url));
const names = ["command-c", "kernel-c", "legacy-c", "wasi-c", "wasi-rust"] as const;
type Name = (typeof names)[number];

const sealed = new Map<Name, SealedModule>();
function load(name: Name): SealedModule {
  const known = sealed.get(name) ?? seal(file(`${name}.wasm`), { capabilities: capabilityNames, memoryPages: 256 });
  sealed.set(name, known);
  return known;
}

type Ran = { readonly outcome: SandboxOutcome; readonly output: string; readonly calls: readonly unknown[] };

async function run(
  name: Name,
  fn: string,
  input = "",
  serve: (call: GuestCall) => GuestAnswer = answerWasi,
): Promise<Ran> {
  const calls: GuestCall[] = [];
  const outcome = await runHere(load(name), { function: fn, input: bytes(input), answer: serve }, calls);
  return {
    outcome,
    output: text(outcome.output),
    calls: calls.map(({ capability, request }) => [capability, decodeAbi(request)]),
  };
}

describe("the modules", () => {
  it("are the ones digests.json names", () => {
    const digests = JSON.parse(text(file("digests.json"))) as Record<string, string>;
    expect(Object.keys(digests).sort()).toEqual(names.map((name) => `${name}.wasm`));
    for (const [name, digest] of Object.entries(digests)) {
      expect([name, digest]).toEqual([name, `sha256:${createHash("sha256").update(file(name)).digest("hex")}`]);
    }
  });

  it("import under one name each once they are sealed, and nothing that a loader has of its own", () => {
    const original = (name: Name): string[] => [...new Set(load(name).imports.map(({ module }) => module))].sort();
    const linked = (name: Name): string[] => {
      const module = new engine.Module(load(name).bytes);
      return [...new Set(engine.Module.imports(module).map((item) => `${item.module} ${item.name}`))].sort();
    };
    expect(original("legacy-c")).toEqual(["env"]);
    expect(original("kernel-c")).toEqual(["extism:host/env"]);
    expect(original("wasi-c")).toEqual(["extism:host/env", "wasi_snapshot_preview1"]);
    expect(linked("legacy-c")).toEqual(linked("kernel-c"));
    expect(linked("kernel-c").slice(0, 4)).toEqual([
      "exo:http http_headers",
      "exo:http http_request",
      "exo:http http_status_code",
      "extism:host/env alloc",
    ]);
    for (const name of names) {
      expect(
        linked(name).filter((item) => !/^(?:exo:http|exo:wasi_preview1|extism:host\/env) [a-z0-9_]+$/.test(item)),
      ).toEqual([]);
      expect(linked(name).some((item) => /^extism:host\/env (?:http_|extism_)/.test(item))).toBe(false);
    }
  });
});

describe("Extism's own imports, from C", () => {
  const serve = (call: GuestCall): GuestAnswer =>
    call.capability === "http_request"
      ? answer({ ok: { status: 201, headers: { "x-id": "7" }, body: bytes("made") } })
      : answerWasi(call);

  it("keep variables, have no configuration, write the log", async () => {
    const { outcome, output, calls } = await run("kernel-c", "state");
    expect(outcome.status).toBe("completed");
    expect(output).toBe("before:0 then:valuevalue deleted:0 config:0");
    expect(calls).toEqual([
      ["log", { level: "info", message: "state was kept" }],
      ["log", { level: "error", message: "and deleted" }],
    ]);
  });

  it("ask for http", async () => {
    const document = `{"url":"https://a.example/x","method":"POST","headers":{"X-A":"1"}}#sent`;
    const { output, calls } = await run("kernel-c", "fetch", document, serve);
    expect(output).toBe(`0 0 201 {"x-id":"7"} again gone made`);
    expect(calls).toEqual([
      [
        "http_request",
        { method: "POST", url: "https://a.example/x", headers: { "x-a": "1" }, body: new Uint8Array(bytes("sent")) },
      ],
    ]);
  });

  it("do the same under their old names, for the same fuel", async () => {
    for (const [fn, input] of [
      ["state", ""],
      ["fetch", `{"url":"https://a.example/x"}`],
      ["fetch", "broken"],
    ] as const) {
      expect(await run("legacy-c", fn, input, serve)).toEqual(await run("kernel-c", fn, input, serve));
    }
  });
});

describe("WASI, from C", () => {
  it("reads the recorded clock and randomness, and writes to the log", async () => {
    const { outcome, output, calls } = await run("wasi-c", "stamp");
    expect(outcome.status).toBe("completed");
    const seconds = Math.floor(firstMs / 1000);
    expect(output).toBe(`${seconds} ${seconds}.128 02030405060708090a0b0c0d0e0f1011`);
    expect(calls).toEqual([
      ["clock_now", {}],
      ["clock_now", {}],
      ["random_bytes", { length: 16 }],
      ["log", { level: "info", message: `stamped ${output}` }],
      ["log", { level: "warn", message: "on the other stream" }],
    ]);
  });

  it("finds no environment, input, files or timers", async () => {
    const { output } = await run("wasi-c", "outside");
    // 76 is the library's own ENOTCAPABLE: it has no directory to ask in.
    expect(output).toBe("env:0 stdin:0 open:76 stat:76 mkdir:76 tty:111 seek:70 sleep:58");
  });

  it("says long lines in pieces, and what has no end at the end", async () => {
    const { calls } = await run("wasi-c", "chatter");
    const said = calls.slice(1) as [string, { level: string; message: string }][];
    expect(said.map(([, { level, message }]) => [level, message.length, message.slice(0, 10)])).toEqual([
      ["warn", 4096, "xxxxxxxxxx"],
      ["warn", 4096, "xxxxxxxxxx"],
      ["warn", 1808, "xxxxxxxxxx"],
    ]);
  });

  it("exits: with 0 as completed, with the output", async () => {
    expect(await run("wasi-c", "leave")).toMatchObject({ outcome: { status: "completed" }, output: "before the exit" });
    expect((await run("wasi-c", "leave", "3")).outcome).toMatchObject({
      status: "guest_error",
      error: { code: "EXO_GUEST_ERROR", message: "the guest called proc_exit(3)" },
    });
  });

  it("runs commands by _start", async () => {
    const main = [["log", { level: "info", message: "main with 0 arguments" }]];
    expect(await run("command-c", "_start")).toMatchObject({
      outcome: { status: "completed" },
      output: "from main",
      calls: main,
    });
    expect(await run("command-c", "_start", "7")).toMatchObject({
      outcome: { status: "guest_error", error: { message: "the guest called proc_exit(7)" } },
      calls: main,
    });
  });

  it("without the clock and randomness fails as the library has it", async () => {
    const denied = answer({ error: { code: "EXO_CAPABILITY_DENIED", message: "no" } });
    const { outcome } = await run("wasi-c", "stamp", "", () => denied);
    expect(outcome).toMatchObject({ status: "guest_error", error: { code: "EXO_GUEST_ERROR" } });
  });
});

describe("WASI, from Rust", () => {
  it("keys its maps from the recorded randomness", async () => {
    const first = await run("wasi-rust", "stamp");
    expect(first.outcome.status).toBe("completed");
    expect(first.output).toMatch(/^1769850000133 (?:one|two|three|four|five)(?:,\w+){4}$/);
    expect(first.calls).toEqual([
      ["clock_now", {}],
      ["random_bytes", { length: 16 }],
      ["clock_now", {}],
      ["log", { level: "info", message: "5 words" }],
      ["clock_now", {}],
      ["log", { level: "warn", message: "waited 20ms" }],
    ]);
    expect(await run("wasi-rust", "stamp")).toEqual(first);
    const orders = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const serve = (call: GuestCall): GuestAnswer =>
        call.capability === "random_bytes"
          ? answer({ ok: { bytes: new Uint8Array(16).fill(seed) } })
          : answerWasi(call);
      orders.add((await run("wasi-rust", "stamp", "", serve)).output);
    }
    expect(orders.size).toBeGreaterThan(3);
  });

  it("finds no files, variables, arguments or input", async () => {
    const { output, calls } = await run("wasi-rust", "outside", "abc");
    expect(output).toBe("file:true vars:0 args:0 read:0 input:3");
    expect(calls).toEqual([]);
  });

  it("panics into the log and a trap", async () => {
    const { outcome, calls } = await run("wasi-rust", "fail");
    expect(outcome).toMatchObject({ status: "trapped", error: { code: "EXO_TRAPPED" } });
    expect(calls[0]).toEqual([
      "log",
      { level: "warn", message: "thread '<unnamed>' panicked at 'on purpose', src/wasi-rust.rs:53:5" },
    ]);
  });
});
