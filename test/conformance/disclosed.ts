import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import type { CallDisclosure } from "../../src/contracts/call-disclosure.js";
import { concatBytes, decodeBase64, encodeBase64 } from "../../src/crypto/encoding.js";
import type { ErrorCode } from "../../src/errors.js";
import { transcriptRoot } from "../../src/log/transcript.js";
import { discloseCall } from "../../src/pipeline/disclose.js";
import type { Bundles, Ending } from "../support/bundles.js";
import { type ForgeSigners, type Loose, loggedLeaf } from "../support/forge.js";
import { keys } from "../support/world.js";
import { cosignedBundle, witnessKey } from "../verify/forgeries-log.js";
import type { Case } from "./vector.js";

type Document = { -readonly [Name in keyof CallDisclosure]: CallDisclosure[Name] };

/** A disclosed call taken apart. */
type Parts = { call: Loose; header: Loose; payload: Loose; document: Document };

const bytesOf = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array();
const read = (bytes: Uint8Array): Document => parseCanonical(bytes) as unknown as Document;
const write = (document: object): Uint8Array => canonicalize(document as never);

/** Edits the document behind the salt of a material. */
function salted(text: string, change: (value: Loose) => unknown): string {
  const bytes = bytesOf(text);
  const value = parseCanonical(bytes.slice(32)) as Loose;
  change(value);
  return encodeBase64(concatBytes(bytes.slice(0, 32), canonicalize(value)));
}

/** Members changed, and nothing made again. */
const edited =
  (change: (document: Document) => unknown) =>
  (bytes: Uint8Array): Uint8Array => {
    const document = read(bytes);
    change(document);
    return write(document);
  };

/** What a runtime could sign: the call, record and event of its only call changed, and everything after it made again. */
async function relogged(
  bytes: Uint8Array,
  change: (parts: Parts) => unknown = () => undefined,
  signers: ForgeSigners = {},
): Promise<Uint8Array> {
  const document = read(bytes);
  const [call, payload] = [bytesOf(document.call), bytesOf(document.payload)];
  const parts: Parts = {
    call: parseCanonical(call.slice(32)),
    payload: parseCanonical(payload.slice(32)),
    header: parseCanonical(bytesOf(document.event)),
    document,
  };
  const before = canonicalize(parts.call);
  change(parts);
  const written = concatBytes(call.slice(0, 32), canonicalize(parts.call));
  const isSame = digestOf(canonicalize(parts.call)) === digestOf(before);
  if (!isSame) parts.payload.execution.transcript.root = transcriptRoot([digestOf(written)]);
  const record = concatBytes(payload.slice(0, 32), canonicalize(parts.payload));
  const header = canonicalize({ ...parts.header, payloadDigest: digestOf(record) });
  return write({
    ...document,
    call: encodeBase64(written),
    payload: encodeBase64(record),
    event: encodeBase64(header),
    logProof: await loggedLeaf("event", digestOf(header), 62, signers),
  });
}

type Row = readonly [
  about: string,
  check: string,
  code: ErrorCode,
  make: (bytes: Uint8Array, other: Document) => Uint8Array,
];

const failed = "EXO_CHECK_FAILED";
const row = (
  about: string,
  check: string,
  code: ErrorCode,
  change: (document: Document, other: Document) => unknown,
): Row => [about, check, code, (bytes, other) => edited((document) => change(document, other))(bytes)];

/** Changes of members alone. `other` is the call of another run in the same log. */
const rows: readonly Row[] = [
  row("another answer", "transcript", failed, (d) => {
    d.call = salted(d.call, (call) => {
      call.response = "gA";
      call.responseDigest = digestOf(Uint8Array.of(128));
    });
  }),
  row("another outcome", "transcript", failed, (d) => (d.call = salted(d.call, (call) => (call.outcome = "denied")))),
  row("another number", "transcript", failed, (d) => (d.call = salted(d.call, (call) => (call.seq = 1)))),
  row("another salt", "transcript", failed, (d) => {
    const bytes = bytesOf(d.call).slice();
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    d.call = encodeBase64(bytes);
  }),
  row("the call of another run", "transcript", failed, (d, other) => (d.call = other.call)),
  row("a path of a hash too many", "transcript", failed, (d) => (d.path = [encodeBase64(new Uint8Array(32))])),
  row("a path that is no hash", "transcript", failed, (d) => (d.path = [encodeBase64(new Uint8Array(5))])),
  row("the record of another run", "payload", "EXO_MATERIAL_DIGEST", (d, other) => (d.payload = other.payload)),
  row("another salt on the record", "payload", "EXO_MATERIAL_DIGEST", (d) => {
    const bytes = bytesOf(d.payload).slice();
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    d.payload = encodeBase64(bytes);
  }),
  row("the event of another run", "inclusion", "EXO_LOG_PROOF", (d, other) => (d.event = other.event)),
  row("another run's place in the log", "inclusion", "EXO_LOG_PROOF", (d, other) => (d.logProof = other.logProof)),
  row("another index", "inclusion", "EXO_LOG_PROOF", (d) => (d.logProof = d.logProof.replace(/index \d+/, "index 0"))),
  row("a hash of the proof left out", "inclusion", "EXO_LOG_PROOF", (d) => {
    d.logProof = d.logProof.replace(/(index \d+\n)[^\n]+\n/, "$1");
  }),
  row("another size under the log's signature", "checkpoint", "EXO_SIGNATURE", (d) => {
    d.logProof = d.logProof.replace(/\n64\n/, "\n63\n");
  }),
  row(
    "a call shorter than a salt",
    "format",
    "EXO_MATERIAL_DIGEST",
    (d) => (d.call = encodeBase64(new Uint8Array(31))),
  ),
  row("a call that is no JSON", "format", "EXO_JSON_SYNTAX", (d) => (d.call = encodeBase64(new Uint8Array(40)))),
  row("a call without its padding", "format", "EXO_SCHEMA", (d) => (d.call = d.call.replace(/=*$/, "").slice(0, -1))),
  row("no proof", "format", "EXO_LOG_PROOF", (d) => (d.logProof = "")),
  row("a path in one text", "format", "EXO_SCHEMA", (d) => (d.path = "" as never)),
  row("a member more", "format", "EXO_SCHEMA", (d) => ((d as Loose).extra = 1)),
  row("no event", "format", "EXO_SCHEMA", (d) => delete (d as Loose).event),
  ["a line feed at the end", "format", "EXO_JSON_NOT_CANONICAL", (bytes) => Uint8Array.of(...bytes, 10)],
];

/** What the runtime and the log would have to have signed. */
const signed: readonly (readonly [
  about: string,
  check: string,
  code: ErrorCode,
  change: (parts: Parts) => unknown,
  signers?: ForgeSigners,
])[] = [
  ["a request with another digest", "call", failed, ({ call }) => (call.request = "gA")],
  ["an answer with another digest", "call", failed, ({ call }) => (call.response = "gA")],
  ["a file that somebody else vouches for", "answers", failed, ({ call }) => (call.assurance = "unauthenticated")],
  ["a second call's place", "transcript", failed, ({ call }) => (call.seq = 1)],
  ["a transcript of two calls", "transcript", failed, ({ payload }) => (payload.execution.transcript.size = 2)],
  ["an event that records no execution", "transcript", failed, ({ header }) => (header.eventType = "policy_evaluated")],
  ["a checkpoint signed by another key", "checkpoint", "EXO_SIGNATURE", () => undefined, { log: keys.mallory }],
  ["a checkpoint of another log", "checkpoint", "EXO_TRUST", () => undefined, { origin: "exoarmur/other" }],
];

/** One host call disclosed alone (spec/verification.md, One call). `answered` are calls with signed answers. */
export async function disclosedCases(all: Bundles, answered: readonly Case[]): Promise<Case[]> {
  const { trust } = all;
  const disclose = (ending: Ending): Uint8Array =>
    discloseCall(all.rig.store, all.rig.ledger, all.intentIds[ending], 0);
  const honest = (["executed", "failed", "written", "resolved"] as const).map(
    (ending): Case => ({ about: `call: of a run that ended as ${ending}`, bytes: disclose(ending), trust }),
  );
  const again = (bytes: Uint8Array): Promise<Uint8Array> => relogged(bytes);
  const twin: Case = { about: "call: of executed, in another log", bytes: await again(disclose("executed")), trust };
  const other = read(await again(disclose("written")));
  const asking = { ...trust, witnesses: { threshold: 1, vkeys: [witnessKey("w1")] } };
  const witnessed: Case = {
    about: "call: of executed, cosigned by the witness that the trust file asks for",
    bytes: await cosignedBundle(twin.bytes),
    trust: asking,
  };
  const unlogged: Case = {
    ...twin,
    about: "call: under a trust file that knows no log",
    trust: { ...trust, logs: [] },
  };
  const forged = signed.map(async ([about, check, code, change, signers]): Promise<Case> => {
    const bytes = await relogged(twin.bytes, change, signers);
    return { about: `call: ${about}`, bytes, trust, wrong: { check, code }, twin };
  });
  return [
    ...honest,
    twin,
    witnessed,
    {
      ...twin,
      about: "call: not cosigned, where the trust file asks for it",
      trust: asking,
      wrong: { check: "witnesses", code: "EXO_SIGNATURE" },
      twin,
    },
    { ...unlogged, wrong: { check: "checkpoint", code: "EXO_TRUST" }, twin },
    ...rows.map(([about, check, code, make]): Case => {
      return { about: `call: ${about}`, bytes: make(twin.bytes, other), trust, wrong: { check, code }, twin };
    }),
    ...(await Promise.all(forged)),
    ...answered,
  ];
}
