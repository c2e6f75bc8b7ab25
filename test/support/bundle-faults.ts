import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import { formatTime } from "../../src/canonical/time.js";
import type { MaterialRole } from "../../src/contracts/bundle.js";
import { decodeBase64, encodeBase64 } from "../../src/crypto/encoding.js";
import type { Random } from "../wasm/generate/random.js";
import { Forge, type Loose, repack, rewriteCall } from "./forge.js";

/** Changes a bundle from outside, before a node gets its copy of it; another random source, another change. */
export type FaultOf = (bundle: Uint8Array, random: Random) => Uint8Array | Promise<Uint8Array>;

/** Every kind of fault, made without a key: bytes change, signatures stay. */
export const crudeFaults = {
  payload: flipped("event_payload"),
  type: statementEdit(({ predicate }, random) => {
    const event = random.one(predicate.events as Loose[]);
    event.eventType = event.eventType === "policy_evaluated" ? "safety_evaluated" : "policy_evaluated";
  }),
  sequence: materialEdit("event", (header, random) => {
    header.sequence += 1 + random.next(5);
  }),
  deletion: statementEdit(({ predicate }, random) => predicate.events.splice(random.next(predicate.events.length), 1)),
  field: statementEdit(({ predicate }, random) => {
    predicate[random.one(["tenantId", "cellId", "correlationId"])] = `other-${random.next(1000)}`;
  }),
  hash: statementEdit(({ predicate }, random) => {
    random.one(predicate.materials as Loose[]).digest = `sha256:${random.bits().toString(16).padStart(64, "0")}`;
  }),
  transcript: flipped("host_call"),
  wasm: flipped("plugin"),
} as const satisfies Record<string, FaultOf>;

/** A kind of fault. */
export type FaultKind = keyof typeof crudeFaults;

/** The kinds. */
export const faultKinds = Object.keys(crudeFaults) as FaultKind[];

/**
 * The same kinds by somebody who holds the keys of runtime and log: every digest follows, everything is signed again. Some
 * of these copies replay without a fault, as the records of another run would.
 */
export const forgedFaults: Readonly<Record<FaultKind, FaultOf>> = {
  payload: forgery(async (forge, random) => {
    await forge.payload("policy_evaluated", (payload) => {
      payload.decision.decisionId = `01KG9MFNK8Y6G41QR74${random.bits().toString().slice(0, 7).padStart(7, "0")}`;
    });
  }),
  type: forgery(async (forge, random) => {
    await forge.header(1 + random.next(4), (header) => {
      header.eventType = "execution_failed";
    });
  }),
  sequence: forgery(async (forge, random) => {
    await forge.relink(1 + random.next(5));
  }),
  deletion: forgery(async (forge, random) => {
    await forge.removeEvent(random.next(forge.predicate.events.length));
  }),
  field: forgery(async (forge, random) => {
    await forge.header(-1, (header) => {
      header.recordedAt = formatTime(Date.parse(header.recordedAt) + 1 + random.next(1000));
    });
  }),
  hash: forgery(async (forge, random) => {
    await forge.execution((record) => {
      record.inputDigest = `sha256:${random.bits().toString(16).padStart(64, "0")}`;
    });
  }),
  transcript: forgery(async (forge, random) => {
    await forge.hostCall((call) =>
      rewriteCall(call, "response", (answer) => {
        const { bytes } = answer.ok as { bytes: Uint8Array };
        const at = random.next(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
      }),
    );
  }),
  wasm: forgery(async (forge, random) => {
    // A custom section more: another module with the same code.
    const plugin = forge.content("plugin");
    await forge.set("plugin", new Uint8Array([...plugin, 0, 3, 1, 0x78, random.next(256)]));
  }),
};

/** Bytes of one material change under a digest that stays. */
function flipped(role: MaterialRole): FaultOf {
  return (bytes, random) =>
    withMaterial(bytes, role, random, (content) => {
      const at = random.next(content.length);
      content[at] = (content[at] ?? 0) ^ (1 << random.next(8));
      return content;
    });
}

function materialEdit(role: MaterialRole, change: (document: Loose, random: Random) => unknown): FaultOf {
  return (bytes, random) =>
    withMaterial(bytes, role, random, (content) => {
      const document = structuredClone(parseCanonical(content)) as Loose;
      change(document, random);
      return canonicalize(document);
    });
}

function withMaterial(
  bytes: Uint8Array,
  role: MaterialRole,
  random: Random,
  change: (content: Uint8Array) => Uint8Array,
): Uint8Array {
  const digest = random.one(new Forge(bytes).digests(role));
  return repack(bytes, ({ materials }) => {
    materials[digest] = encodeBase64(change((decodeBase64(materials[digest]) as Uint8Array).slice()));
  });
}

function statementEdit(change: (statement: Loose, random: Random) => unknown): FaultOf {
  return (bytes, random) =>
    repack(bytes, ({ envelope }) => {
      const statement = structuredClone(parseCanonical(decodeBase64(envelope.payload) as Uint8Array)) as Loose;
      change(statement, random);
      envelope.payload = encodeBase64(canonicalize(statement));
    });
}

function forgery(change: (forge: Forge, random: Random) => Promise<void>): FaultOf {
  return async (bytes, random) => {
    const forge = new Forge(bytes);
    await change(forge, random);
    return await forge.pack();
  };
}
