import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import {
  bundleMediaType,
  bundleSchema,
  materialRoles,
  predicateType,
  statementSchema,
} from "../../src/contracts/bundle.js";
import { openEnvelope, payloadTypes } from "../../src/contracts/dsse.js";
import { plainMaterial, saltedJson, saltedMaterial, saltFor, unsalt } from "../../src/contracts/material.js";
import { encodeHex } from "../../src/crypto/encoding.js";
import { transcriptRoot } from "../../src/log/transcript.js";
import { bundleHandle, encodeBundle } from "../../src/proof/bundle.js";
import { buildStatement, currentRevisions, type StatementFacts, signStatement } from "../../src/proof/statement.js";
import { keys } from "../support/world.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const digest = (name: string) => digestOf(bytes(name));
const vectors = <T>(name: string): T =>
  (JSON.parse(readFileSync(new URL(`../../spec/vectors/${name}.json`, import.meta.url), "utf8")) as { cases: T }).cases;
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

const facts: StatementFacts = {
  intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
  correlationId: "c",
  tenantId: "default",
  cellId: "local",
  events: [
    { eventType: "intent_received", digest: digest("e0") },
    { eventType: "intent_denied", digest: digest("e1") },
  ],
  materials: [
    { role: "plugin", digest: digest("p") },
    { role: "intent", digest: digest("i") },
    { role: "output", digest: digest("o") },
  ],
  verdicts: { policy: null, safety: null, final: "deny" },
  keys: [],
};

describe("statement", () => {
  test("subject 0 is the intent, subject 1 the output, wherever they stand among the materials", () => {
    const statement = buildStatement(facts);
    expect(statement.subject).toEqual([
      { name: "intent", digest: { sha256: digest("i").slice(7) } },
      { name: "output", digest: { sha256: digest("o").slice(7) } },
    ]);
    expect(statement.predicateType).toBe("urn:exoarmur:predicate:execution-proof:v1");
    expect(statementSchema.safeParse(statement).success).toBe(true);
    expect(buildStatement({ ...facts, materials: facts.materials.slice(0, 2) }).subject).toHaveLength(1);
  });

  test("without an intent there is none", () => {
    expect(() => buildStatement({ ...facts, materials: [] })).toThrow(TypeError);
  });

  test("materials say whether they are salted by their role, not by whoever asks", () => {
    const materials = buildStatement(facts).predicate.materials;
    expect(materials.map(({ role, salted }) => [role, salted])).toEqual([
      ["plugin", false],
      ["intent", false],
      ["output", true],
    ]);
  });

  test("names every revision of this build", () => {
    expect(buildStatement(facts).predicate.revisions).toEqual(currentRevisions);
    expect(Object.keys(currentRevisions).sort()).toEqual(["abi", "bundle", "canonical", "meter", "policy", "safety"]);
  });

  test("is signed over its canonical bytes; every member is covered", async () => {
    const { envelope, digest: leaf } = await signStatement(buildStatement(facts), keys.runtime);
    const opened = openEnvelope(envelope, payloadTypes.statement, [keys.runtime.publicKey]);
    if (!opened.ok) throw new Error(opened.error.message);
    expect(leaf).toBe(digestOf(opened.value.payload));
    expect(parseCanonical(opened.value.payload)).toEqual(buildStatement(facts));
    const changes: Partial<StatementFacts>[] = [
      { intentId: "01HZZZZZZZZZZZZZZZZZZZZZZY" },
      { correlationId: "d" },
      { tenantId: "other" },
      { cellId: "other" },
      { events: [...facts.events].reverse() },
      { materials: [...facts.materials].reverse() },
      { verdicts: { policy: "allow", safety: "allow", final: "allow" } },
      { keys: [{ role: "runtime", keyId: keys.runtime.keyId, publicKey: "" }] },
    ];
    const digests = await Promise.all(
      changes.map(
        async (change) => (await signStatement(buildStatement({ ...facts, ...change }), keys.runtime)).digest,
      ),
    );
    expect(new Set([leaf, ...digests]).size).toBe(changes.length + 1);
  });
});

describe("bundle file", () => {
  test("is canonical JSON of four members", async () => {
    const { envelope } = await signStatement(buildStatement(facts), keys.runtime);
    const file = encodeBundle({
      envelope,
      materials: new Map([
        [digest("b"), bytes("b")],
        [digest("a"), bytes("a")],
      ]),
      logProof: "proof\n",
    });
    const parsed = bundleSchema.parse(parseCanonical(file));
    expect(Object.keys(parsed).sort()).toEqual(["envelope", "logProof", "materials", "mediaType"]);
    expect(parsed.mediaType).toBe(bundleMediaType);
    expect(parsed.materials).toEqual({ [digest("a")]: "YQ==", [digest("b")]: "Yg==" });
    expect(canonicalize(parsed)).toEqual(file);
  });

  test("is put together once, on the first call, and handed out as copies", async () => {
    const { envelope } = await signStatement(buildStatement(facts), keys.runtime);
    let made = 0;
    const handle = bundleHandle(digest("s"), () => {
      made += 1;
      return { envelope, materials: new Map(), logProof: "" };
    });
    expect(made).toBe(0);
    const first = handle.bytes();
    first.fill(0);
    expect(handle.bytes()).not.toEqual(first);
    expect(handle.bytes()).toEqual(handle.bytes());
    expect(made).toBe(1);
  });
});

describe("salted materials", () => {
  type Row = {
    name: string;
    saltKey: string;
    role: string;
    intentId: string;
    content: string;
    salt: string;
    digest: string;
  };
  const rows = vectors<Row[]>("material-salt");

  test.each(rows.map((row) => [row.name, row] as const))("vector: %s", (_name, row) => {
    const content = hex(row.content);
    expect(encodeHex(saltFor(hex(row.saltKey), row.role, row.intentId, content))).toBe(row.salt);
    const material = saltedMaterial(hex(row.saltKey), row.role, row.intentId, content);
    expect(material.digest).toBe(row.digest);
    expect(encodeHex(material.bytes)).toBe(row.salt + row.content);
    expect(unsalt(material.bytes)).toEqual(content);
  });

  test("no two vectors share a salt or a digest", () => {
    expect(new Set(rows.map((row) => row.salt)).size).toBe(rows.length);
    expect(new Set(rows.map((row) => row.digest)).size).toBe(rows.length);
  });

  test("role and intent cannot be shifted into one another", () => {
    const key = new Uint8Array(32);
    const salts = [
      saltFor(key, "in", "put", bytes("x")),
      saltFor(key, "inp", "ut", bytes("x")),
      saltFor(key, "input", "", bytes("x")),
    ].map(encodeHex);
    expect(new Set(salts).size).toBe(3);
  });

  test("a document is salted in its canonical form; unsalted ones are their bare digest", () => {
    const key = new Uint8Array(32);
    expect(saltedJson(key, "config", "i", { b: 1, a: 2 })).toEqual(
      saltedMaterial(key, "config", "i", bytes('{"a":2,"b":1}')),
    );
    expect(plainMaterial(bytes("x")).digest).toBe(digest("x"));
    expect(unsalt(new Uint8Array(31))).toBeUndefined();
    expect(unsalt(new Uint8Array(32))).toEqual(new Uint8Array(0));
  });
});

describe("transcript root", () => {
  type Row = { name: string; entries: `sha256:${string}`[]; root: string };
  const rows = vectors<Row[]>("transcript-root");

  test.each(rows.map((row) => [row.name, row] as const))("vector: %s", (_name, row) => {
    expect(transcriptRoot(row.entries)).toBe(row.root);
  });

  test("every change of the entries changes it", () => {
    const { entries, root } = rows.find((row) => row.entries.length === 5) ?? { entries: [], root: "" };
    const [first, second] = entries;
    if (first === undefined || second === undefined) throw new Error("no vector");
    const others = [
      entries.slice(1),
      entries.slice(0, -1),
      [...entries, first],
      [second, first, ...entries.slice(2)],
      [first, ...entries],
      [transcriptRoot(entries)],
      [],
    ];
    for (const other of others) expect(transcriptRoot(other)).not.toBe(root);
    expect(new Set(others.map((other) => transcriptRoot(other))).size).toBe(others.length);
  });

  test("is not the root of a log of the same entries", () => {
    expect(transcriptRoot([digest("x")])).not.toBe(digest("x"));
  });

  test("an entry that is no digest is refused", () => {
    expect(() => transcriptRoot(["sha256:00" as never])).toThrow(expect.objectContaining({ code: "EXO_SCHEMA" }));
  });
});

test("the table of material roles on the page is the table in the code", () => {
  const page = readFileSync(new URL("../../spec/bundle.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (yes|no) \| .+ \|$/gm)].map(([, role, salted]) => [
    role,
    salted === "yes",
  ]);
  expect(rows).toEqual(Object.entries(materialRoles).map(([role, { salted }]) => [role, salted]));
  expect(page).toContain(predicateType);
});
