import type { z } from "zod";
import { type Digest, digestOf } from "../canonical/digest.js";
import type { JsonValue } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import {
  bundleSchema,
  type ExecutionProofBundle,
  type MaterialRole,
  materialRoles,
  type Predicate,
  type Statement,
  statementSchema,
} from "../contracts/bundle.js";
import { pointerOf } from "../contracts/common.js";
import { payloadTypes } from "../contracts/dsse.js";
import {
  type EventHeader,
  type EventPayload,
  type EventType,
  eventHeaderSchema,
  eventPayloads,
} from "../contracts/event.js";
import { type ActionIntent, intentSchema } from "../contracts/intent.js";
import { type ExecutorManifest, type ManifestFunction, manifestSchema } from "../contracts/manifest.js";
import { unsalt } from "../contracts/material.js";
import { bundleRevision } from "../contracts/revisions.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { isExoArmurError } from "../errors.js";
import { expect, fail, notApplicable, unable } from "./report.js";

/** An event of the bundle: its hashed header, and its payload when that material is present. */
export type BundleEvent = { readonly header: EventHeader; readonly digest: Digest };

/** Greatest size of a bundle file, in bytes. */
const maxBundleBytes = 536_870_912;

/** Parses canonical bytes against a schema; ends the check as failed when either does not hold. */
export function parseDocument<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  let value: JsonValue;
  try {
    value = parseCanonical(bytes, { maxBytes: maxBundleBytes });
  } catch (error) {
    if (isExoArmurError(error)) fail(error.code, `${what}: ${error.message}`);
    throw error;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return fail("EXO_SCHEMA", `${what}: ${pointerOf(issue?.path ?? []) || "/"}: ${issue?.message ?? "bad shape"}`);
}

/**
 * A parsed bundle and typed access to its materials. Accessors end the running check: as failed when a document is
 * malformed or not the one its digest names, as unable when it is not in the bundle.
 */
export class Evidence {
  readonly bundle: ExecutionProofBundle;
  readonly statement: Statement;
  readonly predicate: Predicate;
  /** The statement's exact bytes. */
  readonly payload: Uint8Array;
  readonly digest: Digest;
  readonly materials: ReadonlyMap<string, Uint8Array>;
  /** Documents parsed so far: several checks read the same ones. */
  readonly #documents = new Map<string, { schema: z.ZodType; value: unknown }>();

  private constructor(bundle: ExecutionProofBundle, payload: Uint8Array, statement: Statement) {
    this.bundle = bundle;
    this.payload = payload;
    this.digest = digestOf(payload);
    this.statement = statement;
    this.predicate = statement.predicate;
    const materials = new Map<string, Uint8Array>();
    for (const [digest, text] of Object.entries(bundle.materials)) {
      const bytes = decodeBase64(text);
      expect(bytes !== undefined, "EXO_BUNDLE", `material ${digest} is not standard padded base64`);
      materials.set(digest, bytes);
    }
    this.materials = materials;
  }

  /** Opens a bundle file. Ends the check: EXO_BUNDLE, EXO_JSON_*, EXO_SCHEMA (failed), EXO_REVISION (unable). */
  static open(bytes: Uint8Array): Evidence {
    const bundle = parseDocument(bundleSchema, bytes, "bundle");
    expect(
      bundle.envelope.payloadType === payloadTypes.statement,
      "EXO_BUNDLE",
      "the payload is not an in-toto statement",
    );
    const payload = decodeBase64(bundle.envelope.payload);
    expect(payload !== undefined, "EXO_BUNDLE", "the envelope's payload is not standard padded base64");
    const revision = bundleRevisionOf(payload);
    if (revision !== bundleRevision) {
      unable(
        "EXO_REVISION",
        `the bundle has layout revision ${JSON.stringify(revision)}; this build knows ${bundleRevision}`,
      );
    }
    return new Evidence(bundle, payload, parseDocument(statementSchema, payload, "statement"));
  }

  /** Digests of all materials the statement names under a role, in its order. */
  digestsOf(role: MaterialRole): readonly Digest[] {
    return this.predicate.materials.filter((entry) => entry.role === role).map((entry) => entry.digest);
  }

  /** Content of a material (salt removed) that must be named under `role`. */
  content(digest: Digest, role: MaterialRole): Uint8Array {
    const named = this.predicate.materials.some((entry) => entry.digest === digest && entry.role === role);
    expect(named, "EXO_MATERIAL_SET", `the statement names no ${role} ${digest}`);
    const bytes = this.materials.get(digest);
    if (bytes === undefined) return unable("EXO_MATERIAL_MISSING", `${role} ${digest} is not in the bundle`);
    expect(digestOf(bytes) === digest, "EXO_MATERIAL_DIGEST", `the bytes of ${role} ${digest} have another digest`);
    if (!materialRoles[role].salted) return bytes;
    const content = unsalt(bytes);
    expect(content !== undefined, "EXO_MATERIAL_DIGEST", `${role} ${digest} is too short to hold a salt`);
    return content;
  }

  /** A JSON document among the materials. */
  document<T>(digest: Digest, role: MaterialRole, schema: z.ZodType<T>): T {
    const key = `${role} ${digest}`;
    const known = this.#documents.get(key);
    if (known?.schema === schema) return known.value as T;
    const value = parseDocument(schema, this.content(digest, role), role);
    this.#documents.set(key, { schema, value });
    return value;
  }

  /** The only digest under a role; the check does not apply when there is none. */
  only(role: MaterialRole): Digest {
    const digests = this.digestsOf(role);
    expect(digests.length <= 1, "EXO_MATERIAL_SET", `expected one ${role}, got ${digests.length}`);
    return digests[0] ?? notApplicable(`no ${role} in this bundle`);
  }

  /** The intent. */
  intent(): ActionIntent {
    return this.document(this.only("intent"), "intent", intentSchema);
  }

  /** The manifest and the function that the intent names. */
  invocation(): { manifest: ExecutorManifest; fn: ManifestFunction; intent: ActionIntent } {
    const intent = this.intent();
    const manifest = this.document(this.only("manifest"), "manifest", manifestSchema);
    const fn = manifest.functions.find(
      (entry) => entry.name === intent.executor?.function && entry.action === intent.action,
    );
    expect(
      fn !== undefined && manifest.name === intent.executor?.name,
      "EXO_CHECK_FAILED",
      "the manifest is not of the executor and function that the intent names",
    );
    return { manifest, fn, intent };
  }

  /** Headers of the intent's events, in order. */
  events(): readonly BundleEvent[] {
    return this.predicate.events.map(({ eventType, digest }) => {
      const header = this.document(digest, "event", eventHeaderSchema);
      expect(
        header.eventType === eventType,
        "EXO_CHECK_FAILED",
        `event ${digest} is ${header.eventType}, not ${eventType}`,
      );
      return { header, digest };
    });
  }

  /** Payload of an event, checked against its type's contract. */
  payloadOf<T extends EventType>(event: BundleEvent, type: T): EventPayload<T> {
    return this.document(
      event.header.payloadDigest,
      "event_payload",
      eventPayloads[type] as unknown as z.ZodType<EventPayload<T>>,
    );
  }

  /** All events of a type, with payloads. */
  eventsOf<T extends EventType>(type: T): readonly { event: BundleEvent; index: number; payload: EventPayload<T> }[] {
    return this.events().flatMap((event, index) =>
      event.header.eventType === type ? [{ event, index, payload: this.payloadOf(event, type) }] : [],
    );
  }

  /** The start of the execution; the check does not apply when nothing was started. */
  started(): { event: BundleEvent; index: number; payload: EventPayload<"execution_started"> } {
    return this.eventsOf("execution_started")[0] ?? notApplicable("nothing was executed");
  }
}

/** Reads revisions.bundle before the schema of this revision is applied. */
function bundleRevisionOf(payload: Uint8Array): JsonValue {
  let value: JsonValue;
  try {
    value = parseCanonical(payload, { maxBytes: maxBundleBytes });
  } catch (error) {
    if (isExoArmurError(error)) return fail(error.code, `statement: ${error.message}`);
    throw error;
  }
  let current: JsonValue | undefined = value;
  for (const key of ["predicate", "revisions", "bundle"]) {
    const isObject: boolean = typeof current === "object" && current !== null && !Array.isArray(current);
    current = isObject ? (current as { [key: string]: JsonValue })[key] : undefined;
  }
  return current ?? fail("EXO_BUNDLE", "the statement names no bundle revision");
}
