import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cosignature, formatNote } from "../../src/crypto/note.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { openCheckpoint, readCheckpoint } from "../../src/log/checkpoint.js";
import { cosignedOf, proveLeaf } from "../../src/log/cosigned.js";
import type { Ledger } from "../../src/log/ledger-types.js";
import { leafHash, verifyInclusion } from "../../src/log/tree.js";
import { createWitnesses, type Witnesses } from "../../src/runtime/witnesses.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { digest, openOver, VKEY } from "../log/fixtures.js";
import { type Behaviour, WitnessServer } from "../support/witness-server.js";

let store: ReturnType<typeof createMemoryStore>;
let ledger: Ledger;
let server: WitnessServer;
let lines: string[];
const opened: Witnesses[] = [];

beforeEach(async () => {
  store = createMemoryStore();
  ledger = await openOver(store);
  server = await new WitnessServer("w.example", VKEY).open();
  lines = [];
});
afterEach(async () => {
  server.misbehave = () => false;
  for (const witnesses of opened.splice(0)) await witnesses.close();
  await ledger.close();
  await server.close();
});

const append = (count: number): Promise<void> =>
  ledger.transact((tx) => {
    for (let leaf = 0; leaf < count; leaf += 1) tx.appendLeaf("event", digest(`${tx.size}`));
  });

type Setting = { readonly more?: readonly WitnessServer[]; readonly quorum?: number; readonly timeoutMs?: number };

function watch({ more = [], quorum = 1, timeoutMs = 20_000 }: Setting = {}): Witnesses {
  const witnesses = createWitnesses({
    ledger,
    witnesses: [server, ...more].map(({ vkey, url }) => ({ vkey, url, timeoutMs })),
    quorum,
    logger: { log: (level, message) => lines.push(`${level}: ${message}`) },
    intervalMs: 5,
  });
  opened.push(witnesses);
  return witnesses;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("a witness that answers", () => {
  it("cosigns what follows on what it knows, and the note is kept", async () => {
    await append(3);
    const witnesses = watch();
    await witnesses.start();
    const note = cosignedOf(store, 3) ?? "";
    expect(openCheckpoint(note, [server.vkey])).toMatchObject({ size: 3, signatures: [{ time: 1_770_000_000 }] });
    expect(openCheckpoint(note, [VKEY]).size).toBe(3);
    await append(4);
    witnesses.offer();
    await until(() => cosignedOf(store, 7) !== undefined);
    expect(server.asked.at(-1)).toMatchObject({ old: 3, size: 7 });
    expect(server.asked.at(-1)?.proof).toBeGreaterThan(0);
    expect(lines).toEqual([]);
  });

  it("that knew an earlier tree is led on from there after its 409", async () => {
    await append(2);
    await watch().start();
    await append(3);
    await watch().start();
    expect(server.asked.slice(1).map(({ old, size }) => [old, size])).toEqual([
      [0, 5],
      [2, 5],
    ]);
    expect(cosignedOf(store, 5)).toContain("w.example");
  });

  it("gets one request at a time, the newest checkpoint, while commits go on", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    server.misbehave = async () => {
      await held;
      return false;
    };
    await append(1);
    const witnesses = watch();
    const started = witnesses.start();
    await until(() => server.asked.length === 1);
    for (let round = 0; round < 20; round += 1) {
      await append(1);
      witnesses.offer();
    }
    expect(ledger.size).toBe(21);
    release();
    await started;
    await until(() => cosignedOf(store, 21) !== undefined);
    expect(server.asked.map(({ size }) => size)).toEqual([1, 21]);
    expect(server.most).toBe(1);
  });

  it("again about the same tree leaves its earlier time", async () => {
    await append(1);
    await watch().start();
    server.seconds += 1000;
    await watch().start();
    expect(server.asked).toHaveLength(3);
    expect(openCheckpoint(cosignedOf(store, 1) ?? "", [server.vkey]).signatures[0]?.time).toBe(1_770_000_000);
  });

  it("counts towards a quorum: nothing is kept below it, all lines above it", async () => {
    const second = await new WitnessServer("v.example", VKEY, 78).open();
    try {
      second.misbehave = (_asked, response) => {
        response.writeHead(500).end();
        return true;
      };
      await append(1);
      const witnesses = watch({ more: [second], quorum: 2 });
      await witnesses.start();
      expect(cosignedOf(store, 1)).toBeUndefined();
      second.misbehave = () => false;
      await until(() => cosignedOf(store, 1) !== undefined);
      const { signatures } = openCheckpoint(cosignedOf(store, 1) ?? "", [server.vkey, second.vkey]);
      expect(signatures).toHaveLength(2);
      // The one that had signed was not asked again.
      expect(server.asked).toHaveLength(1);
    } finally {
      await second.close();
    }
  });

  it("is asked a last time at close", async () => {
    const witnesses = watch();
    await witnesses.start();
    await append(2);
    witnesses.offer();
    await witnesses.close();
    expect(cosignedOf(store, 2)).toContain("w.example");
  });
});

describe("proofs", () => {
  it("are under the first cosigned checkpoint that has the leaf, else under the newest", async () => {
    await append(2);
    await watch().start();
    await append(2);
    await watch().start();
    await append(1);
    const sizes = [0, 1, 2, 3, 4].map((index) => {
      const { proof, checkpoint } = proveLeaf(store, ledger, index);
      const { size, root } = readCheckpoint(checkpoint);
      expect(verifyInclusion({ leafHash: leafHash(ledger.leaf(index)), index, size, proof, root })).toBe(true);
      return [size, checkpoint.includes("w.example")];
    });
    expect(sizes).toEqual([
      [2, true],
      [2, true],
      [4, true],
      [4, true],
      [5, false],
    ]);
  });
});

const wrongly: Record<string, readonly [RegExp, Behaviour]> = {
  "answers no status it may": [/status 503/, (_a, response) => !!response.writeHead(503).end("— w AAAA\n")],
  redirects: [/status 307/, (_a, response) => !!response.writeHead(307, { location: `${server.url}/elsewhere` }).end()],
  "answers more than is read": [/more than 16384 bytes/, (_a, response) => !!response.end("x".repeat(100_000))],
  "answers nothing": [/malformed|signature/, (_a, response) => !!response.end()],
  "answers no text": [/no UTF-8/, (_a, response) => !!response.end(Buffer.from([0xff, 0xfe]))],
  "hangs up": [/./, (_a, response) => !!response.socket?.destroy()],
  "says 409 and no size": [/409 without/, (_a, response) => !!response.writeHead(409).end("many\n")],
  "says 409 and a size with a sign": [/409 without/, (_a, response) => !!response.writeHead(409).end("-1\n")],
  "says 409 and what it was told": [/answers that it knows 0/, (_a, response) => !!response.writeHead(409).end("0\n")],
  "says 422 where nothing was to prove": [/unproven/, (_a, response) => !!response.writeHead(422).end()],
};

describe("a witness that does not cosign", () => {
  it.each(Object.keys(wrongly))("because it %s is dropped, told and asked again", async (name) => {
    const [why, misbehave] = wrongly[name] ?? [/./, () => false];
    server.misbehave = misbehave;
    await append(1);
    const witnesses = watch();
    await witnesses.start();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^warn: witness w\.example did not cosign: /);
    expect(lines[0]).toMatch(why);
    expect(cosignedOf(store, 1)).toBeUndefined();
    expect(witnesses.contradiction()).toBeUndefined();
    server.misbehave = () => false;
    await until(() => cosignedOf(store, 1) !== undefined);
  });

  it("is not waited for longer than its time, and holds up nobody else", async () => {
    const silent = await new WitnessServer("s.example", VKEY, 79).open();
    try {
      silent.misbehave = () => true;
      await append(1);
      await watch({ more: [silent], timeoutMs: 300 }).start();
      expect(lines[0]).toMatch(/s\.example did not cosign: no answer in time/);
      expect(cosignedOf(store, 1)).toContain("w.example");
    } finally {
      await silent.close();
    }
  });
});

describe("a witness that lies", () => {
  const lies: Record<string, (honest: string) => Promise<string>> = {
    "a line over another checkpoint": async () => {
      const other = new WitnessServer("w.example", VKEY);
      return await other.cosign(await emptyCheckpoint(), []);
    },
    "another key's line": async () => await new WitnessServer("w.example", VKEY, 80).cosign(ledger.checkpoint(), []),
    "a broken line": async (honest) => honest.replace(/.{8}(?=\n$)/, "AAAAAAA="),
    "its line and prose": async (honest) => `${honest}good day\n`,
    "a further checkpoint with its line": async (honest) => `\n${honest}`,
    "a line over the checkpoint's text and signatures together": async () => {
      const text = ledger.checkpoint();
      const line = await cosignature(text, "w.example", signerFromSeed(new Uint8Array(32).fill(77)), 1_770_000_000);
      return formatNote(text, [line]).slice(text.length);
    },
    "a time of zero": async () => {
      const zero = new WitnessServer("w.example", VKEY);
      zero.seconds = 0;
      return await zero.cosign(ledger.checkpoint(), []);
    },
  };
  it.each(Object.keys(lies))("with %s is not believed", async (name) => {
    await append(1);
    const honest = await new WitnessServer("w.example", VKEY).cosign(ledger.checkpoint(), []);
    const lie = (await lies[name]?.(honest)) ?? "";
    server.misbehave = (_asked, response) => !!response.end(lie);
    const witnesses = watch();
    await witnesses.start();
    expect(lines[0]).toMatch(/did not cosign/);
    expect([...store.range({ gte: "g/", lt: "g0" })]).toEqual([]);
    expect(witnesses.contradiction()).toBeUndefined();
  });
});

async function emptyCheckpoint(): Promise<string> {
  const other = await openOver(createMemoryStore());
  const note = other.checkpoint();
  await other.close();
  return note;
}

describe("a store that is not what the witness saw", () => {
  it("because it is older: EXO_STORE_ROLLED_BACK", async () => {
    await append(5);
    await watch().start();
    store = createMemoryStore();
    ledger = await openOver(store);
    await append(3);
    await expect(watch().start()).rejects.toMatchObject({
      code: "EXO_STORE_ROLLED_BACK",
      message: expect.stringMatching(/has 3 log entries, the witness w\.example \(http.*\) knows 5/),
    });
  });

  it("because it is empty: EXO_STORE_ROLLED_BACK", async () => {
    await append(5);
    await watch().start();
    store = createMemoryStore();
    ledger = await openOver(store);
    await expect(watch().start()).rejects.toMatchObject({ code: "EXO_STORE_ROLLED_BACK" });
  });

  it.each([5, 6])("because it forked and has %i entries: EXO_LOG_FORK", async (size) => {
    await append(5);
    await watch().start();
    store = createMemoryStore();
    ledger = await openOver(store);
    await ledger.transact((tx) => {
      for (let leaf = 0; leaf < size; leaf += 1) tx.appendLeaf("event", digest(`other ${leaf}`));
    });
    const witnesses = watch();
    await expect(witnesses.start()).rejects.toMatchObject({
      code: "EXO_LOG_FORK",
      message: expect.stringContaining("knows another tree of 5 entries"),
    });
    expect(witnesses.contradiction()?.code).toBe("EXO_LOG_FORK");
    expect([...store.range({ gte: "g/", lt: "g0" })]).toEqual([]);
  });
});
