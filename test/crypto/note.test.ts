import { describe, expect, test } from "vitest";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import {
  cosignature,
  formatNote,
  type NoteSignature,
  noteSignature,
  parseNote,
  signNote,
  verifyNote,
} from "../../src/crypto/note.js";
import { formatVkey, isNoteName, noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { codeOf } from "../canonical/helpers.js";

const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const peterVkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const enochVkey = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const peterLine =
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const enochLine =
  "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
const peter = parseVkey(peterVkey);
const enoch = parseVkey(enochVkey);

const signerA = signerFromSeed(new Uint8Array(32).fill(1));
const signerB = signerFromSeed(new Uint8Array(32).fill(2));
const keyA = noteKey("log.example/a", signerA.publicKey);
const names = (note: string, keys = [peter, enoch]): string[] | string => {
  const result = verifyNote(parseNote(note), keys);
  return result.ok ? result.value.map(({ name }) => name) : result.error.code;
};

test("a note of more signatures than are read is not written", () => {
  const line = { name: "x", keyHash: "00000000", signature: new Uint8Array(64) };
  const lines = (count: number) => Array.from({ length: count }, () => line);
  expect(parseNote(formatNote("text\n", lines(100))).signatures).toHaveLength(100);
  expect(() => formatNote("text\n", lines(101))).toThrow(expect.objectContaining({ code: "EXO_NOTE" }));
});

describe("the published example of Go's note package", () => {
  test("verifies by either key and by both", () => {
    const note = `${text}\n${peterLine}${enochLine}`;
    expect(names(note)).toEqual(["PeterNeumann", "EnochRoot"]);
    expect(names(note, [enoch])).toEqual(["EnochRoot"]);
    expect(parseNote(note).text).toBe(text);
  });

  test("its secret key signs the same line", async () => {
    const secret = decodeBase64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz") ?? new Uint8Array(0);
    expect(await signNote(text, "PeterNeumann", signerFromSeed(secret.subarray(1)))).toBe(`${text}\n${peterLine}`);
  });

  test("vkeys round trip", () => {
    expect([formatVkey(peter), formatVkey(enoch)]).toEqual([peterVkey, enochVkey]);
    expect(peter).toMatchObject({ name: "PeterNeumann", keyHash: "c74f20a3", algorithm: 1 });
    expect(parseVkey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8").name).toBe(
      "sum.golang.org",
    );
  });
});

describe("verifyNote", () => {
  const note = `${text}\n${peterLine}${enochLine}`;

  test("ignores keys it does not know, also under a known name or hash", async () => {
    expect(names(note, [peter])).toEqual(["PeterNeumann"]);
    expect(names(note, [keyA])).toBe("EXO_SIGNATURE");
    expect(names(note, [])).toBe("EXO_SIGNATURE");
    const impostor = await noteSignature(text, "PeterNeumann", signerA);
    expect(names(formatNote(text, [impostor]))).toBe("EXO_SIGNATURE");
    const renamed = { ...impostor, name: "Other", keyHash: peter.keyHash };
    expect(names(`${formatNote(text, [renamed])}${enochLine}`)).toEqual(["EnochRoot"]);
  });

  test("a repeated signer counts once", () => {
    expect(names(`${text}\n${peterLine}${peterLine}${enochLine}${peterLine}`)).toEqual(["PeterNeumann", "EnochRoot"]);
  });

  test("a wrong signature by a known key refuses the note, wherever it stands", () => {
    const wrong = peterLine.replace("x08go/ZJ", "x08go/ZK");
    expect(names(`${text}\n${enochLine}${wrong}`)).toBe("EXO_SIGNATURE");
    expect(names(`${text}\n${peterLine}${wrong}`)).toBe("EXO_SIGNATURE");
    expect(names(`${text}\n${wrong}${peterLine}`)).toBe("EXO_SIGNATURE");
    expect(names(`${text}\n${wrong}${enochLine}`, [enoch])).toEqual(["EnochRoot"]);
  });

  test("a changed text does not verify", () => {
    expect(names(note.replace("problem,", "problem;"))).toBe("EXO_SIGNATURE");
    expect(names(`x\n\n${note}`)).toBe("EXO_SIGNATURE");
  });

  test("a short or long signature does not verify", () => {
    for (const length of [1, 63, 65, 72]) {
      const signatures: NoteSignature[] = [
        { name: peter.name, keyHash: peter.keyHash, signature: new Uint8Array(length) },
      ];
      expect(names(formatNote(text, signatures))).toBe("EXO_SIGNATURE");
    }
  });

  test("two keys of one name and hash are misuse", () => {
    expect(codeOf(() => verifyNote(parseNote(note), [peter, enoch, peter]))).toBe("EXO_KEY");
  });

  test("the verified line carries the full key", () => {
    const result = verifyNote(parseNote(note), [peter]);
    expect(result.ok && result.value[0]?.publicKey).toEqual(peter.publicKey);
  });
});

describe("cosignatures", () => {
  const witness = noteKey("witness.example/w", signerB.publicKey, 4);

  test("carry the witness's time, which is signed", async () => {
    const line = await cosignature(text, witness.name, signerB, 1_700_000_000);
    const base = await noteSignature(text, keyA.name, signerA);
    const result = verifyNote(parseNote(formatNote(text, [base, line])), [keyA, witness]);
    expect(result.ok && result.value.map(({ name, time }) => [name, time])).toEqual([
      ["log.example/a", undefined],
      ["witness.example/w", 1_700_000_000],
    ]);
    const later = { ...line, signature: line.signature.slice() };
    later.signature[7] = (later.signature[7] ?? 0) + 1;
    expect(names(formatNote(text, [later]), [witness])).toBe("EXO_SIGNATURE");
    const bare = { ...line, signature: line.signature.slice(8) };
    expect(names(formatNote(text, [bare]), [witness])).toBe("EXO_SIGNATURE");
    const beyond = { ...line, signature: line.signature.slice().fill(255, 0, 8) };
    expect(names(formatNote(text, [beyond]), [witness])).toBe("EXO_SIGNATURE");
  });

  test("of two by one witness the first stands", async () => {
    const lines = [
      await cosignature(text, witness.name, signerB, 20),
      await cosignature(text, witness.name, signerB, 10),
    ];
    const result = verifyNote(parseNote(formatNote(text, lines)), [witness]);
    expect(result.ok && result.value.map(({ time }) => time)).toEqual([20]);
  });

  test("one key under both types has two hashes, and the types do not mix", async () => {
    const plain = noteKey(witness.name, signerB.publicKey);
    expect(plain.keyHash).not.toBe(witness.keyHash);
    const line = await noteSignature(text, witness.name, signerB);
    expect(names(formatNote(text, [{ ...line, keyHash: witness.keyHash }]), [witness])).toBe("EXO_SIGNATURE");
    expect(parseVkey(formatVkey(witness))).toEqual(witness);
  });

  test.each([-1, 0.5, NaN, 2 ** 53])("the time %d is refused", async (time) => {
    await expect(cosignature(text, witness.name, signerB, time)).rejects.toMatchObject({ code: "EXO_NOTE" });
  });
});

describe("malformed notes", () => {
  const line = peterLine;
  test.each([
    ["nothing", ""],
    ["no signatures", `${text}`],
    ["an empty line and no signatures", `${text}\n`],
    ["no empty line", `${text}${line}`],
    ["no newline at the end", `${text}\n${line.slice(0, -1)}`],
    ["no text", `\n${line}`],
    ["a hyphen for the dash", `${text}\n${line.replace("—", "-")}`],
    ["no space after the dash", `${text}\n${line.replace("— ", "—")}`],
    ["two spaces after the dash", `${text}\n${line.replace("— ", "—  ")}`],
    ["a trailing space", `${text}\n${line.replace("\n", " \n")}`],
    ["a carriage return", `${text}\n${line.replace("\n", "\r\n")}`],
    ["a tab in the text", `a\tb\n\n${line}`],
    ["a NUL in the text", `a\0b\n\n${line}`],
    ["no name", `${text}\n${line.replace("PeterNeumann ", "")}`],
    ["a plus in the name", `${text}\n${line.replace("Peter", "Peter+")}`],
    ["a no-break space in the name", `${text}\n${line.replace("Peter", "Peter\u00a0")}`],
    ["a next-line character in the name", `${text}\n${line.replace("Peter", "Peter\u0085")}`],
    ["base64 without padding", `${text}\n${line.replace("=", "")}`],
    ["base64 with other bits at its end", `${text}\n${line.replace("nAM=", "nAN=")}`],
    ["base64url", `${text}\n${line.replaceAll("/", "_")}`],
    ["a key hash alone", `${text}\n— PeterNeumann x08gow==\n`],
    ["another line after", `${text}\n${line}and more\n`],
    ["101 signatures", `${text}\n${line.repeat(101)}`],
    ["a lone surrogate", `\ud800\n\n${line}`],
  ])("%s", (_, note) => {
    expect(codeOf(() => parseNote(note))).toBe("EXO_NOTE");
  });

  test("bytes that are not UTF-8, and too many of them", () => {
    const bytes = new TextEncoder().encode(`${text}\n${line}`);
    expect(parseNote(bytes).text).toBe(text);
    bytes[0] = 0xff;
    expect(codeOf(() => parseNote(bytes))).toBe("EXO_NOTE");
    expect(codeOf(() => parseNote(new Uint8Array(1_048_577).fill(0x0a)))).toBe("EXO_NOTE");
  });

  test("the last empty line divides text and signatures", () => {
    expect(parseNote(`a\n\nb\n\n${line}`).text).toBe("a\n\nb\n");
  });

  test.each(["", "no newline", "a\r\n", "\u0007\n", "\udc00\n"])("%j cannot be signed", async (bad) => {
    await expect(signNote(bad, "name", signerA)).rejects.toMatchObject({ code: "EXO_NOTE" });
    expect(codeOf(() => formatNote(bad, parseNote(`${text}\n${line}`).signatures))).toBe("EXO_NOTE");
  });

  test("a note is not made of bad lines", () => {
    const signature = new Uint8Array(64);
    expect(codeOf(() => formatNote(text, []))).toBe("EXO_NOTE");
    expect(codeOf(() => formatNote(text, [{ name: "a b", keyHash: "00000000", signature }]))).toBe("EXO_NOTE");
    expect(codeOf(() => formatNote(text, [{ name: "a", keyHash: "0000000", signature }]))).toBe("EXO_NOTE");
    expect(codeOf(() => formatNote(text, [{ name: "a", keyHash: "000000ZZ", signature }]))).toBe("EXO_NOTE");
  });
});

describe("verifier keys", () => {
  test.each([
    ["nothing", ""],
    ["a part missing", "PeterNeumann+c74f20a3"],
    ["another hash", peterVkey.replace("c74f20a3", "c74f20a4")],
    ["an upper-case hash", peterVkey.replace("c74f", "C74F")],
    ["another name", peterVkey.replace("Peter", "Petra")],
    ["an empty name", peterVkey.replace("PeterNeumann", "")],
    ["a space in the name", peterVkey.replace("Peter", "Peter ")],
    ["an unknown type", peterVkey.replace("+ARpc", "+AhpZ")],
    ["base64url", "sum.golang.org+033de0ae+Ac4zctda0e5eza-HJyk9SxEdh-s3Ux18htTTAD8OuAn8"],
    ["a short key", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q="],
    ["a newline after", `${peterVkey}\n`],
  ])("%s is EXO_KEY", (_, vkey) => {
    expect(codeOf(() => parseVkey(vkey))).toBe("EXO_KEY");
  });

  test("a small-order key is refused", () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    expect(codeOf(() => noteKey("a", identity))).toBe("EXO_KEY_REFUSED");
    expect(codeOf(() => parseVkey("a+00000000+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))).toBe("EXO_KEY_REFUSED");
  });

  test("names", () => {
    expect(["a", "example.com/log", "né-1"].map(isNoteName)).toEqual([true, true, true]);
    expect(["", "a b", "a+b", "a\n", "\u2003", "a\u0085", "\x7f", "\ud800"].map(isNoteName)).toEqual(
      Array(8).fill(false),
    );
  });
});
