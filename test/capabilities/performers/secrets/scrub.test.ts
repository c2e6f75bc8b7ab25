import { describe, expect, test } from "vitest";
import { scrubBytes, scrubMark, scrubText } from "../../../../src/capabilities/performers/secrets/scrub.js";

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "utf8"));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const secret = 'p@ss/w+rd "é&%41\\z';
const values = [bytesOf(secret)];

/** Every byte percent-encoded. */
const percent = (text: string): string => Array.from(bytesOf(text), (byte) => `%${hexOf(byte)}`).join("");
const hexOf = (byte: number): string => byte.toString(16).padStart(2, "0");
const escapes = (text: string): string =>
  Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
const html = (text: string): string =>
  text.replaceAll(/[&"/]/g, (char) => ({ "&": "&amp;", '"': "&quot;", "/": "&#x2F;" })[char] ?? "");

const forms: Readonly<Record<string, (text: string) => string>> = {
  verbatim: (text) => text,
  "percent, as encodeURIComponent writes it": encodeURIComponent,
  "percent, as a form writes it": (text) => new URLSearchParams({ a: text }).toString().slice(2),
  "percent, every byte, lower case": percent,
  "percent, every byte, upper case": (text) => percent(text).toUpperCase(),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  "JSON with escaped slashes": (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  "JSON, every character": escapes,
  "JSON, every character, upper case": (text) => escapes(text).replaceAll(/[a-f](?!\\)/g, (c) => c.toUpperCase()),
  HTML: html,
  "hex, lower case": (text) => Buffer.from(text).toString("hex"),
  "hex, upper case": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  "hex with colons": (text) => Array.from(bytesOf(text), hexOf).join(":"),
};

describe("an echo is taken out", () => {
  test.each(Object.keys(forms))("%s", (name) => {
    const echo = forms[name]?.(secret) ?? "";
    const body = bytesOf(`before ${echo} after ${echo}`);
    const scrubbed = scrubBytes(body, values);
    expect(scrubbed.found).toBe(true);
    expect(textOf(scrubbed.value)).toBe(`before ${scrubMark} after ${scrubMark}`);
  });

  const encodings = ["base64", "base64url"] as const;
  const around = [0, 1, 2, 3, 4, 5].flatMap((before) =>
    [0, 1, 2, 3].flatMap((after) => encodings.map((encoding) => [encoding, before, after] as const)),
  );
  test.each(around)("%s behind %i bytes and before %i", (encoding, before, after) => {
    // A value whose base64 has both + and /, which base64url writes in another way.
    const raw = Buffer.from("fbeffffbff3e3f3ffbef", "hex");
    for (const value of [raw, Buffer.from(secret)]) {
      const whole = Buffer.concat([Buffer.alloc(before, "q"), value, Buffer.alloc(after, "q")]).toString(encoding);
      const scrubbed = scrubText(`[${whole}]`, [new Uint8Array(value)]);
      expect(scrubbed.found).toBe(true);
      // What is left are the characters that hold no bit of the value.
      const chars = Math.ceil(((before + value.length + after) * 8) / 6);
      const left = Math.floor((before * 8) / 6) + chars - Math.ceil(((before + value.length) * 8) / 6);
      expect(scrubbed.value.replace(scrubMark, "").replaceAll(/[[\]=]/g, "")).toHaveLength(left);
    }
  });

  test("base64 that is broken into lines, escaped in JSON or percent-encoded", () => {
    const value = Buffer.from("fbeffffbff3e3f3ffbeffffbff3e3f3ffbeffffbff3e3f3f", "hex");
    const plain = value.toString("base64");
    const lines = plain.replaceAll(/(.{10})/g, "$1\r\n");
    for (const echo of [
      lines,
      lines.replaceAll("\r\n", "\n"),
      JSON.stringify(lines),
      plain.replaceAll("/", "\\/"),
      encodeURIComponent(plain),
    ]) {
      expect(scrubText(echo, [new Uint8Array(value)]).value).toContain(scrubMark);
      expect(scrubText(echo, [new Uint8Array(value)]).value.length).toBeLessThan(scrubMark.length + 8);
    }
  });

  test("bytes that are no text", () => {
    const value = Uint8Array.from([0, 255, 10, 128, 200, 13, 92, 37, 1, 2]);
    const body = Uint8Array.from([...value, 7, ...value]);
    expect(textOf(scrubBytes(body, [value]).value)).toBe(`${scrubMark}\x07${scrubMark}`);
    expect(scrubText(Buffer.from(value).toString("hex"), [value]).value).toBe(scrubMark);
  });

  test("a value of 4 KiB, in every form", () => {
    const long = Array.from({ length: 4096 }, (_, i) =>
      String.fromCharCode(33 + (((i * 2654435761) >>> 11) % 94)),
    ).join("");
    for (const form of Object.values(forms)) {
      const scrubbed = scrubText(form(long), [bytesOf(long)]);
      expect(scrubbed.value.replaceAll(scrubMark, "")).toBe("");
    }
    expect(
      scrubText(Buffer.from(long).toString("base64"), [bytesOf(long)]).value.replaceAll(scrubMark, "").length,
    ).toBeLessThan(20);
  });

  test("escaped twice, and base64 inside of escapes", () => {
    const twice = encodeURIComponent(encodeURIComponent(secret));
    expect(scrubText(twice, values).value).toBe(scrubMark);
    expect(scrubText(JSON.stringify(JSON.stringify({ secret })), values).value).toContain(scrubMark);
    expect(scrubText(encodeURIComponent(Buffer.from(secret).toString("base64")), values).value).toBe(
      `${scrubMark}%3D%3D`,
    );
  });

  test("base64 and hex of a body or URL that holds it", () => {
    for (const whole of [JSON.stringify({ a: { secret } }), `/path?a=${encodeURIComponent(secret)}&b`]) {
      for (const encoding of ["base64", "base64url", "hex"] as const) {
        expect(scrubText(Buffer.from(whole).toString(encoding), values).value).toContain(scrubMark);
      }
    }
  });

  test("wherever it lies in a large body, also across what is looked at in one go", () => {
    const whole = Buffer.alloc(1_500_000, "-");
    const places = [0, 524_280, 655_350, 1_048_570, 1_179_640, 1_499_900];
    for (const at of places) whole.write(secret, at, "utf8");
    const scrubbed = textOf(scrubBytes(whole, values).value);
    expect(scrubbed.split(scrubMark)).toHaveLength(places.length + 1);
    expect(scrubbed.replaceAll(scrubMark, "").replaceAll("-", "")).toBe("");
  });

  test("of two values, of which one holds the other", () => {
    const short = bytesOf("abcdefgh");
    const scrubbed = scrubText("1 abcdefgh 2 abcdefghijkl", [short, bytesOf("abcdefghijkl")]);
    expect(scrubbed.value).toBe(`1 ${scrubMark} 2 ${scrubMark}`);
  });

  test("many times over, in one pass that leaves nothing behind", () => {
    expect(scrubText("secret-1secret-1secret-1", [bytesOf("secret-1")]).value).toBe(scrubMark.repeat(3));
    // Taking one out must not bring its neighbours together to another.
    expect(scrubText("secsecret-1ret-1", [bytesOf("secret-1")]).value).toBe(`sec${scrubMark}ret-1`);
  });
});

describe("what is no echo", () => {
  test("stays as it is, byte for byte and in the same array", () => {
    const body = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919) % 256);
    const scrubbed = scrubBytes(body, values);
    expect(scrubbed.found).toBe(false);
    expect(scrubbed.value).toBe(body);
    expect(scrubText("nothing här", values)).toEqual({ value: "nothing här", found: false });
  });

  test("nor is anything taken out when there are no values, or all but the last byte fits", () => {
    expect(scrubText(secret, []).found).toBe(false);
    expect(scrubText(secret.slice(0, -1), values).found).toBe(false);
    expect(scrubText(Buffer.from(secret).toString("hex").slice(0, -1), values).found).toBe(false);
  });
});
