import { deepFreeze } from "../canonical/freeze.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical, readJson } from "../canonical/read.js";
import { formatTime } from "../canonical/time.js";
import { parseContract } from "../contracts/common.js";
import { type ActionIntent, type IntentDraft, intentDraftSchema, intentSchema } from "../contracts/intent.js";
import { targetOf } from "../contracts/invocation.js";
import { schemaChecksOf } from "../contracts/json-schema-loading.js";
import { type Material, plainMaterial, saltFor } from "../contracts/material.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import { type Result, refuse } from "../errors.js";
import type { ExecutorRegistry, Resolved } from "./registry.js";
import type { PipelinePorts } from "./types.js";

/** Greatest size of an intent in bytes. */
export const maxIntentBytes = 1_048_576;

/** An intent ready to be judged: the frozen document, its material, and what it runs on or why nothing. */
export type ResolvedIntent = {
  readonly intent: ActionIntent;
  readonly material: Material;
  readonly resolved: Result<Resolved>;
};

/** Reads a draft from bytes with the strict reader. EXO_JSON_*. */
export function readDraft(bytes: Uint8Array): IntentDraft {
  return parseContract(intentDraftSchema, readJson(bytes, { maxBytes: maxIntentBytes }), "intent");
}

/**
 * Fills a draft's defaults once, through the ports, before anything is hashed. The caller's object is read once: the
 * hashed bytes are parsed back, and that frozen document is what is judged and run.
 *
 * @throws ExoArmurError EXO_SCHEMA, EXO_JSON_*
 */
export function resolveIntent(draft: unknown, ports: PipelinePorts, registry: ExecutorRegistry): ResolvedIntent {
  const bytes = canonicalize(draft, { maxBytes: maxIntentBytes });
  // Canonical bytes of our own making: the quick reader reads them as the strict one would.
  const read = parseContract(intentDraftSchema, parseCanonical(bytes), "intent");
  const { $schema: _hint, actor, executor, ...given } = read;
  const found = registry.resolve(read.action, executor);
  const fn = found.ok ? found.value.fn : undefined;
  const pointed = fn === undefined ? undefined : targetOf(fn, read.parameters);
  const resolved = resolutionOf(found, pointed, read);
  const target = read.target ?? (pointed?.ok ? pointed.value : undefined);
  const intentId = given.intentId ?? ports.ids.next();
  const named = typeof executor === "string" ? { name: executor } : executor;
  const ref = found.ok ? { name: found.value.executor.manifest.name, function: found.value.fn.name } : named;
  const unsalted: Omit<ActionIntent, "salt"> = {
    ...given,
    schema: "exoarmur.intent/v1",
    intentId,
    correlationId: given.correlationId ?? ports.ids.next(),
    tenantId: given.tenantId ?? ports.deployment.defaultTenant,
    cellId: given.cellId ?? ports.deployment.cellId,
    actor: typeof actor === "string" ? { id: actor, type: "agent" } : actor,
    ...(target === undefined ? {} : { target }),
    ...(ref === undefined ? {} : { executor: ref }),
    idempotencyKey: given.idempotencyKey ?? intentId,
    requestedAt: given.requestedAt ?? formatTime(ports.clock.now()),
  };
  const salt = encodeBase64Url(saltFor(ports.saltKey, "intent", intentId, canonicalize(unsalted)));
  // What defaults and ports filled in is held to the contract as well: a stored intent must be readable again.
  const intent: ActionIntent = deepFreeze(parseContract(intentSchema, { ...unsalted, salt }, "intent"));
  return { intent, material: plainMaterial(canonicalize(intent)), resolved };
}

/** The executor, unless the parameters break its schema or the target it acts on is missing or not the stated one. */
function resolutionOf(
  found: Result<Resolved>,
  pointed: Result<string | undefined> | undefined,
  draft: IntentDraft,
): Result<Resolved> {
  if (!found.ok || pointed === undefined) return found;
  const { fn } = found.value;
  const fit = schemaChecksOf(fn)?.checkInput(fn, draft.parameters);
  if (fit?.ok === false) return fit;
  if (!pointed.ok) return pointed;
  if (draft.target !== undefined && draft.target !== pointed.value) {
    const acts = pointed.value === undefined ? "names no target" : `would act on ${JSON.stringify(pointed.value)}`;
    return refuse(
      "EXO_TARGET_MISMATCH",
      `the intent states the target ${JSON.stringify(draft.target)}, its executor ${acts}`,
    );
  }
  return found;
}

/** Resolves an intent to what is registered now. The caller's document is not read again: its function and target stand. */
export function resolveAgain(
  { intent }: ResolvedIntent,
  ports: PipelinePorts,
  registry: ExecutorRegistry,
): ResolvedIntent {
  const { salt: _salt, ...draft } = intent;
  return resolveIntent(draft, ports, registry);
}

/** True unless the executor an intent was resolved to is no longer the one of its name. */
export function isPresent({ resolved }: ResolvedIntent, registry: ExecutorRegistry): boolean {
  return !resolved.ok || registry.holds(resolved.value.executor);
}
