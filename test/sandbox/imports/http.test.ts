import { describe, expect, it } from "vitest";
import { decodeAbi } from "../../../src/canonical/msgpack.js";
import type { AbiValue, GuestAnswer, GuestCall, SandboxJob, SandboxOutcome } from "../../../src/ports.js";
import { assemble, seal } from "../../wasm/support.js";
import { bytes, runHere, text } from "../support.js";
import { answer } from "./wasi-support.js";

/** Imports, helpers and a function `run` whose body has the whole input in the block `$in`. */
function httpGuest(body: string): SandboxJob["module"] {
  const env = (name: string, type: string): string => `(import "extism:host/env" "${name}" (func $${name} ${type}))`;
  const source = `(module
    ${env("http_request", "(param i64 i64) (result i64)")}
    ${env("http_status_code", "(result i32)")}
    ${env("http_headers", "(result i64)")}
    ${env("input_offset", "(result i64)")}
    ${env("alloc", "(param i64) (result i64)")}
    ${env("free", "(param i64)")}
    ${env("length", "(param i64) (result i64)")}
    ${env("store_u8", "(param i64 i32)")}
    ${env("store_u64", "(param i64 i64)")}
    ${env("output_set", "(param i64 i64)")}
    (func $all (param $block i64) (call $output_set (local.get $block) (call $length (local.get $block))))
    (func $number (param $n i64) (local $block i64)
      (local.set $block (call $alloc (i64.const 8)))
      (call $store_u64 (local.get $block) (local.get $n)) (call $all (local.get $block)))
    (func $ask (result i64) (call $http_request (call $input_offset) (i64.const 0)))
    (func (export "run") (result i32) (local $a i64) (local $b i64) (local $i i32) ${body} (i32.const 0)))`;
  return seal(assemble(source), { capabilities: ["http_request"] });
}

const fine = { ok: { status: 200, headers: { "x-b": "2", "content-type": "text/plain" }, body: bytes("hello") } };

/** Runs with the document as input; `calls` collects the requests. */
async function run(
  body: string,
  document: string | Uint8Array,
  given: AbiValue = fine,
  calls: GuestCall[] = [],
): Promise<SandboxOutcome> {
  const input = typeof document === "string" ? bytes(document) : document;
  return runHere(httpGuest(body), { input, answer: (): GuestAnswer => answer(given) }, calls);
}

const wanted = `{"url":"https://a.example/x"}`;
const echo = "(call $all (call $ask))";

describe("the request", () => {
  const requestOf = async (document: string): Promise<unknown> => {
    const calls: GuestCall[] = [];
    const outcome = await run(echo, document, fine, calls);
    expect(outcome).toMatchObject({ status: "completed", hostCalls: 1 });
    expect(calls[0]?.capability).toBe("http_request");
    return decodeAbi(calls[0]?.request ?? new Uint8Array(0));
  };
  const url = "https://a.example/x";
  const body = new Uint8Array(0);

  it("is the capability's, whatever way a PDK writes it", async () => {
    expect(await requestOf(wanted)).toEqual({ method: "GET", url, headers: {}, body });
    expect(await requestOf(`{"url":"${url}","method":null,"headers":{}}`)).toEqual({
      method: "GET",
      url,
      headers: {},
      body,
    });
    expect(await requestOf(`{"method":"pOsT","header":{"X-A":"1","b":"2"},"url":"${url}"}`)).toEqual({
      method: "POST",
      url,
      headers: { "x-a": "1", b: "2" },
      body,
    });
  });

  it("is judged by the capability, not here", async () => {
    expect(await requestOf(`{"url":"","method":"ſ","headers":{"K":5}}`)).toEqual({
      method: "ſ",
      url: "",
      headers: { k: 5 },
      body,
    });
  });

  it.each([
    ["no JSON", "url"],
    ["an array", `["${url}"]`],
    ["text", `"${url}"`],
    ["no URL", `{"method":"GET"}`],
    ["a URL that is no text", `{"url":1}`],
    ["a method that is no text", `{"url":"${url}","method":1}`],
    ["headers that are a list", `{"url":"${url}","headers":[]}`],
    ["headers that are text", `{"url":"${url}","headers":"x"}`],
    ["headers and header", `{"url":"${url}","headers":{},"header":{}}`],
    ["deeper headers", `{"url":"${url}","headers":{"a":["b"]}}`],
    ["a member of no meaning", `{"url":"${url}","body":"x"}`],
    ["a member twice", `{"url":"${url}","url":"${url}"}`],
    ["a byte order mark", `\ufeff${wanted}`],
    ["more than 32 KiB", `{"url":"${url}","method":"${"G".repeat(32_768)}"}`],
    ["nothing", ""],
  ])("that is %s ends the run, and nothing is asked", async (_, document) => {
    const calls: GuestCall[] = [];
    const outcome = await run(echo, document, fine, calls);
    expect(outcome).toMatchObject({
      status: "guest_error",
      error: {
        code: "EXO_GUEST_ERROR",
        message: "http_request expects {url, method?, headers?}: text, text, and an object of texts",
      },
    });
    expect(calls).toEqual([]);
  });

  it("with bytes that are not UTF-8 ends the run", async () => {
    expect(await run(echo, Uint8Array.of(0x7b, 0xff, 0x7d))).toMatchObject({ status: "guest_error", hostCalls: 0 });
  });

  it("with a header twice, by whatever case, ends the run", async () => {
    const outcome = await run(echo, `{"url":"${url}","headers":{"A":"1","a":"2"}}`);
    expect(outcome.error?.message).toBe("http_request expects every header once");
  });

  it("at a wild address is out of bounds", async () => {
    for (const arguments_ of ["(i64.const 5) (i64.const 0)", "(call $input_offset) (i64.const 5)"]) {
      const outcome = await run(`(drop (call $http_request ${arguments_}))`, wanted);
      expect(outcome).toMatchObject({ status: "trapped", error: { code: "EXO_KERNEL_BOUNDS" }, hostCalls: 0 });
    }
  });

  it("and the body are freed", async () => {
    const body_ = `(local.set $a (call $alloc (i64.const 3)))
      (drop (call $http_request (call $input_offset) (local.get $a)))
      (call $number (i64.add (call $length (local.get $a)) (call $input_offset)))`;
    const calls: GuestCall[] = [];
    const outcome = await run(body_, `{"url":"${url}","method":"PUT"}`, fine, calls);
    expect(outcome.output).toEqual(new Uint8Array(8));
    expect(decodeAbi(calls[0]?.request ?? new Uint8Array(0))).toMatchObject({ body: new Uint8Array(3) });
  });
});

describe("the answer", () => {
  it("is a body, a status and headers", async () => {
    expect(text((await run(echo, wanted)).output)).toBe("hello");
    expect(
      (await run("(drop (call $ask)) (return (i32.ne (call $http_status_code) (i32.const 200)))", wanted)).status,
    ).toBe("completed");
    expect(text((await run("(drop (call $ask)) (call $all (call $http_headers))", wanted)).output)).toBe(
      `{"content-type":"text/plain","x-b":"2"}`,
    );
  });

  it("without a body is address 0", async () => {
    const empty = { ok: { status: 204, headers: {}, body: new Uint8Array(0) } };
    expect((await run("(call $number (call $ask))", wanted, empty)).output).toEqual(new Uint8Array(8));
  });

  it("is nothing before the first request", async () => {
    const body = "(call $number (i64.add (i64.extend_i32_u (call $http_status_code)) (call $http_headers)))";
    expect((await run(body, wanted)).output).toEqual(new Uint8Array(8));
  });

  it("has its headers in one block, which is gone when it is freed", async () => {
    const same = "(if (i64.ne (call $http_headers) (call $http_headers)) (then unreachable))";
    const gone =
      "(call $free (call $http_headers)) (if (i64.ne (call $http_headers) (i64.const 0)) (then unreachable))";
    expect((await run(`(drop (call $ask)) ${same} ${gone}`, wanted)).status).toBe("completed");
    expect(
      (await run("(drop (call $ask)) (call $free (call $http_headers)) (call $all (call $http_headers))", wanted))
        .output,
    ).toEqual(new Uint8Array(0));
  });

  it("costs a guest that asks for headers a million times no memory", async () => {
    const ask = `(drop (call $ask)) (loop $l (drop (call $http_headers)) (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 100000))))`;
    expect(await run(ask, wanted)).toMatchObject({ status: "completed", hostCalls: 1 });
  });

  it.each([
    ["denied", { error: { code: "EXO_CAPABILITY_DENIED", message: "not there" } }, "EXO_CAPABILITY_DENIED: not there"],
    ["an error", { error: { code: "EXO_EFFECT_UNKNOWN", message: "x" } }, "EXO_EFFECT_UNKNOWN: x"],
    ["no status", { ok: { headers: {}, body: new Uint8Array(0) } }, "EXO_HOST_FAULT: the answer has no form"],
    [
      "a status of 99",
      { ok: { status: 99, headers: {}, body: new Uint8Array(0) } },
      "EXO_HOST_FAULT: the answer has no form",
    ],
    [
      "a status of 1000",
      { ok: { status: 1000, headers: {}, body: new Uint8Array(0) } },
      "EXO_HOST_FAULT: the answer has no form",
    ],
    [
      "a fraction for a status",
      { ok: { status: 200.5, headers: {}, body: new Uint8Array(0) } },
      "EXO_HOST_FAULT: the answer has no form",
    ],
    ["no headers", { ok: { status: 200, body: new Uint8Array(0) } }, "EXO_HOST_FAULT: the answer has no form"],
    [
      "headers of numbers",
      { ok: { status: 200, headers: { a: 1 }, body: new Uint8Array(0) } },
      "EXO_HOST_FAULT: the answer has no form",
    ],
    ["a body of text", { ok: { status: 200, headers: {}, body: "x" } }, "EXO_HOST_FAULT: the answer has no form"],
    ["no body", { ok: { status: 200, headers: {} } }, "EXO_HOST_FAULT: the answer has no form"],
    ["no form", {}, "EXO_HOST_FAULT: the answer has no form"],
  ])("that is %s ends the run as a guest error", async (_, given, message) => {
    const outcome = await run(`${echo} unreachable`, wanted, given);
    expect(outcome).toMatchObject({
      status: "guest_error",
      error: { code: "EXO_GUEST_ERROR", message: `http_request: ${message}` },
      hostCalls: 1,
    });
  });

  it("that does not fit is out of memory", async () => {
    const large = { ok: { status: 200, headers: {}, body: new Uint8Array(2_000_000) } };
    expect(await run(echo, wanted, large)).toMatchObject({ status: "out_of_memory" });
    const headers = { ok: { status: 200, headers: { a: "x".repeat(1_048_570) }, body: new Uint8Array(0) } };
    expect(await run("(drop (call $ask)) (drop (call $http_headers))", wanted, headers)).toMatchObject({
      status: "out_of_memory",
    });
  });

  it("counts as a host call", async () => {
    const outcome = await runHere(httpGuest(echo), { input: bytes(wanted), limits: { hostCalls: 0 } });
    expect(outcome).toMatchObject({ status: "host_call_limit", hostCalls: 0 });
  });
});
