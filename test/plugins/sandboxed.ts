import { readFileSync } from "node:fs";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { readRequest } from "../../src/capabilities/schemas.js";
import { type CapabilityName, capabilityNames } from "../../src/contracts/imports.js";
import { defaultLimits } from "../../src/contracts/manifest.js";
import type { AbiValue, GuestAnswer, SandboxOutcome } from "../../src/ports.js";
import type { SealedModule } from "../../src/wasm/seal.js";
import { runHere } from "../sandbox/support.js";
import { seal } from "../wasm/support.js";

/** What the host answers a capability call: the members of `ok`, a refusal, or raw bytes. */
export type Answer = { readonly ok: AbiValue } | { readonly error: AbiValue } | Uint8Array;
type Serve = (capability: CapabilityName, request: Readonly<Record<string, AbiValue>>) => Answer;

/** What a run came to, its output as text, and the calls it made. */
export type Ran = {
  readonly outcome: SandboxOutcome;
  readonly output: string;
  readonly bytes: Uint8Array;
  readonly calls: readonly (readonly [CapabilityName, AbiValue])[];
};

/** A module of the repository, sealed once with every capability granted. */
export function sealedAt(path: string): SealedModule {
  const bytes = new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
  return seal(bytes, { capabilities: capabilityNames, memoryPages: defaultLimits.memoryPages });
}

/**
 * Runs a function in the real sandbox under the default limits. Requests must have their capability's form, which is
 * checked by the host's own schema unless `checked` is false.
 */
export async function runSandboxed(
  module: SealedModule,
  name: string,
  input: Uint8Array | string,
  serve: Serve = () => ({ ok: {} }),
  checked = true,
): Promise<Ran> {
  const calls: [CapabilityName, AbiValue][] = [];
  const answer = ({ capability, request }: { capability: string; request: Uint8Array }): GuestAnswer => {
    const known = capability as CapabilityName;
    const read = readRequest(known, request);
    if (checked && !read.ok) throw new Error(read.error.message);
    const value = decodeAbi(request) as Readonly<Record<string, AbiValue>>;
    calls.push([known, value]);
    const served = serve(known, value);
    return { kind: "answer", response: served instanceof Uint8Array ? served : encodeAbi(served as AbiValue) };
  };
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const outcome = await runHere(module, { function: name, input: bytes, limits: defaultLimits, answer });
  const output = outcome.output ?? new Uint8Array();
  return { outcome, output: new TextDecoder().decode(output), bytes: output, calls };
}
