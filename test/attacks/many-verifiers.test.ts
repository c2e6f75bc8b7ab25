import { beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { ok } from "../../src/errors.js";
import type { SandboxHost, SandboxOutcome } from "../../src/ports.js";
import { agreementOf, type HandedIn } from "../../src/replay/agreement.js";
import { attestReplay } from "../../src/replay/attest-replay.js";
import { crudeFaults, type FaultKind, type FaultOf, faultKinds, forgedFaults } from "../support/bundle-faults.js";
import { realPool } from "../support/real.js";
import {
  faulty,
  handedIn,
  judge,
  mostFaulty,
  nodeNames,
  recorded,
  recordedTrust,
  scenarios,
  shuffledNodes,
  signerOf,
} from "../support/verifiers.js";

const sandbox = realPool({ size: 2 });
const honest = new Map<string, HandedIn>();
const honestOf = (name: string): HandedIn => honest.get(name) as HandedIn;

async function node(name: string, copy: Uint8Array, host: SandboxHost = sandbox): Promise<HandedIn> {
  const { envelope } = await attestReplay(copy, { sandbox: host, trust: recordedTrust, signer: signerOf(name) });
  return handedIn(name, ok(envelope));
}

beforeAll(async () => {
  await Promise.all(nodeNames.map(async (name) => honest.set(name, await node(name, recorded))));
});

async function exercise(kind: FaultKind, fault: FaultOf): Promise<void> {
  const seed = `many verifiers/${kind}`;
  const copy = await faulty(fault, seed);
  const order = shuffledNodes(seed);
  const bad = new Map<string, HandedIn>();
  await Promise.all(order.slice(0, mostFaulty).map(async (name) => bad.set(name, await node(name, copy))));
  for (const count of Object.values(scenarios)) {
    const { voices } = judge(order, count, { honest: honestOf, faulty: (name) => bad.get(name) as HandedIn });
    for (const voice of voices.filter(({ from }) => order.slice(0, count).includes(from))) {
      expect(voice.message).toBe(`is about ${digestOf(copy)}, not about ${digestOf(recorded)}`);
      if (fault !== crudeFaults[kind]) continue;
      // A copy that was not signed again does not even stand up where it was replayed.
      expect(voice.result).toBe("failure");
      expect(voice.difference).not.toBeNull();
      expect(voice.divergence).not.toBeNull();
    }
  }
}

describe("five verifiers, of which none, one, two or three were handed a faulty copy", () => {
  test.each(faultKinds)("%s: faulty nodes are named, honest ones untouched, and nobody agrees on it", async (kind) => {
    await exercise(kind, crudeFaults[kind]);
  });

  test.each(["payload", "field", "transcript", "wasm"] as const)(
    "%s, with every digest and signature made anew: no number of nodes can agree on another bundle",
    async (kind) => {
      await exercise(kind, forgedFaults[kind]);
    },
  );

  test("the forgeries are good ones: the same three nodes would agree on the copy, were it the bundle", async () => {
    const copy = await faulty(forgedFaults.payload, "good");
    const told = await Promise.all(["a", "b", "c"].map((name) => node(name, copy)));
    expect(agreementOf(digestOf(copy), told, 3)).toMatchObject({ result: "success", counts: { agrees: 3 } });
    expect(agreementOf(digestOf(recorded), told, 3)).toMatchObject({ result: "no_consensus", counts: { refused: 3 } });
  });
});

describe("a node that has the right bundle and computes something else", () => {
  const broken = (change: (outcome: SandboxOutcome) => SandboxOutcome): SandboxHost => ({
    ...sandbox,
    engine: "broken",
    run: async (job) => change(await sandbox.run(job)),
  });
  const deaf: SandboxHost = {
    ...sandbox,
    engine: "deaf",
    run: async (job) => await sandbox.run({ ...job, limits: { ...job.limits, fuel: 9000 } }),
  };
  const engines: Record<string, readonly [SandboxHost, string]> = {
    fuel: [broken((outcome) => ({ ...outcome, fuelUsed: outcome.fuelUsed + 1 })), "fuel_mismatch"],
    memory: [broken((outcome) => ({ ...outcome, memoryPeakPages: outcome.memoryPeakPages + 1 })), "memory_mismatch"],
    "host calls": [deaf, "host_call_mismatch"],
  };

  test.each(Object.entries(engines))("%s: is named with what it found", async (_what, [host, kind]) => {
    const handed = [...["a", "b"].map(honestOf), await node("c", recorded, host)];
    const agreement = agreementOf(digestOf(recorded), handed, 2);
    expect(agreement).toMatchObject({ result: "success", counts: { agrees: 2, differs: 1, refused: 0 } });
    expect(agreement.voices[2]).toMatchObject({
      from: "c",
      state: "differs",
      result: "failure",
      difference: { what: "execution, re-execution", expected: "pass", actual: "fail EXO_REPLAY_DIVERGED" },
      divergence: { kind },
    });
  });

  test("and others that compute the same wrong thing agree on a failure, which is no success", async () => {
    const [host] = engines["fuel"] as readonly [SandboxHost, string];
    const told = await Promise.all(["c", "d", "e"].map((name) => node(name, recorded, host)));
    const agreement = agreementOf(digestOf(recorded), [...["a", "b"].map(honestOf), ...told], 3);
    expect(agreement).toMatchObject({ result: "failure", counts: { agrees: 3, differs: 2 } });
  });
});
