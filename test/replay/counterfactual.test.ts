import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { answerDocument, readAnswerDocument } from "../../src/contracts/answer-document.js";
import { counterfactualSchema } from "../../src/contracts/counterfactual.js";
import { type Trust, trustSchema } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { AbiValue } from "../../src/ports.js";
import { redactBundle } from "../../src/proof/redact.js";
import { counterfactual, recordedAnswer } from "../../src/replay/counterfactual.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { realPool } from "../support/real.js";

const folder = new URL("../histories/bundle1-canonical1-meter1-abi1-policy1-safety1/", import.meta.url);
const history = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.proof.json`, folder)));
const trust: Trust = trustSchema.parse(JSON.parse(readFileSync(new URL("trust-70661de4.json", folder), "utf8")));
const sandbox = realPool({ size: 1 });

const ask = (name: string, document: unknown, seq = 0, trusted: Trust = trust) =>
  counterfactual(history(name), { sandbox, trust: trusted, seq, answer: readAnswerDocument(document) });
const file = (text: string) => ({ ok: { bytes: { $text: text }, size: encodeUtf8(text).length } });

describe("a host call that is answered otherwise", () => {
  it("gives what the plugin makes of it, beside the record, marked as what it is", async () => {
    const report = counterfactualSchema.parse(await ask("fs-read", file("another file\n")));
    expect(report).toMatchObject({
      counterfactual: true,
      override: { seq: 0, capability: "fs_read" },
      end: "output differs",
      execution: { recorded: { status: "completed", hostCalls: 1 }, replayed: { status: "completed", hostCalls: 1 } },
      divergence: { kind: "executor_output_mismatch" },
    });
    expect(report.override.given).not.toBe(report.override.recorded);
  });

  it("with the recorded answer is the recorded run", async () => {
    const { answer } = recordedAnswer(history("fs-read"), 0);
    const report = await ask("fs-read", answer);
    expect(report).toMatchObject({ end: "identical", divergence: null });
    expect(report.override.given).toBe(report.override.recorded);
    expect(report.execution.replayed).toEqual(report.execution.recorded);
  });

  it("may be an error: the guest ends as it would have", async () => {
    const report = await ask("fs-read", { error: { code: "EXO_FS_NOT_FOUND", message: "gone" } });
    expect(report).toMatchObject({ end: "ends otherwise", execution: { replayed: { status: "guest_error" } } });
  });

  it("cannot allow what the grants do not: an ok in place of a denial is a difference of its own", async () => {
    const report = await ask("capability-denied", file("secret"));
    expect(report.end).not.toBe("identical");
  });

  it("is the same on every run", async () => {
    const [one, other] = [await ask("fs-read", file("x")), await ask("fs-read", file("x"))];
    expect(one).toEqual(other);
  });

  it("is asked of an engine as well, which needs a sandbox", async () => {
    const [bytes, asked] = [history("fs-read"), { seq: 0, answer: file("x") }];
    const engine = new ReplayEngine({ sandbox, trust });
    expect(await engine.counterfactual(bytes, asked)).toEqual(await ask("fs-read", asked.answer));
    await expect(new ReplayEngine({ trust }).counterfactual(bytes, asked)).rejects.toMatchObject({
      code: "EXO_REPLAY_UNABLE",
    });
    await expect(engine.counterfactual(bytes, { seq: 0, answer: {} })).rejects.toMatchObject({ code: "EXO_OVERRIDE" });
  });

  it("is no evidence: its report is no bundle", async () => {
    const report = await ask("fs-read", file("x"));
    expect(verifyBundle(encodeUtf8(JSON.stringify(report)), { trust }).result).toBe("fail");
  });
});

describe("refused", () => {
  it.each([
    ["fs-read", 1, "EXO_OVERRIDE", "the run made 1 host calls, none numbered 1"],
    ["denied-by-rule", 0, "EXO_OVERRIDE", "the run made 0 host calls, none numbered 0"],
  ])("%s, host call %i", async (name, seq, code, message) => {
    await expect(ask(name, file("x"), seq)).rejects.toMatchObject({ code, message });
  });

  it("a record that does not verify, or under a trust file that does not know its keys", async () => {
    const bundle = JSON.parse(new TextDecoder().decode(history("fs-read"))) as { materials: Record<string, string> };
    const [digest = ""] = Object.keys(bundle.materials);
    bundle.materials[digest] = "AAAA";
    const { canonicalize } = await import("../../src/canonical/jcs.js");
    const answer = readAnswerDocument(file("x"));
    const options = { sandbox, trust, seq: 0, answer };
    await expect(counterfactual(canonicalize(bundle), options)).rejects.toMatchObject({ code: "EXO_CHECK_FAILED" });
    await expect(ask("fs-read", file("x"), 0, { ...trust, keys: [] })).rejects.toMatchObject({
      code: "EXO_CHECK_FAILED",
    });
    await expect(counterfactual(encodeUtf8("{}"), options)).rejects.toMatchObject({ code: "EXO_CHECK_FAILED" });
  });

  it("a run without host calls, and one whose calls are withheld", async () => {
    await expect(ask("timed-out", file("x"))).rejects.toMatchObject({ code: "EXO_OVERRIDE" });
    const withheld = redactBundle(history("fs-read"), { hide: ["host_call"] }).bytes;
    const missing = expect.objectContaining({ code: "EXO_MATERIAL_MISSING" });
    expect(() => recordedAnswer(withheld, 0)).toThrow(missing);
    const answer = readAnswerDocument(file("x"));
    await expect(counterfactual(withheld, { sandbox, trust, seq: 0, answer })).rejects.toEqual(missing);
  });
});

describe("an answer as a document", () => {
  const values: readonly AbiValue[] = [
    { ok: { bytes: encodeUtf8("text"), size: 4 } },
    { ok: { body: Uint8Array.of(0xff, 0, 1), headers: [["a", "b"]], status: 200, none: null, yes: true } },
    { error: { code: "EXO_FS_NOT_FOUND", message: "gone" } },
    { ok: {} },
  ];
  it.each(values)("%j comes back as the same bytes", (value) => {
    const read = readAnswerDocument(JSON.parse(JSON.stringify(answerDocument(value))));
    expect(decodeAbi(read.response)).toEqual(value);
    expect(read.response).toEqual(encodeAbi(value));
    expect(read.outcome).toBe(Object.keys(value as object)[0]);
  });

  it.each([
    [null],
    [[]],
    ["ok"],
    [{}],
    [{ ok: 1 }],
    [{ ok: { $text: "bytes are no map" } }],
    [{ ok: {}, error: { code: "A", message: "b" } }],
    [{ error: { code: "A" } }],
    [{ error: { code: "A", message: "b", more: 1 } }],
    [{ error: { code: 1, message: "b" } }],
    [{ other: {} }],
    [{ ok: { size: 2 ** 60 } }],
    [{ ok: { bytes: { $base64: "not base64" } } }],
    [{ ok: { text: "\ud800" } }],
  ])("%j is none", (document) => {
    expect(() => readAnswerDocument(document)).toThrow(expect.objectContaining({ code: "EXO_OVERRIDE" }));
  });
});
