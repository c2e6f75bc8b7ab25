import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { type AskOptions, askNodes, type VerifierNode } from "../../src/cli/verifiers/ask-nodes.js";
import type { Agreement, AgreementVoice } from "../../src/contracts/agreement.js";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { generateKey, writeKeyFile } from "../../src/home/keys.js";
import { agreementOf } from "../../src/replay/agreement.js";
import { attestReplay } from "../../src/replay/attest-replay.js";
import { forgedFaults } from "../support/bundle-faults.js";
import { isRunning } from "../support/processes.js";
import { realPool } from "../support/real.js";
import { faulty, recorded, recordedTrust } from "../support/verifiers.js";
import { seededEntropy } from "../support/world.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A program in a node's place: does something by its first argument; the second names a file with a signed report. */
const impostor = `import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, writeSync } from "node:fs";
const [what, report] = process.argv.slice(2);
const say = () => writeSync(1, readFileSync(report));
const hang = () => setInterval(() => {}, 1000);
const deeds = {
  crash: () => process.exit(70),
  "crash after an answer": () => { say(); process.exit(70); },
  kill: () => process.kill(process.pid, "SIGKILL"),
  silence: () => {},
  junk: () => writeSync(1, "fine\\n"),
  twice: () => { say(); writeSync(1, "\\n"); say(); },
  flood: () => { const text = "x".repeat(65536); for (let n = 0; n < 64; n++) writeSync(1, text); },
  answer: say,
  hang,
  "hang with a child": () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
    writeFileSync("child.pid", String(child.pid));
    hang();
  },
};
deeds[what]();
`;

const sandbox = realPool({ size: 1 });
let folder: string;
let keyFiles: { readonly keyFile: string; readonly publicKey: Uint8Array }[];

const options = (change: Partial<AskOptions> = {}): AskOptions => ({
  folder: mkdtempSync(join(folder, "run-")),
  home: join(folder, "no-home"),
  trust: recordedTrust,
  env: { PATH: process.env["PATH"] ?? "" },
  timeoutMs: 120_000,
  jobs: 2,
  signal: new AbortController().signal,
  ...change,
});

function nodeAt(at: number, more: Partial<VerifierNode> = {}): VerifierNode {
  const key = keyFiles[at];
  if (key === undefined) throw new Error(`no key ${at}`);
  return { name: `node ${at + 1}`, program: [process.execPath, main], copy: recorded, ...key, ...more };
}

/** A node in whose place the impostor does something; a report that it prints is signed with the key of the node `by`. */
const doing = (at: number, what: string, by = at): VerifierNode =>
  nodeAt(at, { program: [process.execPath, join(folder, "impostor.mjs"), what, join(folder, `${by + 1}.report`)] });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "exo-nodes-"));
  writeFileSync(join(folder, "impostor.mjs"), impostor);
  const entropy = seededEntropy("nodes");
  keyFiles = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const key = generateKey("verifier", `node ${at + 1}`, entropy);
      const keyFile = join(folder, `${at + 1}.key`);
      await writeKeyFile(keyFile, key);
      const signer = signerFromSeed(decodeBase64(key.seed) as Uint8Array);
      const { envelope } = await attestReplay(recorded, { sandbox, trust: recordedTrust, signer });
      writeFileSync(join(folder, `${at + 1}.report`), envelope);
      return { keyFile, publicKey: decodeBase64(key.publicKey) as Uint8Array };
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("processes that replay, and some that do not", () => {
  const wrongs: Readonly<Record<string, readonly [code: string, message: string | RegExp]>> = {
    crash: ["EXO_VERIFIER", "ended with exit code 70"],
    "crash after an answer": ["EXO_VERIFIER", "ended with exit code 70"],
    kill: ["EXO_VERIFIER", "was ended by SIGKILL"],
    silence: ["EXO_VERIFIER", "ended without an answer"],
    junk: ["EXO_JSON_SYNTAX", /./],
    twice: ["EXO_VERIFIER", "answered 2 times"],
    flood: ["EXO_VERIFIER", "printed more than 1048576 bytes"],
    answer: ["EXO_TRUST", "is signed with the key of node 1"],
  };
  let agreement: Agreement;
  const voiceOf = (name: string): AgreementVoice =>
    agreement.voices.find(({ from }) => from === name) as AgreementVoice;
  const placeOf = (what: string): string => `node ${Object.keys(wrongs).indexOf(what) + 3}`;

  beforeAll(async () => {
    const nodes = [
      nodeAt(0),
      nodeAt(1),
      ...Object.keys(wrongs).map((what, at) => doing(at + 2, what, what === "answer" ? 0 : at + 2)),
      nodeAt(10, { copy: await faulty(forgedFaults.payload, "process") }),
      nodeAt(11, { program: [join(folder, "no-such-program")] }),
    ];
    const handed = await askNodes(nodes, options());
    expect(handed.map(({ from }) => from)).toEqual(nodes.map(({ name }) => name));
    agreement = agreementOf(digestOf(recorded), handed, 2);
  });

  it("the honest ones agree, whatever the others do", () => {
    expect(agreement).toMatchObject({ result: "success", counts: { agrees: 2, differs: 0, refused: 10 } });
    expect(voiceOf("node 1")).toMatchObject({ state: "agrees", result: "success" });
    expect(voiceOf("node 2")).toMatchObject({ state: "agrees", result: "success" });
  });

  it.each(Object.entries(wrongs))("%s: named and not counted", (what, [code, message]) => {
    expect(voiceOf(placeOf(what))).toMatchObject({ state: "refused", code, verifier: null, result: null });
    expect(voiceOf(placeOf(what)).message).toMatch(message);
  });

  it("a node that was handed another bundle: named, with what it found, and not counted", () => {
    expect(voiceOf("node 11")).toMatchObject({ state: "refused", code: "EXO_REPLAY_SUBJECT", result: "success" });
  });

  it("a program that cannot be started: named and not counted", () => {
    const message = "could not be started: ENOENT";
    expect(voiceOf("node 12")).toMatchObject({ state: "refused", code: "EXO_VERIFIER", message });
  });
});

describe("processes that do not end", () => {
  it("are ended in time, named and not counted", async () => {
    const [one] = await askNodes([doing(0, "hang")], options({ timeoutMs: 300 }));
    const error = { code: "EXO_VERIFIER", message: "gave no answer within 300 ms" };
    expect(one?.answer).toEqual({ ok: false, error });
  });

  it("are ended with all they started when the caller withdraws, and nothing is counted", async () => {
    const stop = new AbortController();
    const given = options({ signal: stop.signal, jobs: 1 });
    const asked = askNodes([doing(0, "hang with a child"), doing(1, "hang")], given);
    const pid = await vi.waitFor(() => {
      const text = readFileSync(join(given.folder, "1", "child.pid"), "utf8");
      expect(text).toMatch(/^\d+$/);
      return Number(text);
    }, 30_000);
    expect(isRunning(pid)).toBe(true);
    stop.abort(new Error("withdrawn"));
    await expect(asked).rejects.toThrow("withdrawn");
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), 30_000);
    expect(readdirSync(given.folder)).toEqual(["1"]);
  });

  it("are not started in a folder that cannot be written", async () => {
    const taken = options();
    writeFileSync(join(taken.folder, "1"), "");
    await expect(askNodes([doing(0, "hang")], taken)).rejects.toMatchObject({ code: "EEXIST" });
    expect(readdirSync(taken.folder)).toEqual(["1"]);
    expect(existsSync(main)).toBe(true);
  });
});
