import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contentDigest, isContentDigest } from "../../src/contracts/content-digest.js";
import {
  checkMessageSignature,
  type Exchange,
  signatureBase,
  takeSignature,
} from "../../src/contracts/http-signature.js";
import { readByteSequences, readInnerLists } from "../../src/contracts/structured-field.js";
import { publicKeyOf, verifyEd25519 } from "../../src/crypto/ed25519.js";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { bank, mallory, type SignOptions, signedHeaders, usualComponents } from "../support/counterparty.js";

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/http-message-signatures.json", import.meta.url), "utf8"),
) as typeof import("../vectors/http-message-signatures.json");
const bytes = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array();

describe("the vectors of RFC 9421", () => {
  test("B.2.6: the base is built and the signature verifies", () => {
    const { input, signature, values, base } = vectors.b26;
    const list = readInnerLists(input)?.get("sig-b26");
    if (list === undefined) throw new Error("not read");
    const known: Readonly<Record<string, string>> = values;
    expect(signatureBase(list, (name, ofRequest) => (ofRequest ? undefined : known[name]))).toBe(base);
    const sig = readByteSequences(signature)?.get("sig-b26") ?? new Uint8Array();
    const key = bytes(vectors.ed25519.publicKey);
    expect(publicKeyOf(bytes(vectors.ed25519.seed))).toEqual(key);
    expect(verifyEd25519(key, encodeUtf8(base), sig)).toBe(true);
    expect(verifyEd25519(key, encodeUtf8(base.replace("POST", "GET")), sig)).toBe(false);
  });

  test("2.4: the base of a response that covers its request", () => {
    const { request, status, headers, body, input, base } = vectors.response;
    const exchange: Exchange = {
      request: { ...request, body: encodeUtf8(request.body) },
      status,
      headers: { ...headers, "signature-input": input, signature: "reqres=:AAAA:" },
      body: encodeUtf8(body),
    };
    expect(takeSignature(exchange, "test-key-ecc-p256")).toEqual({ ok: true, value: { base, signature: "AAAA" } });
    expect(isContentDigest(headers["content-digest"], exchange.body)).toBe(true);
    expect(isContentDigest(request.headers["content-digest"], exchange.request.body)).toBe(true);
  });

  test("RFC 9530, B.1: the digest of a body", () => {
    expect(contentDigest(encodeUtf8(vectors.digest.body))).toBe(vectors.digest.sha256);
  });
});

const url = "https://bank.example/v1/pay?id=7";
const request = { method: "GET", url, headers: {}, body: new Uint8Array() };
const answer = { request, status: 200, body: encodeUtf8('{"paid":true}') };

function signed(options: SignOptions = {}, of: Omit<Exchange, "headers"> = answer): Exchange {
  return { ...of, headers: { "content-type": "application/json", ...signedHeaders(of, options) } };
}

/** Takes a signature out of an answer and verifies it, perhaps against another exchange: "ok", or what is wrong. */
function verdict(exchange: Exchange, against: Partial<Exchange> = {}, key: Uint8Array | null = bank.publicKey): string {
  const taken = takeSignature(exchange, bank.id);
  if (!taken.ok) return taken.error.message;
  const checked = checkMessageSignature({ ...taken.value, keyId: bank.id }, { ...exchange, ...against }, key);
  return checked.ok ? "ok" : checked.error.message;
}

describe("a signed answer", () => {
  test("verifies, and gives the times that are signed", () => {
    expect(verdict(signed())).toBe("ok");
    const times = ';expires=200;created=100;nonce="n";tag="t"';
    const taken = takeSignature(signed({ parameters: times }), bank.id);
    if (!taken.ok) throw new Error(taken.error.message);
    const checked = checkMessageSignature({ ...taken.value, keyId: bank.id }, signed(), bank.publicKey);
    expect(checked).toEqual({ ok: true, value: { created: 100, expires: 200 } });
  });

  test.each([
    ["@authority and @request-target", ['"@authority";req', '"@request-target";req'], ["bank.example", "/v1/pay?id=7"]],
    [
      "@authority, @path and @query",
      ['"@authority";req', '"@path";req', '"@query";req'],
      ["bank.example", "/v1/pay", "?id=7"],
    ],
    ["its scheme as well", ['"@target-uri";req', '"@scheme";req'], [url, "https"]],
  ])("may name its request by %s", (_, parts, stated) => {
    const components = ['"@status"', '"content-digest"', '"@method";req', ...parts];
    const values = Object.fromEntries(parts.map((part, at) => [part, stated[at] ?? ""]));
    expect(verdict(signed({ components, values }))).toBe("ok");
  });

  test("may have signatures of others beside it, and a digest of SHA-512", () => {
    const ours = signedHeaders(answer, { label: "b" });
    const theirs = signedHeaders(answer, { label: "a", parameters: ';created=0;keyid="proxy"' });
    const headers = {
      ...ours,
      "signature-input": `${theirs["signature-input"]}, ${ours["signature-input"]}`,
      signature: `${theirs["signature"]},${ours["signature"]}`,
    };
    expect(verdict({ ...answer, headers })).toBe("ok");
    const body = encodeUtf8(vectors.response.body);
    const digest = vectors.response.headers["content-digest"];
    const values = { '"content-digest"': digest };
    const headers512 = { ...signedHeaders({ ...answer, body }, { values }), "content-digest": digest };
    expect(verdict({ ...answer, body, headers: headers512 })).toBe("ok");
  });

  test("of a request with a body covers that body", () => {
    const post = { ...answer, request: { ...request, method: "POST", body: encodeUtf8("a") } };
    const live = signed({}, { ...post, request: { ...post.request, headers: {} } });
    const sent = {
      ...live,
      request: { ...live.request, headers: { "content-digest": contentDigest(encodeUtf8("a")) } },
    };
    expect(verdict(sent)).toBe("ok");
    // The record does not have the header, only the body that it speaks of.
    expect(verdict(sent, { request: post.request })).toBe("ok");
    expect(verdict(sent, { request: { ...post.request, body: encodeUtf8("b") } })).toBe(
      'the answer is signed for another "content-digest";req',
    );
    expect(verdict({ ...sent, headers: signedHeaders(post, { components: usualComponents }) })).toBe(
      'the answer is signed without "content-digest";req',
    );
  });
});

describe("an answer is not taken for signed", () => {
  const another = 'the answer is signed for another "';
  test.each<[string, Partial<Exchange>, string]>([
    ["status", { status: 201 }, `${another}@status"`],
    ["body", { body: encodeUtf8('{"paid":false}') }, `${another}content-digest"`],
    ["method", { request: { ...request, method: "DELETE" } }, `${another}@method";req`],
    ["query", { request: { ...request, url: url.replace("7", "8") } }, `${another}@target-uri";req`],
    ["host", { request: { ...request, url: url.replace("bank", "bonk") } }, `${another}@target-uri";req`],
  ])("with another %s", (_, against, message) => {
    expect(verdict(signed(), against)).toBe(message);
  });

  test("with another value of a header it covers and the record has", () => {
    const components = [...usualComponents, '"content-type"'];
    const exchange = signed({ components, values: { '"content-type"': "application/json" } });
    expect(verdict(exchange)).toBe("ok");
    expect(verdict(exchange, { headers: { "content-type": "text/html" } })).toBe(`${another}content-type"`);
    expect(verdict(exchange, { headers: {} })).toBe("ok");
  });

  test.each(['"@status"', '"content-digest"', '"@method";req', '"@target-uri";req'])("without %s", (component) => {
    const components = usualComponents.filter((one) => one !== component);
    expect(verdict(signed({ components }))).toBe(`the answer is signed without ${component}`);
  });

  test("when only a part of its URL is covered", () => {
    const components = ['"@status"', '"content-digest"', '"@method";req', '"@authority";req', '"@path";req'];
    const values = { '"@authority";req': "bank.example", '"@path";req': "/v1/pay" };
    expect(verdict(signed({ components, values }))).toBe('the answer is signed without "@target-uri";req');
  });

  test.each([
    ["hmac-sha256", "the answer is signed with hmac-sha256: whoever can verify an HMAC can also make one"],
    ["rsa-v1_5-sha256", "the answer is signed with rsa-v1_5-sha256: only ed25519 is taken"],
    ["rsa-pss-sha512", "the answer is signed with rsa-pss-sha512: only ed25519 is taken"],
    ["ecdsa-p256-sha256", "the answer is signed with ecdsa-p256-sha256: only ed25519 is taken"],
    ["none", "the answer is signed with an algorithm that is not known"],
    ["toString", "the answer is signed with an algorithm that is not known"],
  ])("by %s", (alg, message) => {
    expect(verdict(signed({ parameters: `;created=0;alg="${alg}"` }))).toBe(message);
  });

  test.each<[string, SignOptions, string]>([
    ["by another key", { key: mallory }, "the answer has a signature that does not verify under the key bank-2026"],
    [
      "under another key id",
      { parameters: ';created=0;keyid="x"' },
      "the answer has 0 signatures by the key bank-2026, expected one",
    ],
    ["without a time", { parameters: ';keyid="bank-2026"' }, "the answer is signed without created"],
    [
      "with a time that is a text",
      { parameters: ';created="0"' },
      "the answer has a signature with the parameter created, which is not known or of another kind",
    ],
    [
      "with an unknown parameter",
      { parameters: ";created=0;x" },
      "the answer has a signature with the parameter x, which is not known or of another kind",
    ],
    [
      "over a field it does not have",
      { components: [...usualComponents, '"x"'] },
      "the answer has a signature over a component that this exchange does not have",
    ],
    [
      "over @status of the request",
      { components: [...usualComponents, '"@status";req'] },
      "the answer has a signature over a component that this exchange does not have",
    ],
    [
      "over @method of itself",
      { components: [...usualComponents, '"@method"'] },
      "the answer has a signature over a component that this exchange does not have",
    ],
    [
      "over the same thing twice",
      { components: [...usualComponents, '"@status"'] },
      "the answer has a malformed signature base",
    ],
    [
      "over a part of a field",
      {
        components: [...usualComponents, '"content-type";key="a"'],
        values: { '"content-type";key="a"': "application/json" },
      },
      "the answer has a malformed signature base",
    ],
    [
      "over a field in bytes",
      { components: [...usualComponents, '"content-type";bs'], values: { '"content-type";bs': "application/json" } },
      "the answer has a malformed signature base",
    ],
  ])("%s", (_, options, message) => {
    expect(verdict(signed(options))).toBe(message);
  });

  const malformed = "the answer has no well-formed Signature-Input and Signature";
  const { "signature-input": input = "", signature = "" } = signedHeaders(answer);
  test.each([
    ["nothing", "", "", malformed],
    ["no signature", input, "", malformed],
    ["a label twice", `${input}, ${input}`, signature, malformed],
    ["a signature twice", input, `${signature}, ${signature}`, malformed],
    [
      "two signatures by the key",
      `${input}, ${input.replace("sig", "two")}`,
      `${signature}, ${signature.replace("sig", "two")}`,
      "the answer has 2 signatures by the key bank-2026, expected one",
    ],
    [
      "a signature under another label",
      input,
      signature.replace("sig", "other"),
      "the answer has 0 signatures by the key bank-2026, expected one",
    ],
    ["base64 that is none", input, "sig=:AAA:", malformed],
    ["a signature that is a text", input, 'sig="AAAA"', malformed],
    ["what follows a list", `${input} x`, signature, malformed],
    ["an unclosed list", input.replace(")", ""), signature, malformed],
    ["two blanks in a list", input.replace(" ", "  "), signature, malformed],
    ["a number with a leading 0", input.replace("created=0", "created=00"), signature, malformed],
    ["a fraction", input.replace("created=0", "created=0.5"), signature, malformed],
    ["a parameter twice", input.replace("created=0", "created=0;created=1"), signature, malformed],
    ["more than is read", `a=("${"x".repeat(17_000)}")`, signature, malformed],
    [
      "a signature of 63 bytes",
      input,
      `sig=:${encodeBase64(new Uint8Array(63))}:`,
      "the answer has a signature that does not verify under the key bank-2026",
    ],
  ])("with %s", (_, given, sig, message) => {
    expect(
      verdict({ ...answer, headers: { ...signedHeaders(answer), "signature-input": given, signature: sig } }),
    ).toBe(message);
  });

  test("under a key of small order, which every signature verifies under", () => {
    const weak = new Uint8Array(32);
    weak[0] = 1;
    expect(verdict(signed(), {}, weak)).toContain("is of small order");
    expect(verdict(signed({ key: mallory }), {}, null)).toBe("ok");
  });
});

describe("a recorded base", () => {
  const taken = takeSignature(signed(), bank.id);
  const { base, signature } = taken.ok ? taken.value : { base: "", signature: "" };
  const last = base.slice(base.lastIndexOf("\n") + 1);
  test.each([
    ["nothing", ""],
    ["its last line alone", last],
    ["a line less", base.slice(base.indexOf("\n") + 1)],
    ["a line more", `"x": y\n${base}`],
    ["lines in another order", base.replace(/^(.*)\n(.*)\n/, "$2\n$1\n")],
    ["an empty line behind it", `${base}\n`],
    ["a name of another form", base.replace('"@status": 200', '"@Status": 200')],
    ["more than 64 KiB", base.replace("200", "2".repeat(70_000))],
  ])("of %s is malformed", (_, wrong) => {
    const checked = checkMessageSignature({ base: wrong, signature, keyId: bank.id }, signed(), null);
    expect(checked.ok ? "ok" : checked.error.message).toBe("the answer has a malformed signature base");
  });
});

describe("a Content-Digest", () => {
  const body = encodeUtf8("body");
  const right = contentDigest(body);
  const other = contentDigest(encodeUtf8("other"));
  test.each([
    [right, true],
    [`${right}, md5=:AAAA:`, true],
    [`unixsum=:AAAA:,${right}`, true],
    ["", false],
    ["md5=:AAAA:", false],
    [other, false],
    [`${right}, ${other}`, false],
    [`${right}, sha-512=:AAAA:`, false],
    [right.replace("sha-256", "SHA-256"), false],
    [right.replaceAll(":", '"'), false],
    [right.slice(0, -3), false],
  ])("%s", (field, holds) => {
    expect(isContentDigest(field, body)).toBe(holds);
  });
});
