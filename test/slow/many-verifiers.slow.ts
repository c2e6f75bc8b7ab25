import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { askNodes, type VerifierNode } from "../../src/cli/verifiers/ask-nodes.js";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import { ok } from "../../src/errors.js";
import { writeKeyFile } from "../../src/home/keys.js";
import type { HandedIn } from "../../src/replay/agreement.js";
import { attestReplay } from "../../src/replay/attest-replay.js";
import { crudeFaults, type FaultOf, faultKinds, forgedFaults } from "../support/bundle-faults.js";
import { realPool } from "../support/real.js";
import {
  faulty,
  handedIn,
  judge,
  keyFileOf,
  mostFaulty,
  nodeNames,
  recorded,
  recordedTrust,
  scenarios,
  shuffledNodes,
  signerOf,
} from "../support/verifiers.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const sandbox = realPool({ size: 2 });

/** When no more faults are injected, however many there were: every kind has been at least twice. */
const end = performance.now() + 45_000;

const faults: readonly (readonly [string, FaultOf])[] = faultKinds.flatMap((kind) => [
  [`${kind}, crude`, crudeFaults[kind]] as const,
  [`${kind}, forged`, forgedFaults[kind]] as const,
]);

describe("five verifiers under every kind of fault, none, one, two and three of them faulty", () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "exo-many-"));
    for (const name of nodeNames) await writeKeyFile(join(folder, `${name}.key`), keyFileOf(name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("in processes of their own", async () => {
    const nodeOf = (name: string, copy: Uint8Array): VerifierNode => ({
      name,
      program: [process.execPath, main],
      keyFile: join(folder, `${name}.key`),
      publicKey: decodeBase64(keyFileOf(name).publicKey) as Uint8Array,
      copy,
    });
    const nodes = nodeNames.map((name) => nodeOf(name, recorded));
    const orders: string[][] = [];
    for (const [what, fault] of faults) {
      const copy = await faulty(fault, `processes/${what}`);
      const order = shuffledNodes(`processes/${what}`).slice(0, mostFaulty);
      orders.push(order);
      nodes.push(...order.map((name) => nodeOf(name, copy)));
    }
    const answers = await askNodes(nodes, {
      folder,
      home: join(folder, "no-home"),
      trust: recordedTrust,
      env: { PATH: process.env["PATH"] ?? "" },
      timeoutMs: 600_000,
      jobs: availableParallelism(),
      signal: new AbortController().signal,
    });
    for (const [at, order] of orders.entries()) {
      const from = nodeNames.length + at * mostFaulty;
      for (const count of Object.values(scenarios)) {
        judge(order, count, {
          honest: (name) => answers[nodeNames.indexOf(name as "a")] as HandedIn,
          faulty: (name) => answers[from + order.indexOf(name)] as HandedIn,
        });
      }
    }
    console.log(
      `${nodes.length} processes, ${faults.length} faults, ${Object.keys(scenarios).length} scenarios of each`,
    );
  });

  it("in this process, with a new seed for as long as there is time", async () => {
    const answer = async (name: string, copy: Uint8Array): Promise<HandedIn> => {
      const options = { sandbox, trust: recordedTrust, signer: signerOf(name) };
      return handedIn(name, ok((await attestReplay(copy, options)).envelope));
    };
    const honest = new Map<string, HandedIn>();
    for (const name of nodeNames) honest.set(name, await answer(name, recorded));
    let [rounds, injected, replayed] = [0, 0, 0];
    while (rounds === 0 || performance.now() < end) {
      for (const [what, fault] of faults) {
        const seed = `round ${rounds}/${what}`;
        const copy = await faulty(fault, seed);
        const order = shuffledNodes(seed);
        const bad = new Map<string, HandedIn>();
        for (const name of order.slice(0, mostFaulty)) bad.set(name, await answer(name, copy));
        for (const count of Object.values(scenarios)) {
          const { voices } = judge(order, count, {
            honest: (name) => honest.get(name) as HandedIn,
            faulty: (name) => bad.get(name) as HandedIn,
          });
          // Nobody's word about the copy is taken for one about the bundle.
          const about = voices.filter(({ message }) => message.includes(digestOf(copy)));
          expect(about.map(({ state }) => state)).toEqual(Array.from({ length: count }, () => "refused"));
        }
        injected += 1;
        replayed += bad.size;
        if (rounds > 0 && performance.now() > end) break;
      }
      rounds += 1;
    }
    console.log(`${injected} faults injected, ${replayed} faulty replays, ${rounds} rounds begun`);
  });
});
