import type { Trust } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { cosignature, formatNote, parseNote } from "../../src/crypto/note.js";
import { formatVkey, noteKey } from "../../src/crypto/note-key.js";
import { formatProofFile, parseProofFile } from "../../src/log/proof-file.js";
import type { Signer } from "../../src/ports.js";
import { encodeBundle } from "../../src/proof/bundle.js";
import { Forge, repack } from "../support/forge.js";
import { keys } from "../support/world.js";
import type { Forgery } from "./forgery.js";

function withProof(bytes: Uint8Array, change: (proof: ReturnType<typeof parseProofFile>) => object): Uint8Array {
  return repack(bytes, (bundle) => {
    const proof = parseProofFile(bundle.logProof);
    bundle.logProof = formatProofFile({ ...proof, ...change(proof) });
  });
}

async function cosigned(
  bytes: Uint8Array,
  names: readonly string[],
  seconds: (name: string) => number = () => 1_770_000_000,
): Promise<Uint8Array> {
  const { logProof } = JSON.parse(new TextDecoder().decode(bytes)) as { logProof: string };
  const { text, signatures } = parseNote(parseProofFile(logProof).checkpoint);
  const lines = await Promise.all(
    names.map((name) => cosignature(text, name, witnesses[name] ?? keys.carol, seconds(name))),
  );
  return withProof(bytes, () => ({ checkpoint: formatNote(text, [...signatures, ...lines]) }));
}

/** Witnesses with keys of their own; every other name is carol's. */
const witnesses: Readonly<Record<string, Signer>> = { other: keys.mallory };

export const witnessKey = (name: string): string =>
  formatVkey(noteKey(name, (witnesses[name] ?? keys.carol).publicKey, 4));

/** Seconds since 1970 at which the approval request of a bundle expires. */
function expiryOf(bytes: Uint8Array): number {
  const { expiresAt } = new Forge(bytes).json("approval_request") as { expiresAt: string };
  return Math.floor(Date.parse(expiresAt) / 1000);
}

const asksWitnessed =
  (threshold: number, ...names: readonly string[]) =>
  (trust: Trust): Trust => ({
    ...trust,
    witnesses: { threshold, vkeys: names.map(witnessKey) },
    require: ["witnessed"],
  });

export const logForgeries: readonly Forgery[] = [
  {
    check: "inclusion",
    name: "another index",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes) => withProof(bytes, ({ index }) => ({ index: index - 1 })),
  },
  {
    check: "inclusion",
    name: "a truncated proof",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes) => withProof(bytes, ({ proof }) => ({ proof: proof.slice(0, -1) })),
  },
  {
    check: "inclusion",
    name: "a hash too many",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes) => withProof(bytes, ({ proof }) => ({ proof: [...proof, new Uint8Array(32)] })),
  },
  {
    check: "inclusion",
    name: "extra data that nothing signs",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes) => withProof(bytes, () => ({ extra: encodeUtf8("trust me") })),
  },
  {
    check: "inclusion",
    name: "another bundle's proof",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes, all) => repack(bytes, (b) => repack(all.bytes.denied, (other) => (b.logProof = other.logProof))),
  },
  {
    check: "inclusion",
    name: "an older, smaller checkpoint of the log",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: (_f, bytes, all) => withProof(bytes, () => ({ checkpoint: all.earlier })),
  },
  {
    check: "inclusion",
    name: "a newer, larger checkpoint of the log",
    of: "executed",
    code: "EXO_LOG_PROOF",
    make: async (_f, bytes, all) => {
      await all.rig.activate([], all.rig.ledger.size + 2);
      const checkpoint = all.rig.ledger.checkpoint();
      return withProof(bytes, () => ({ checkpoint }));
    },
  },
  {
    check: "inclusion",
    name: "a statement signed again and not logged",
    of: "denied",
    code: "EXO_LOG_PROOF",
    make: async (f, bytes) => {
      f.predicate.keys.reverse();
      const { envelope, materials } = await f.parts();
      let logProof = "";
      repack(bytes, (b) => (logProof = b.logProof));
      return encodeBundle({ envelope, materials, logProof });
    },
  },
  {
    check: "inclusion",
    name: "no proof",
    of: "executed",
    code: "EXO_MATERIAL_MISSING",
    state: "unable",
    caught: ["inclusion", "checkpoint"],
    make: (_f, bytes) => repack(bytes, (b) => (b.logProof = "")),
  },
  {
    check: "inclusion",
    name: "a proof that is none",
    of: "executed",
    code: "EXO_LOG_PROOF",
    caught: ["inclusion", "checkpoint"],
    make: (_f, bytes) => repack(bytes, (b) => (b.logProof = "<script>alert(1)</script>\n\n")),
  },
  {
    check: "checkpoint",
    name: "signed by another key",
    of: "executed",
    code: "EXO_SIGNATURE",
    make: (f) => f.pack({ log: keys.mallory }),
  },
  {
    check: "checkpoint",
    name: "signed by the runtime's key",
    of: "executed",
    code: "EXO_SIGNATURE",
    make: (f) => f.pack({ log: keys.runtime }),
  },
  {
    check: "checkpoint",
    name: "of another log",
    of: "executed",
    code: "EXO_TRUST",
    make: (f) => f.pack({ origin: "exoarmur/other" }),
  },
  {
    check: "witnesses",
    name: "nobody cosigned",
    of: "executed",
    code: "EXO_SIGNATURE",
    trust: (trust) => ({ ...trust, witnesses: { threshold: 1, vkeys: [witnessKey("w1")] } }),
    make: (_f, bytes) => bytes,
  },
  {
    check: "witnesses",
    name: "one key under two names",
    of: "executed",
    code: "EXO_TRUST",
    trust: (trust) => ({ ...trust, witnesses: { threshold: 2, vkeys: [witnessKey("w1"), witnessKey("w2")] } }),
    make: (_f, bytes) => cosigned(bytes, ["w1", "w2"]),
  },
  {
    check: "witnesses",
    name: "one witness twice",
    of: "executed",
    code: "EXO_TRUST",
    trust: (trust) => ({ ...trust, witnesses: { threshold: 2, vkeys: [witnessKey("w1")] } }),
    make: (_f, bytes) => cosigned(bytes, ["w1", "w1"]),
  },
  {
    check: "witnesses",
    name: "witnesses required and none listed",
    of: "executed",
    code: "EXO_SIGNATURE",
    trust: (trust) => ({ ...trust, require: ["witnessed"] }),
    make: (_f, bytes) => bytes,
  },
  {
    check: "approvals",
    name: "cosigned a second after the expiry",
    of: "approved",
    code: "EXO_MATERIAL_MISSING",
    state: "unable",
    trust: asksWitnessed(0, "w1"),
    make: (_f, bytes) => cosigned(bytes, ["w1"], () => expiryOf(bytes) + 1),
  },
  {
    check: "approvals",
    name: "one of two witnesses cosigned after the expiry",
    of: "approved",
    code: "EXO_MATERIAL_MISSING",
    state: "unable",
    trust: asksWitnessed(2, "w1", "other"),
    make: (_f, bytes) => cosigned(bytes, ["w1", "other"], (name) => expiryOf(bytes) + (name === "other" ? 1 : 0)),
  },
  {
    check: "approvals",
    name: "a witness cosigned at no time",
    of: "approved",
    code: "EXO_MATERIAL_MISSING",
    state: "unable",
    trust: asksWitnessed(1, "w1"),
    make: (_f, bytes) => cosigned(bytes, ["w1"], () => 0),
  },
  {
    check: "witnesses",
    name: "an approval cosigned by a witness that nobody trusts",
    of: "approved",
    code: "EXO_SIGNATURE",
    caught: ["approvals", "witnesses"],
    trust: asksWitnessed(1, "w1"),
    make: (_f, bytes) => cosigned(bytes, ["other"], () => expiryOf(bytes)),
  },
  {
    check: "log",
    name: "the trust file asks for the log",
    of: "executed",
    code: "EXO_MATERIAL_MISSING",
    state: "unable",
    trust: (trust) => ({ ...trust, require: ["log"] }),
    make: (_f, bytes) => bytes,
  },
];

/** A bundle that enough witnesses cosigned, and the trust that asks for them. */
export async function cosignedBundle(bytes: Uint8Array): Promise<Uint8Array> {
  return await cosigned(bytes, ["w1"]);
}

/** A bundle that a witness cosigned in the second in which its approval expired, and the trust that asks for that. */
export async function witnessedApproval(bytes: Uint8Array, trust: Trust): Promise<{ bytes: Uint8Array; trust: Trust }> {
  const made = await cosigned(bytes, ["w1", "other"], () => expiryOf(bytes));
  return { bytes: made, trust: asksWitnessed(2, "w1", "other")(trust) };
}
