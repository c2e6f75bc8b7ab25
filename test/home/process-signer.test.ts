import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { verifyEd25519 } from "../../src/crypto/ed25519.js";
import { decodeHex, encodeUtf8 } from "../../src/crypto/encoding.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { openProcessSigner, type ProcessSigner, type ProcessSignerOptions } from "../../src/home/process-signer.js";
import { isGone } from "../support/processes.js";
import { faultOf, freshFolder } from "./support.js";

const PROGRAM = fileURLToPath(new URL("../fixtures/signer-child.mjs", import.meta.url));
const SEED = "07".repeat(32);
const expected = signerFromSeed(decodeHex(SEED) ?? new Uint8Array());
const other = signerFromSeed(decodeHex("ee".repeat(32)) ?? new Uint8Array());
/** A machine may be slow to start a program; only tests of the wait wait less. */
const PATIENT = 50_000;

const opened: ProcessSigner[] = [];
afterEach(async () => {
  for (const signer of opened.splice(0)) await signer.close();
});

/** A program that behaves so in each of its runs, and what its runs were. */
function program(moods: string, more: Partial<ProcessSignerOptions> = {}) {
  const cwd = freshFolder();
  const state = join(cwd, "runs");
  const options: ProcessSignerOptions = {
    role: "runtime",
    command: [process.execPath, PROGRAM, SEED, state, moods],
    cwd,
    env: {},
    timeoutMs: PATIENT,
    restMs: PATIENT,
    ...more,
  };
  const open = async (): Promise<ProcessSigner> => {
    const signer = await openProcessSigner(options);
    opened.push(signer);
    return signer;
  };
  const runs = (): { pid: number; env: string[] }[] =>
    readFileSync(state, "utf8")
      .trim()
      .split("\n")
      .map((line) => ({ pid: Number(line.split(" ")[0]), env: line.split(" ").slice(1) }));
  return { open, runs };
}

const message = encodeUtf8("a statement");
describe("a signer program", () => {
  it("signs, is kept, gets a clean environment, and is gone after close", async () => {
    const { open, runs } = program("ok", { env: { GIVEN: "1" } });
    const signer = await open();
    expect([signer.keyId, signer.publicKey]).toEqual([expected.keyId, expected.publicKey]);
    for (const text of ["", "one", "two"]) {
      const bytes = encodeUtf8(text);
      expect(await signer.sign(bytes)).toEqual(await expected.sign(bytes));
    }
    const [run, ...more] = runs();
    expect(more).toEqual([]);
    // What macOS adds to every process is not ours to take away.
    expect(run?.env.filter((name) => !name.startsWith("__CF"))).toEqual(["GIVEN"]);
    await signer.close();
    expect(isGone(run?.pid ?? 0)).toBe(true);
    const fault = await faultOf(() => signer.sign(message));
    expect([fault.code, fault.message]).toEqual(["EXO_SIGNER", "the signer of the role runtime is closed"]);
  });

  it("may answer in another order than it was asked in", async () => {
    const signer = await program("reverse").open();
    const texts = [encodeUtf8("first"), encodeUtf8("second")];
    const signatures = await Promise.all(texts.map((text) => signer.sign(text)));
    for (const [at, text] of texts.entries()) {
      expect(verifyEd25519(expected.publicKey, text, signatures[at] ?? new Uint8Array())).toBe(true);
    }
  });

  it("signs what it was handed, whatever becomes of the buffer", async () => {
    const signer = await program("slow").open();
    const buffer = message.slice();
    const signing = signer.sign(buffer);
    buffer.fill(0);
    expect(await signing).toEqual(await expected.sign(message));
  });

  it("can refuse one message without being started again", async () => {
    const { open, runs } = program("refuse");
    const signer = await open();
    for (let again = 0; again < 3; again++) {
      const fault = await faultOf(() => signer.sign(message));
      expect(fault.message).toBe("the signer of the role runtime refused to sign: the token is locked");
    }
    expect(runs()).toHaveLength(1);
  });
});

describe("a signer program is not taken into use when", () => {
  it.each([
    ["it ends", "dead-at-start", "ended (exit code 3)"],
    ["its first line is no key", "garbage-at-start", "did not begin with a public key that is admitted"],
    ["its key is of small order", "small-order", "did not begin with a public key that is admitted"],
    ["its first line says more", "more-at-start", "did not begin with a public key that is admitted"],
    ["its first line has no end", "long-line", "sent a line that is too long"],
  ])("%s", async (_name, mood, why) => {
    const { open } = program(mood);
    const fault = await faultOf(async () => {
      const signer = await open();
      await signer.sign(message);
    });
    expect([fault.code, fault.message]).toEqual(["EXO_SIGNER", `the signer of the role runtime ${why}`]);
  });

  it("it says nothing in time, and it is gone then", async () => {
    const { open } = program("mute-at-start", { timeoutMs: 300 });
    const fault = await faultOf(open);
    expect(fault.message).toBe("the signer of the role runtime gave no answer within 300 ms: expected its public key");
  });

  it("it has another key than the one that is configured", async () => {
    const { open, runs } = program("other-key", { publicKey: expected.publicKey });
    const fault = await faultOf(open);
    expect(fault.message).toBe(
      `the signer of the role runtime has another key: expected ${expected.keyId}, got ${other.keyId}`,
    );
    expect(isGone(runs()[0]?.pid ?? 0)).toBe(true);
  });

  it("there is no such program", async () => {
    const fault = await faultOf(program("ok", { command: ["/nowhere/signer"] }).open);
    expect(fault.message).toBe("the signer of the role runtime could not be started: ENOENT");
  });
});

describe("nothing that a signer program makes up is given out, and it is started again after", () => {
  it.each([
    ["its death amid a question", "die,ok", "ended (SIGKILL)"],
    ["a line that is no answer", "garbage,ok", "sent a line that is no answer"],
    ["a signature by another key", "wrong-key,ok", "gave a signature that does not verify"],
    ["a signature over something else", "other-message,ok", "gave a signature that does not verify"],
    ["a signature that is too short", "short-signature,ok", "sent a line that is no answer"],
    ["an answer to another question", "other-id,ok", "answered what was not asked"],
  ])("%s", async (_name, moods, why) => {
    const { open, runs } = program(moods);
    const signer = await open();
    const fault = await faultOf(() => signer.sign(message));
    expect([fault.code, fault.message]).toEqual(["EXO_SIGNER", `the signer of the role runtime ${why}`]);
    expect(await signer.sign(message)).toEqual(await expected.sign(message));
    expect(runs()).toHaveLength(2);
    expect(isGone(runs()[0]?.pid ?? 0)).toBe(true);
  });

  it("refuses everything that waits, when it dies amid several questions", async () => {
    const { open } = program("die,ok");
    const signer = await open();
    const faults = await Promise.all([1, 2, 3].map(() => faultOf(() => signer.sign(message))));
    expect(faults.map(({ code }) => code)).toEqual(["EXO_SIGNER", "EXO_SIGNER", "EXO_SIGNER"]);
    expect(await signer.sign(message)).toEqual(await expected.sign(message));
  });

  it("an answer before the question, or a second one, ends it", async () => {
    const early = program("unasked,ok");
    const eager = await early.open();
    await eager.sign(message).catch(() => undefined);
    expect(await eager.sign(message)).toEqual(await expected.sign(message));
    expect(early.runs()).toHaveLength(2);
    const twice = program("twice,ok");
    const signer = await twice.open();
    expect(await signer.sign(message)).toEqual(await expected.sign(message));
    await expect.poll(() => isGone(twice.runs()[0]?.pid ?? 0), { timeout: PATIENT }).toBe(true);
    expect(await signer.sign(message)).toEqual(await expected.sign(message));
    expect(twice.runs()).toHaveLength(2);
  });

  it("an answer that comes too late is never used: the run it would come from is ended", async () => {
    const { open, runs } = program("late,ok", { timeoutMs: 300, startMs: PATIENT });
    const signer = await open();
    const fault = await faultOf(() => signer.sign(message));
    expect(fault.message).toBe("the signer of the role runtime gave no answer within 300 ms: expected a signature");
    await expect.poll(() => isGone(runs()[0]?.pid ?? 0), { timeout: PATIENT }).toBe(true);
  });

  it("a run with another key than the first is not believed", async () => {
    const { open } = program("die,other-key,ok");
    const signer = await open();
    await faultOf(() => signer.sign(message));
    const fault = await faultOf(() => signer.sign(message));
    expect(fault.message).toBe(
      `the signer of the role runtime has another key: expected ${expected.keyId}, got ${other.keyId}`,
    );
  });
});

describe("a signer program that fails again and again", () => {
  it("rests after the second failure in a row: nothing is started meanwhile", async () => {
    const { open, runs } = program("die");
    const signer = await open();
    await faultOf(() => signer.sign(message));
    await faultOf(() => signer.sign(message));
    const fault = await faultOf(() => signer.sign(message));
    expect(fault.message).toBe("the signer of the role runtime failed and is started again after a rest");
    expect(runs()).toHaveLength(2);
  });

  it("is tried again after the rest, and a success ends the count", async () => {
    const { open, runs } = program("die,die,ok", { restMs: 1 });
    const signer = await open();
    await faultOf(() => signer.sign(message));
    await faultOf(() => signer.sign(message));
    await expect
      .poll(() => signer.sign(message).catch(() => undefined), { timeout: PATIENT })
      .toEqual(await expected.sign(message));
    expect(runs()).toHaveLength(3);
  });
});
