import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { formatNote, parseNote } from "../../src/crypto/note.js";
import { noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { openWitness, type WitnessReply, type WitnessService } from "../../src/home/witness-service.js";
import { openCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { formatAddCheckpoint } from "../../src/log/witness-request.js";
import { ORIGIN, otherSigner, signer, VKEY } from "../log/fixtures.js";
import { logOf, type Made } from "../log/tree-of.js";
import { faultOf, freshFolder, ownPorts } from "./support.js";

const SECOND = "example.org/cell-2";
const logKeys = [parseVkey(VKEY), noteKey(SECOND, otherSigner.publicKey)];
const witnessSigner = signerFromSeed(new Uint8Array(32).fill(9));
const plain = "text/plain; charset=utf-8";
const log = await logOf(40);

let dir: string;
let witness: WitnessService;
const opened: WitnessService[] = [];

async function open(first = false): Promise<WitnessService> {
  const options = { dir, first, name: "w.example", signer: witnessSigner, logKeys, ports: ownPorts };
  const service = await openWitness(options);
  opened.push(service);
  return service;
}

beforeEach(async () => {
  dir = join(freshFolder(), "states");
  witness = await open(true);
});
afterEach(async () => {
  for (const service of opened.splice(0)) await service.close();
});

type Asked = Made & { readonly old?: number; readonly size: number; readonly proof?: readonly Uint8Array[] };

/** Asks for the checkpoint of a log of this size, with its own proof unless another is given. */
async function ask({ old = 0, size, proof, ...made }: Asked, of = witness): Promise<WitnessReply> {
  const view = await logOf(size, made);
  const own = old > 0 && old < size ? view.consistency(old, size) : [];
  return await of.addCheckpoint(
    encodeUtf8(formatAddCheckpoint({ old, proof: proof ?? own, checkpoint: view.checkpoint })),
  );
}

const conflict = (size: number): WitnessReply => ({
  status: 409,
  contentType: "text/x.tlog.size",
  body: `${size}\n`,
});

const states = (): Map<string, string> =>
  new Map(
    readdirSync(dir)
      .filter((name) => name.endsWith(".checkpoint"))
      .map((name) => [name, readFileSync(join(dir, name), "utf8")]),
  );

/** Refused with this status, and every state as it was. */
async function expectRefused(status: number, asked: () => Promise<WitnessReply>): Promise<WitnessReply> {
  const before = states();
  const reply = await asked();
  expect(reply.status).toBe(status);
  expect(states()).toEqual(before);
  return reply;
}

describe("a witness that serves", () => {
  it("answers 200 with its own line over a first checkpoint, its growth, and the same tree again", async () => {
    for (const [old, size] of [
      [0, 0],
      [0, 7],
      [7, 7],
      [7, 8],
      [8, 40],
    ] as const) {
      const { status, contentType, body } = await ask({ old, size });
      expect([status, contentType]).toEqual([200, plain]);
      expect(body).toMatch(/^— w\.example [A-Za-z0-9+/]+=*\n$/);
      const { checkpoint } = await logOf(size);
      const { signatures } = openCheckpoint(`${checkpoint}${body}`, [witness.vkey]);
      expect(Math.abs((signatures[0]?.time ?? 0) - Date.now() / 1000)).toBeLessThan(120);
      // What it answers for is on disk by then.
      expect([...states().values()].filter((note) => note.includes(body))).toHaveLength(1);
      expect(witness.logs()).toEqual([
        { origin: ORIGIN, size },
        { origin: SECOND, size: 0 },
      ]);
    }
  });

  it("keeps every log's state for itself", async () => {
    await ask({ size: 40 });
    expect((await ask({ size: 5, origin: SECOND, by: otherSigner })).status).toBe(200);
    expect((await ask({ old: 5, size: 6, origin: SECOND, by: otherSigner })).status).toBe(200);
    expect(witness.logs().map(({ size }) => size)).toEqual([40, 6]);
  });

  it("answers 409 with the size it knows to every other old size", async () => {
    expect(await ask({ old: 3, size: 7 })).toEqual(conflict(0));
    await ask({ size: 7 });
    for (const old of [0, 3, 8]) expect(await expectRefused(409, () => ask({ old, size: 9 }))).toEqual(conflict(7));
    expect(await expectRefused(409, () => ask({ size: 3 }))).toEqual(conflict(7));
  });

  it("answers 409 to another root of the size it knows, the empty tree included", async () => {
    const { note } = { note: await signCheckpoint({ origin: ORIGIN, size: 0, root: log.root }, signer) };
    const body = encodeUtf8(formatAddCheckpoint({ old: 0, proof: [], checkpoint: note }));
    expect(await expectRefused(409, () => witness.addCheckpoint(body))).toEqual(conflict(0));
    await ask({ size: 7 });
    expect(await expectRefused(409, () => ask({ old: 7, size: 7, name: "fork" }))).toEqual(conflict(7));
  });

  it("answers 422 to a fork, to growth without its proof or with another, and to a proof where there is none", async () => {
    await expectRefused(422, () => ask({ size: 7, proof: log.consistency(3, 7) }));
    await ask({ size: 7 });
    const wrong: Asked[] = [
      { old: 7, size: 40, name: "fork" },
      { old: 7, size: 40, proof: [] },
      { old: 7, size: 40, proof: log.consistency(6, 40) },
      { old: 7, size: 40, proof: log.consistency(7, 39) },
      { old: 7, size: 40, proof: [...log.consistency(7, 40), new Uint8Array(32)] },
      { old: 7, size: 40, proof: Array.from({ length: 63 }, () => new Uint8Array(32)) },
      { old: 7, size: 7, proof: log.consistency(6, 7) },
    ];
    for (const asked of wrong) expect(await expectRefused(422, () => ask(asked))).toMatchObject({ contentType: plain });
    expect((await ask({ old: 7, size: 40 })).status).toBe(200);
  });

  it("answers 404 to a log it does not know, 403 to a signature that is not the log's", async () => {
    await expectRefused(404, () => ask({ size: 7, origin: "example.org/other" }));
    await expectRefused(403, () => ask({ size: 7, by: otherSigner }));
    await expectRefused(403, () => ask({ size: 7, origin: SECOND }));
    const { text, signatures } = parseNote(log.checkpoint);
    const broken = signatures.map((line) => ({ ...line, signature: line.signature.map((byte) => byte ^ 1) }));
    const body = formatAddCheckpoint({ old: 0, proof: [], checkpoint: formatNote(text, broken) });
    await expectRefused(403, () => witness.addCheckpoint(encodeUtf8(body)));
  });

  it.each<[string, (note: string) => string | Uint8Array]>([
    ["nothing", () => ""],
    ["no UTF-8", () => Uint8Array.of(255)],
    ["no old size", (note) => `\n\n${note}`],
    ["another word", (note) => `new 0\n\n${note}`],
    ["a negative size", (note) => `old -1\n\n${note}`],
    ["a leading zero", (note) => `old 00\n\n${note}`],
    ["a size beyond 2^53", (note) => `old 9007199254740992\n\n${note}`],
    ["two spaces", (note) => `old  0\n\n${note}`],
    ["a carriage return", (note) => `old 0\r\n\r\n${note}`],
    ["a proof line of 31 bytes", (note) => `old 0\n${"A".repeat(40)}AA==\n\n${note}`],
    ["a proof line that is no base64", (note) => `old 0\n*\n\n${note}`],
    ["64 proof lines", (note) => `old 0\n${`${"A".repeat(43)}=\n`.repeat(64)}\n${note}`],
    ["no checkpoint", () => "old 0\n\n"],
    ["a checkpoint that is none", () => "old 0\n\nx\n\ny\n"],
    ["a checkpoint with a line more", (note) => `old 0\n\n${note.replace("\n\n", "\nmore\n\n")}`],
    ["an old size beyond the checkpoint's", (note) => `old 41\n\n${note}`],
  ])("answers 400 to %s", async (_name, bodyOf) => {
    const body = bodyOf(log.checkpoint);
    await expectRefused(400, () => witness.addCheckpoint(typeof body === "string" ? encodeUtf8(body) : body));
  });

  it("of requests at once cosigns one, and the others learn what it knows now", async () => {
    const replies = await Promise.all([7, 9, 11, 13].map((size) => ask({ size })));
    const won = replies.findIndex(({ status }) => status === 200);
    const size = [7, 9, 11, 13][won] ?? expect.fail("none was cosigned");
    expect(replies.filter((_, at) => at !== won)).toEqual([conflict(size), conflict(size), conflict(size)]);
  });

  it("does not keep lines of others, however many come with a checkpoint", async () => {
    const { text, signatures } = parseNote(log.checkpoint);
    const junk = Array.from({ length: 99 }, (_, at) => ({
      name: `x${at}`,
      keyHash: "00000000",
      signature: new Uint8Array(64),
    }));
    const checkpoint = formatNote(text, [...junk, ...signatures]);
    const reply = await witness.addCheckpoint(encodeUtf8(formatAddCheckpoint({ old: 0, proof: [], checkpoint })));
    expect(reply.status).toBe(200);
    expect([...states().values()].find((note) => note !== "")?.split("\n— ")).toHaveLength(3);
    await witness.close();
    expect((await open()).logs()[0]).toEqual({ origin: ORIGIN, size: 40 });
  });
});

describe("the states of a witness", () => {
  it("are one process's at a time, and what was cosigned is known to the next", async () => {
    await ask({ size: 7 });
    expect(await faultOf(() => open())).toMatchObject({ code: "EXO_WITNESS_BUSY" });
    await witness.close();
    const next = await open();
    expect(next.logs()[0]).toEqual({ origin: ORIGIN, size: 7 });
    expect(await ask({ size: 9 }, next)).toEqual(conflict(7));
    expect((await ask({ old: 7, size: 9 }, next)).status).toBe(200);
  });

  it("that are missing are not taken for logs that begin", async () => {
    await witness.close();
    expect((await open()).logs()).toHaveLength(2);
    await opened.at(-1)?.close();
    const [name = ""] = readdirSync(dir);
    rmSync(join(dir, name));
    const fault = await faultOf(() => open());
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", expect.stringContaining("--first")]);
    dir = join(freshFolder(), "none");
    expect(await faultOf(() => open())).toMatchObject({ code: "EXO_FILE" });
  });

  it.each<[string, (note: string) => Promise<string>, string]>([
    ["garbage", async () => "x", "EXO_NOTE"],
    ["the log's note without the witness", async () => log.checkpoint, "EXO_SIGNATURE"],
    ["another size", async (note) => note.replace("\n40\n", "\n39\n"), "EXO_SIGNATURE"],
    ["another log", async () => (await logOf(4, { origin: "example.org/other" })).checkpoint, "EXO_TRUST"],
  ])("that hold %s are refused", async (_name, wrong, code) => {
    await ask({ size: 40 });
    await witness.close();
    const [name = "", note = ""] = [...states()].find(([, text]) => text !== "") ?? [];
    writeFileSync(join(dir, name), await wrong(note));
    expect(await faultOf(() => open())).toMatchObject({ code, place: { file: join(dir, name) } });
  });

  it("put back to an older one, or swapped with a link, while it serves: nothing is cosigned over them", async () => {
    await ask({ size: 7 });
    const older = states();
    await ask({ old: 7, size: 9 });
    const [name = "", note = ""] = [...older].find(([, text]) => text !== "") ?? [];
    writeFileSync(join(dir, name), note);
    const put = await faultOf(() => ask({ old: 9, size: 11 }));
    expect(put.code).toBe("EXO_WITNESS_BUSY");
    expect(await ask({ old: 7, size: 8, name: "fork" })).toEqual(conflict(9));
    rmSync(join(dir, name));
    symlinkSync(join(dir, "elsewhere"), join(dir, name));
    expect((await faultOf(() => ask({ old: 9, size: 11 }))).code).toBe("EXO_FILE");
    rmSync(join(dir, name));
    mkdirSync(join(dir, name));
    expect((await faultOf(() => ask({ old: 9, size: 11 }))).code).toBe("EXO_FILE");
    expect(witness.logs()[0]).toEqual({ origin: ORIGIN, size: 9 });
  });
});
