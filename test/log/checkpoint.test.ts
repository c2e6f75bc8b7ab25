import { describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import {
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  readCheckpoint,
  signCheckpoint,
} from "../../src/log/checkpoint.js";
import { leafBytes, readLeaf } from "../../src/log/leaf.js";
import { formatProofFile, parseProofFile } from "../../src/log/proof-file.js";
import { digest, ORIGIN, OTHER_VKEY, otherSigner, signer, text, untext, VKEY } from "./fixtures.js";

const root = new Uint8Array(32).map((_, at) => at);
const ROOT64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const note = { code: "EXO_NOTE" };
const throwing = (fields: object): unknown => expect.objectContaining(fields);

describe("a checkpoint's text", () => {
  it("is three lines and reads back", () => {
    expect(formatCheckpoint({ origin: ORIGIN, size: 42, root })).toBe(`example.org/cell-1\n42\n${ROOT64}\n`);
    expect(parseCheckpoint(`example.org/cell-1\n42\n${ROOT64}\n`)).toEqual({ origin: ORIGIN, size: 42, root });
    expect(parseCheckpoint(`o\n9007199254740991\n${ROOT64}\n`).size).toBe(9007199254740991);
  });

  it.each([
    ["", "an empty text"],
    [`${ORIGIN}\n42\n${ROOT64}`, "no last newline"],
    [`${ORIGIN}\n42\n${ROOT64}\n\n`, "a fourth line"],
    [`${ORIGIN}\n42\n${ROOT64}\nextension\n`, "an extension line"],
    [`${ORIGIN}\n42\n`, "no root"],
    [`\n42\n${ROOT64}\n`, "no origin"],
    [`a b\n42\n${ROOT64}\n`, "a space in the origin"],
    [`a+b\n42\n${ROOT64}\n`, "a plus in the origin"],
    [`${ORIGIN}\n042\n${ROOT64}\n`, "a leading zero"],
    [`${ORIGIN}\n-1\n${ROOT64}\n`, "a negative size"],
    [`${ORIGIN}\n+1\n${ROOT64}\n`, "a sign"],
    [`${ORIGIN}\n1e3\n${ROOT64}\n`, "an exponent"],
    [`${ORIGIN}\n 1\n${ROOT64}\n`, "a space before the size"],
    [`${ORIGIN}\n\n${ROOT64}\n`, "no size"],
    [`${ORIGIN}\n9007199254740992\n${ROOT64}\n`, "a size of 2^53"],
    [`${ORIGIN}\n42\r\n${ROOT64}\n`, "a carriage return"],
    [`${ORIGIN}\n42\n${ROOT64.slice(0, -1)}\n`, "base64 without padding"],
    [`${ORIGIN}\n42\n${ROOT64.slice(0, -2)}9=\n`, "base64 with stray bits"],
    [`${ORIGIN}\n42\nAAEC\n`, "a root of 3 bytes"],
    [`${ORIGIN}\n42\n\n`, "an empty root"],
  ])("refuses %j: %s", (wrong) => {
    expect(() => parseCheckpoint(wrong)).toThrow(throwing(note));
  });

  it.each([
    { origin: "", size: 1, root },
    { origin: "a\nb", size: 1, root },
    { origin: "a\u00a0b", size: 1, root },
    { origin: ORIGIN, size: -1, root },
    { origin: ORIGIN, size: 1.5, root },
    { origin: ORIGIN, size: 2 ** 53, root },
    { origin: ORIGIN, size: -0, root },
    { origin: ORIGIN, size: 1, root: root.slice(1) },
  ])("is not written for %j", (wrong) => {
    expect(() => formatCheckpoint(wrong)).toThrow(throwing(note));
  });
});

describe("a signed checkpoint", () => {
  const checkpoint = { origin: ORIGIN, size: 42, root };

  it("opens under the log's key", async () => {
    const signed = await signCheckpoint(checkpoint, signer);
    expect(signed.startsWith(`${ORIGIN}\n42\n${ROOT64}\n\n\u2014 ${ORIGIN} `)).toBe(true);
    expect(openCheckpoint(signed, [VKEY])).toMatchObject(checkpoint);
    expect(openCheckpoint(text(signed), [OTHER_VKEY, VKEY]).signatures.map(({ name }) => name)).toEqual([ORIGIN]);
    expect(readCheckpoint(signed)).toMatchObject(checkpoint);
  });

  it("does not open under another key, changed, or without keys", async () => {
    const signed = await signCheckpoint(checkpoint, signer);
    const signature = { code: "EXO_SIGNATURE" };
    expect(() => openCheckpoint(signed, [OTHER_VKEY])).toThrow(throwing(signature));
    expect(() => openCheckpoint(signed, [])).toThrow(throwing(signature));
    expect(() => openCheckpoint(signed.replace("\n42\n", "\n43\n"), [VKEY])).toThrow(throwing(signature));
    expect(() => openCheckpoint(signed.replace(ROOT64, ROOT64.replace("AAEC", "AAED")), [VKEY])).toThrow(
      throwing(signature),
    );
    expect(() => openCheckpoint(signed, ["x"])).toThrow(throwing({ code: "EXO_KEY" }));
    expect(() => openCheckpoint("", [VKEY])).toThrow(throwing(note));
    expect(() => openCheckpoint(signed.replace("\n\n", `\nmore\n\n`), [VKEY])).toThrow(throwing(note));
    await expect(signCheckpoint({ ...checkpoint, size: -1 }, otherSigner)).rejects.toMatchObject(note);
  });
});

describe("a proof file", () => {
  const hashes = [root, root.map((byte) => byte ^ 255)];
  const H64 = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";
  const bad = { code: "EXO_LOG_PROOF" };

  it("is the C2SP text and reads back", async () => {
    const checkpoint = await signCheckpoint({ origin: ORIGIN, size: 42, root }, signer);
    const plain = { index: 7, proof: hashes, checkpoint };
    expect(formatProofFile(plain)).toBe(`c2sp.org/tlog-proof@v1\nindex 7\n${ROOT64}\n${H64}\n\n${checkpoint}`);
    const extra = { ...plain, extra: text("hello") };
    expect(formatProofFile(extra)).toBe(
      `c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 7\n${ROOT64}\n${H64}\n\n${checkpoint}`,
    );
    for (const file of [plain, extra, { index: 0, proof: [], checkpoint }])
      expect(parseProofFile(formatProofFile(file))).toEqual(file);
  });

  it("is refused when anything of it is out of form", async () => {
    const checkpoint = await signCheckpoint({ origin: ORIGIN, size: 42, root }, signer);
    const good = formatProofFile({ index: 7, proof: hashes, checkpoint });
    const wrong = [
      "",
      good.replace("@v1", "@v2"),
      `\n${good}`,
      good.replace("index 7\n", ""),
      good.replace("index 7", "index 07"),
      good.replace("index 7", "index -7"),
      good.replace("index 7", "index  7"),
      good.replace("index 7", "Index 7"),
      good.replace("index 7", "index 42"),
      good.replace("index 7", "index 9007199254740992"),
      good.replace("index 7\n", "index 7\nindex 7\n"),
      good.replace("index 7\n", "extra \nindex 7\n"),
      good.replace("index 7\n", "extra !\nindex 7\n"),
      good.replace("index 7\n", "extra aGVsbG8=\nextra aGVsbG8=\nindex 7\n"),
      good.replace("index 7\n", "index 7\nextra aGVsbG8=\n"),
      good.replace(H64, H64.slice(0, -1)),
      good.replace(H64, "AAEC"),
      good.replace(H64, ` ${H64}`),
      good.replace(`${H64}\n\n`, `${H64}\n`),
      good.replaceAll("\n", "\r\n"),
      good.replace(`index 7\n`, `index 7\n${`${H64}\n`.repeat(52)}`),
    ];
    for (const text of wrong) expect(() => parseProofFile(text), text.slice(0, 80)).toThrow(throwing(bad));
    expect(() => parseProofFile(good.replace(`${H64}\n\n`, `${H64}\n\n\n`))).toThrow(throwing(note));
    expect(() => parseProofFile(good.slice(0, -1))).toThrow(throwing(note));
  });

  it("is not written about what cannot be", async () => {
    const checkpoint = await signCheckpoint({ origin: ORIGIN, size: 42, root }, signer);
    for (const index of [42, -1, 1.5, Number.NaN])
      expect(() => formatProofFile({ index, proof: [], checkpoint })).toThrow(throwing(bad));
    expect(() => formatProofFile({ index: 1, proof: [root.slice(1)], checkpoint })).toThrow(throwing(bad));
    expect(() => formatProofFile({ index: 1, proof: Array(54).fill(root), checkpoint })).toThrow(throwing(bad));
    expect(() => formatProofFile({ index: 1, proof: [], checkpoint, extra: new Uint8Array() })).toThrow(throwing(bad));
    expect(() => formatProofFile({ index: 1, proof: [], checkpoint: "x" })).toThrow(throwing(note));
  });
});

describe("a leaf", () => {
  it.each(["event", "bundle", "shadow"] as const)("of kind %s is canonical JSON and reads back", (kind) => {
    const bytes = leafBytes(kind, digest(1));
    expect(untext(bytes)).toBe(`{"digest":"${digest(1)}","kind":"${kind}","schema":"exoarmur.leaf/v1"}`);
    expect(Uint8Array.from(bytes)).toEqual(
      Uint8Array.from(canonicalize({ schema: "exoarmur.leaf/v1", kind, digest: digest(1) })),
    );
    expect(readLeaf(bytes)).toEqual({ kind, digest: digest(1) });
  });

  it("reads nothing else", () => {
    const good = untext(leafBytes("event", digest(1))) as string;
    for (const wrong of [
      "",
      "{}",
      `${good}\n`,
      ` ${good}`,
      good.replace("event", "other"),
      good.replace("v1", "v2"),
      good.replace("sha256:", "sha256:A"),
      `\ufeff${good}`,
    ]) {
      expect(readLeaf(text(wrong)), wrong).toBeUndefined();
    }
  });
});
