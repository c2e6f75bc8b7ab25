import { type Digest, digestOf, digestOfJson } from "../canonical/digest.js";
import { canonicalize, type JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { decodeBase64, decodeUtf8, encodeUtf8 } from "../crypto/encoding.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { Preview } from "./approval.js";
import type { AttestationFacts } from "./attestation.js";
import { type ActionIntent, maxTargetLength } from "./intent.js";
import type { ExecutorManifest, Grants, ManifestFunction } from "./manifest.js";
import { readPointer } from "./pointer.js";

/**
 * The target an executor's function acts on: the string its manifest points at inside the parameters. undefined when
 * the function names none; EXO_PARAMETERS when there is no string of a target's length at the pointer.
 */
export function targetOf(fn: ManifestFunction, parameters: JsonValue): Result<string | undefined> {
  if (fn.target === undefined) return ok(undefined);
  const value = readPointer(parameters, fn.target);
  if (typeof value !== "string" || value === "" || value.length > maxTargetLength) {
    const what = `a string of 1 to ${maxTargetLength} characters`;
    return refuse("EXO_PARAMETERS", `expected ${what} at parameters${fn.target}, the target of ${fn.action}`);
  }
  return ok(value);
}

/** Input bytes of a guest as its manifest asks for them (spec/abi.md). EXO_PARAMETERS when parameters.input is not fit. */
export function guestInput(fn: ManifestFunction, intent: ActionIntent): Result<Uint8Array> {
  switch (fn.input) {
    case "parameters":
      return ok(canonicalize(intent.parameters));
    case "intent": {
      const { salt: _salt, ...visible } = intent;
      return ok(canonicalize(visible));
    }
    case "text": {
      const text = readPointer(intent.parameters, "/input");
      if (typeof text !== "string") return refuse("EXO_PARAMETERS", "expected a string at parameters/input");
      return ok(encodeUtf8(text));
    }
    case "bytes": {
      const text = readPointer(intent.parameters, "/input");
      const bytes = typeof text === "string" ? decodeBase64(text) : undefined;
      if (bytes === undefined) return refuse("EXO_PARAMETERS", "expected standard padded base64 at parameters/input");
      return ok(bytes);
    }
  }
}

/**
 * Digest of what is asked for, whoever retries it: the intent without intentId, correlationId, requestedAt, expiresAt,
 * context and salt, and the attestations it came with in any order. Compared under an idempotency key; never signed or logged.
 */
export function requestDigestOf(intent: ActionIntent, attested: readonly Uint8Array[] = []): Digest {
  const { intentId, correlationId, requestedAt, expiresAt, context, salt, ...request } = intent;
  return digestOfJson(attested.length === 0 ? request : { ...request, attestations: attested.map(digestOf).sort() });
}

/**
 * Effect key of an intent (spec/contracts.md): digest of JCS([tenant, action, [pointer, value]...]), or null when the
 * function declares none. EXO_PARAMETERS when a named parameter is missing.
 */
export function effectKeyOf(fn: ManifestFunction, intent: ActionIntent): Result<Digest | null> {
  if (fn.effectKey === undefined) return ok(null);
  const parts: JsonValue[] = [intent.tenantId, intent.action];
  for (const pointer of fn.effectKey) {
    const value = readPointer(intent.parameters, pointer);
    if (value === undefined)
      return refuse("EXO_PARAMETERS", `expected a value at parameters${pointer}, part of the effect key`);
    parts.push([pointer, value]);
  }
  return ok(digestOf(canonicalize(parts)));
}

/** What an approver is shown, built the same way at request and at start so that its digest can be compared. */
export function previewOf(
  intent: ActionIntent,
  manifest: ExecutorManifest,
  fn: ManifestFunction,
  grants: Grants,
  attestations: readonly AttestationFacts[],
): Preview {
  return {
    schema: "exoarmur.preview/v1",
    intentId: intent.intentId,
    actor: intent.actor,
    action: intent.action,
    executor: { name: manifest.name, version: manifest.version, function: fn.name },
    target: intent.target ?? null,
    effects: fn.effects,
    parameters: intent.parameters,
    grants,
    ...(attestations.length === 0 ? {} : { attestations: [...attestations] }),
  };
}

/** A guest's output as its declared type, or undefined when it is not of that type. */
export function readOutput(type: ManifestFunction["output"], bytes: Uint8Array): JsonValue | Uint8Array | undefined {
  if (type === "bytes") return bytes;
  if (type === "text") return decodeUtf8(bytes);
  try {
    return readJson(bytes);
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}
