/** What the measured runtimes are made of. */
import { readFileSync } from "node:fs";
import { ulidSource } from "../../dist/canonical/ids.js";
import { canonicalize } from "../../dist/canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../dist/contracts/dsse.js";
import { resolveManifest } from "../../dist/contracts/manifest-draft.js";
import { encodeBase64, encodeUtf8 } from "../../dist/crypto/encoding.js";
import { formatVkey, noteKey } from "../../dist/crypto/note-key.js";
import { systemEntropy } from "../../dist/crypto/random.js";
import { sha256 } from "../../dist/crypto/sha256.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { createRuntime } from "../../dist/index.js";
import { openLedger } from "../../dist/log/ledger.js";
import { ProxyPipeline } from "../../dist/pipeline/proxy-pipeline.js";
import { defaultSafetyConfig } from "../../dist/safety/gate.js";
import { sealModule } from "../../dist/wasm/seal.js";

const clock = { now: () => Date.now() };
const logger = { log: () => undefined };
const signer = (name) => signerFromSeed(sha256(encodeUtf8(`bench ${name}`)));
const keys = { runtime: signer("runtime"), log: signer("log"), policyAuthor: signer("author") };

/** Parameters whose canonical form has 64 bytes. */
export const parameters = { text: "x".repeat(53) };

/** The same as a guest sees them. */
export const input = canonicalize(parameters);

/** The intent that is measured. */
export const draft = { actor: { id: "bench", type: "agent" }, action: "test.echo", parameters };

/** The echo fixture. */
export const echo = {
  wasm: new Uint8Array(readFileSync(new URL("../../test/fixtures/echo.wasm", import.meta.url))),
  manifest: JSON.parse(readFileSync(new URL("../../test/fixtures/echo.json", import.meta.url), "utf8")),
};

/** Limits of a run that no echo comes near. */
export const limits = {
  fuel: 1_000_000_000,
  stackBytes: 65_536,
  outputBytes: 1_048_576,
  kernelBytes: 16_777_216,
  hostCalls: 100,
  timeoutMs: 30_000,
};

/** A policy of `count` rules of which only the last one matches. */
export function policyOf(count) {
  const others = Array.from({ length: count - 1 }, (_none, index) => ({
    id: `rule-${index}`,
    match: { action: index % 2 === 0 ? "test.*" : `fs.${index}`, actor: { id: `agent-${index}` } },
    verdict: index % 3 === 0 ? "deny" : "allow",
  }));
  const last = { id: "echo", match: { action: "test.echo", actor: { type: "agent" } }, verdict: "allow" };
  return { schema: "exoarmur.policy/v1", policyId: "bench", version: 1, rules: [...others, last] };
}

/** A runtime with the real sandbox over a store. */
export async function openRuntime(store) {
  return await createRuntime({ store, policy: policyOf(10), plugins: [echo], keys });
}

/** A sandbox that runs nothing and answers at once with the input. */
const noSandbox = {
  engine: "none",
  run: async (job) => ({ status: "completed", output: job.input, fuelUsed: 1000, memoryPeakPages: 1, hostCalls: 0 }),
  load: () => ({ running: 0, queued: 0, size: 2, queueBound: 1024 }),
  close: async () => undefined,
};

/** A pipeline whose sandbox costs nothing, over a store. */
export async function openGovernance(store) {
  const origin = "exoarmur/bench";
  const ledger = await openLedger({ store, epoch: await store.acquire(), origin, signer: keys.log });
  const own = Object.entries({ runtime: "runtime", log: "log", policyAuthor: "policy-author" });
  const trust = {
    schema: "exoarmur.trust/v1",
    logs: [{ origin, vkey: formatVkey(noteKey(origin, keys.log.publicKey)) }],
    keys: own.map(([name, role]) => ({
      role,
      id: name,
      publicKey: encodeBase64(keys[name].publicKey),
      from: null,
      until: null,
    })),
    witnesses: { threshold: 0, vkeys: [] },
  };
  const pipeline = new ProxyPipeline({
    clock,
    ids: ulidSource(clock, systemEntropy),
    entropy: systemEntropy,
    logger,
    store,
    ledger,
    sandbox: noSandbox,
    performers: {},
    signer: keys.runtime,
    logPublicKey: keys.log.publicKey,
    saltKey: systemEntropy.bytes(32),
    deployment: {
      cellId: "local",
      defaultTenant: "default",
      tenants: ["default"],
      grants: {},
      safety: defaultSafetyConfig,
      trust,
    },
    governor: { killed: () => false, takeOrders: async () => undefined },
  });
  await pipeline.open();
  const policy = canonicalize(policyOf(10));
  await pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, policy, keys.policyAuthor));
  await pipeline.addExecutor(resolveManifest(echo.manifest, echo.wasm).value, echo.wasm);
  return pipeline;
}

/** The echo fixture, admitted and metered. */
export function sealedEcho() {
  const sealed = sealModule(echo.wasm, { capabilities: [], memoryPages: 256, tableElements: 10_000 });
  if (!sealed.ok) throw new Error(sealed.error.message);
  return sealed.value;
}
