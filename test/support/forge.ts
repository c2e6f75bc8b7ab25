import { type Digest, digestOf } from "../../src/canonical/digest.js";
import { canonicalize, type JsonValue } from "../../src/canonical/jcs.js";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { parseCanonical } from "../../src/canonical/read.js";
import {
  type ExecutionProofBundle,
  type MaterialRole,
  materialRoles,
  type Predicate,
  type Statement,
} from "../../src/contracts/bundle.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { EventHeader, EventType } from "../../src/contracts/event.js";
import {
  concatBytes,
  decodeBase64,
  decodeBase64Url,
  decodeUtf8,
  encodeBase64,
  encodeBase64Url,
  encodeUtf8,
} from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { signCheckpoint } from "../../src/log/checkpoint.js";
import { type LeafKind, leafBytes } from "../../src/log/leaf.js";
import { formatProofFile } from "../../src/log/proof-file.js";
import { transcriptRoot } from "../../src/log/transcript.js";
import { leafHash, nodeHash } from "../../src/log/tree.js";
import type { AbiValue, Signer } from "../../src/ports.js";
import { encodeBundle } from "../../src/proof/bundle.js";
import { keys, origin } from "./world.js";

/** Any JSON document a forger edits in place: not held to contracts. */
export type Loose = ReturnType<typeof JSON.parse>;

/** Changes what a recorded call asked for or what came of it, digests included. */
export function rewriteCall(call: Loose, part: "request" | "response", change: (value: Loose) => void): void {
  const value = structuredClone(decodeAbi(decodeBase64Url(call[part]) as Uint8Array)) as Loose;
  change(value);
  const written = encodeAbi(value as AbiValue);
  call[part] = encodeBase64Url(written);
  call[`${part}Digest`] = digestOf(written);
}

/** Who signs what of a forged bundle; whatever is left out is signed by the honest key. */
export type ForgeSigners = { readonly runtime?: Signer; readonly log?: Signer; readonly origin?: string };

const signersByRole: Partial<Record<MaterialRole, string>> = {
  approval_grant: payloadTypes.approvalGrant,
  manifest_envelope: payloadTypes.manifest,
  policy_envelope: payloadTypes.policy,
  resolution: payloadTypes.resolution,
};

function clone<T>(value: T): T {
  return structuredClone(value);
}

/**
 * A bundle taken apart. Edits change materials, events or the statement; `pack` recomputes every digest up to the
 * statement, signs it and logs it, so that only what was meant to be wrong is wrong.
 */
export class Forge {
  statement: Statement;
  /** Bytes by the digest under which they are named now. */
  readonly materials = new Map<string, Uint8Array>();
  readonly #bundle: ExecutionProofBundle;
  /** Keys that sign envelopes again when what they signed was renamed, by key id. */
  readonly #signers = new Map<string, Signer>(Object.values(keys).map((signer) => [signer.keyId, signer]));

  constructor(bytes: Uint8Array) {
    this.#bundle = parseCanonical(bytes) as unknown as ExecutionProofBundle;
    this.statement = parseCanonical(decodeBase64(this.#bundle.envelope.payload) as Uint8Array) as unknown as Statement;
    for (const [digest, text] of Object.entries(this.#bundle.materials)) {
      this.materials.set(digest, decodeBase64(text) as Uint8Array);
    }
  }

  get predicate(): Predicate {
    return this.statement.predicate;
  }

  digests(role: MaterialRole): Digest[] {
    return this.predicate.materials.filter((entry) => entry.role === role).map((entry) => entry.digest);
  }

  /** The content of a material, salt removed. */
  content(role: MaterialRole, index = 0): Uint8Array {
    const bytes = this.materials.get(this.#at(role, index));
    if (bytes === undefined) throw new Error(`no bytes of ${role} ${index}`);
    return materialRoles[role].salted ? bytes.slice(32) : bytes;
  }

  json(role: MaterialRole, index = 0): Loose {
    return clone(parseCanonical(this.content(role, index)));
  }

  /** Replaces a material's content, keeping its salt, and renames it wherever it is named. */
  async set(role: MaterialRole, content: Uint8Array, index = 0): Promise<void> {
    const digest = this.#at(role, index);
    const salt = materialRoles[role].salted
      ? (this.materials.get(digest)?.subarray(0, 32) ?? new Uint8Array(32))
      : new Uint8Array(0);
    this.materials.set(digest, concatBytes(salt, content));
    await this.#settle();
  }

  /** Edits a JSON material. */
  async edit(role: MaterialRole, change: (document: Loose) => unknown, index = 0): Promise<this> {
    const document = this.json(role, index);
    change(document);
    await this.set(role, canonicalize(document), index);
    return this;
  }

  /** Edits the payload of the n-th event of a type. */
  async payload(type: EventType, change: (payload: Loose) => unknown, index = 0): Promise<this> {
    const header = this.headers().filter((entry) => entry.eventType === type)[index];
    if (header === undefined) throw new Error(`no ${type} ${index}`);
    return await this.edit(
      "event_payload",
      change,
      this.digests("event_payload").indexOf(header.payloadDigest as Digest),
    );
  }

  /** Edits the header of the event at a place in the intent's life. */
  async header(at: number, change: (header: Loose) => unknown): Promise<this> {
    const digest = this.predicate.events.at(at)?.digest as Digest;
    await this.edit("event", change, this.digests("event").indexOf(digest));
    return this;
  }

  headers(): EventHeader[] {
    return this.predicate.events.map(
      ({ digest }) => parseCanonical(this.materials.get(digest) as Uint8Array) as unknown as EventHeader,
    );
  }

  /** Edits an execution record everywhere it stands: predicate and terminal event. */
  async execution(change: (record: Loose) => unknown): Promise<this> {
    change(this.predicate.execution);
    const type = this.predicate.events.at(-1)?.eventType as EventType;
    return await this.payload(type === "execution_resolved" ? "execution_in_doubt" : type, (payload) =>
      change(payload.execution),
    );
  }

  /** Edits one host call; the transcript's root follows. */
  async hostCall(change: (call: Loose) => unknown, index = 0): Promise<this> {
    await this.edit("host_call", change, index);
    return await this.retranscribe();
  }

  /** Makes the recorded root and size those of the host calls the statement names now. */
  async retranscribe(): Promise<this> {
    const calls = this.digests("host_call");
    return await this.execution((record) => {
      record.transcript = { root: transcriptRoot(calls), size: calls.length };
    });
  }

  /** Adds a material under a role, at the end of that role's list. */
  add(role: MaterialRole, content: Uint8Array, salt = new Uint8Array(32)): Digest {
    const bytes = materialRoles[role].salted ? concatBytes(salt, content) : content;
    const digest = digestOf(bytes);
    this.materials.set(digest, bytes);
    const last = this.predicate.materials.findLastIndex((entry) => entry.role === role);
    const at = last < 0 ? this.predicate.materials.length : last + 1;
    this.predicate.materials.splice(at, 0, { role, digest, salted: materialRoles[role].salted });
    return digest;
  }

  /** Stops naming a material, and leaves it out. */
  drop(role: MaterialRole, index = 0): this {
    const digest = this.#at(role, index);
    this.predicate.materials = this.predicate.materials.filter(
      (entry) => entry.role !== role || entry.digest !== digest,
    );
    if (!this.predicate.materials.some((entry) => entry.digest === digest)) this.materials.delete(digest);
    return this;
  }

  /** Adds an event at a place of the intent's life; sequence and links follow. */
  async insertEvent(at: number, header: Loose, payload: unknown): Promise<this> {
    const salt = new Uint8Array(32).fill(at + 1);
    const payloadDigest = this.add("event_payload", canonicalize(payload), salt);
    const near = this.headers().at(Math.min(at, this.predicate.events.length - 1));
    const whole = { ...near, eventId: `01JZZZZZZZZZZZZZZZZZZZZZ${String(10 + at)}`, ...header, payloadDigest };
    const digest = this.add("event", canonicalize(whole));
    this.predicate.events.splice(at, 0, { eventType: whole.eventType, digest });
    return await this.relink();
  }

  /** Leaves an event out; sequence and links follow. */
  async removeEvent(at: number): Promise<this> {
    const [gone] = this.predicate.events.splice(at, 1);
    const header = parseCanonical(this.materials.get(gone?.digest ?? "") as Uint8Array) as unknown as EventHeader;
    this.drop("event", this.digests("event").indexOf(gone?.digest as Digest));
    this.drop("event_payload", this.digests("event_payload").indexOf(header.payloadDigest as Digest));
    return await this.relink();
  }

  /** Numbers and links the events as they stand, from the first one's number. */
  async relink(from = 0): Promise<this> {
    for (let at = 0; at < this.predicate.events.length; at += 1) {
      const previous = at === 0 ? null : this.predicate.events[at - 1]?.digest;
      await this.header(at, (header) => {
        header.sequence = from + at;
        if (at > 0 || from === 0) header.previous = previous;
      });
    }
    return this;
  }

  /** Replaces an envelope among the materials by one of another payload or signer. */
  async resign(
    role: "approval_grant" | "manifest_envelope" | "policy_envelope" | "resolution",
    signer: Signer,
    change: (payload: Loose) => unknown = () => undefined,
    index = 0,
  ): Promise<this> {
    const envelope = this.json(role, index) as Envelope;
    const payload = clone(parseCanonical(decodeBase64(envelope.payload) as Uint8Array)) as Loose;
    change(payload);
    this.#signers.set(signer.keyId, signer);
    await this.set(role, canonicalize(await signEnvelope(envelope.payloadType, canonicalize(payload), signer)), index);
    return this;
  }

  /** Replaces a listed key, such as the one a self-check would use. */
  listKey(role: Predicate["keys"][number]["role"], signer: Signer): this {
    this.predicate.keys = this.predicate.keys.filter((key) => key.role !== role);
    this.predicate.keys.push({ role, keyId: keyIdOf(signer.publicKey), publicKey: encodeBase64(signer.publicKey) });
    return this;
  }

  /** The bundle as parts, statement signed and logged under a small tree of its own. */
  async parts(
    signers: ForgeSigners = {},
  ): Promise<{ envelope: Envelope; materials: Map<Digest, Uint8Array>; logProof: string }> {
    const payload = canonicalize(this.statement);
    const envelope = await signEnvelope(payloadTypes.statement, payload, signers.runtime ?? keys.runtime);
    return { envelope, materials: this.materials as Map<Digest, Uint8Array>, logProof: await logged(payload, signers) };
  }

  /** The forged file. */
  async pack(signers: ForgeSigners = {}): Promise<Uint8Array> {
    return encodeBundle(await this.parts(signers));
  }

  #at(role: MaterialRole, index: number): Digest {
    const digest = this.digests(role)[index];
    if (digest === undefined) throw new Error(`no ${role} ${index}`);
    return digest;
  }

  /** Renames every material whose bytes have another digest than its name, in whatever names it, until none is left. */
  async #settle(): Promise<void> {
    for (;;) {
      const stale = [...this.materials].find(([name, bytes]) => digestOf(bytes) !== name);
      if (stale === undefined) return;
      const [name, bytes] = stale;
      const now = digestOf(bytes);
      this.materials.delete(name);
      for (const [other, content] of this.materials) {
        this.materials.set(
          other,
          (await this.#renamedEnvelope(other, content, name, now)) ?? replaceText(content, name, now),
        );
      }
      this.materials.set(now, bytes);
      const text = JSON.stringify(this.statement).replaceAll(name, now).replaceAll(name.slice(7), now.slice(7));
      this.statement = JSON.parse(text) as Statement;
    }
  }

  /** An envelope that signs the old name, signed again over the new one. */
  async #renamedEnvelope(digest: string, bytes: Uint8Array, from: string, to: string): Promise<Uint8Array | null> {
    const role = this.predicate.materials.find((entry) => entry.digest === digest)?.role;
    if (role === undefined || signersByRole[role] === undefined) return null;
    let envelope: Envelope;
    try {
      envelope = parseCanonical(bytes) as unknown as Envelope;
    } catch {
      return null;
    }
    const payload = decodeUtf8(decodeBase64(envelope.payload) ?? new Uint8Array(0)) ?? "";
    const signer = this.#signers.get(envelope.signatures[0]?.keyid ?? "");
    if (!payload.includes(from) || signer === undefined) return null;
    return canonicalize(await signEnvelope(envelope.payloadType, encodeUtf8(payload.replaceAll(from, to)), signer));
  }
}

/** Replaces ASCII text of one length by text of the same, in any bytes. */
function replaceText(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const needle = encodeUtf8(from);
  let out = bytes;
  for (let at = indexOf(bytes, needle, 0); at >= 0; at = indexOf(bytes, needle, at + needle.length)) {
    if (out === bytes) out = bytes.slice();
    out.set(encodeUtf8(to), at);
  }
  return out;
}

function indexOf(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  const [first = 0] = needle;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (needle.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}

/** Hashes that a leaf of a log of 64 meets on the way to the root. */
const others = [..."abcdef"].map((name) => leafHash(encodeUtf8(name)));

/** A proof that a statement is leaf 62 of a log of 64. */
async function logged(payload: Uint8Array, signers: ForgeSigners = {}): Promise<string> {
  return await loggedLeaf("bundle", digestOf(payload), 62, signers);
}

/** A proof that something is a leaf of a log of 64, whose other leaves nobody knows. */
export async function loggedLeaf(
  kind: LeafKind,
  digest: Digest,
  index: number,
  signers: ForgeSigners = {},
): Promise<string> {
  const root = others.reduce(
    (hash, other, level) => ((index >> level) % 2 === 1 ? nodeHash(other, hash) : nodeHash(hash, other)),
    leafHash(leafBytes(kind, digest)),
  );
  const tree = { origin: signers.origin ?? origin, size: 64, root };
  const checkpoint = await signCheckpoint(tree, signers.log ?? keys.log);
  return formatProofFile({ index, proof: others, checkpoint });
}

/** A bundle file's members, changed and written again. Nothing is signed. */
export function repack(bytes: Uint8Array, change: (bundle: Loose) => unknown): Uint8Array {
  const bundle = clone(parseCanonical(bytes)) as JsonValue;
  change(bundle);
  return canonicalize(bundle);
}
