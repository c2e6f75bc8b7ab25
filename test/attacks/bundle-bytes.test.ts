import { beforeAll, describe, expect, it } from "vitest";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { ErrorCode } from "../../src/errors.js";
import type { VerificationReport } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Forge, repack } from "../support/forge.js";
import { seededEntropy } from "../support/world.js";
import { type Bit, flipBits } from "./bit-flips.js";

let all: Bundles;
let denied: Uint8Array;
let text: string;
beforeAll(async () => {
  all = await makeBundles();
  // The smallest bundle there is, so that every byte of it can be tried.
  denied = all.bytes.refused;
  text = new TextDecoder().decode(denied);
});

const verify = (bytes: Uint8Array): VerificationReport => verifyBundle(bytes, { trust: all.trust });
const of = (changed: string): Uint8Array => encodeUtf8(changed);

/** The format check failed, with this code, and nothing else was looked at. */
function expectMalformed(bytes: Uint8Array, code: ErrorCode): void {
  const report = verify(bytes);
  expect(report.checks).toHaveLength(1);
  expect(report.checks[0]).toMatchObject({ id: "format", state: "fail", code });
  expect(report).toMatchObject({ result: "fail", bundleDigest: null, intentId: null, correlationId: null });
}

describe("a file that is no bundle", () => {
  it.each([
    ["nothing", "", "EXO_JSON_SYNTAX"],
    ["null", "null", "EXO_SCHEMA"],
    ["an array", "[]", "EXO_SCHEMA"],
    ["an empty object", "{}", "EXO_SCHEMA"],
    ["a number", "1", "EXO_SCHEMA"],
    ["markup", "<html><script>alert(1)</script></html>", "EXO_JSON_SYNTAX"],
    ["a forbidden key", '{"__proto__":{}}', "EXO_JSON_FORBIDDEN_KEY"],
  ] as const)("%s", (_name, content, code) => expectMalformed(of(content), code));

  it("bytes that are no text", () => expectMalformed(Uint8Array.of(0xff, 0xfe, 0x00), "EXO_JSON_UTF8"));

  it("a cut file, at every fifth byte", () => {
    for (let length = 0; length < denied.length; length += 5) {
      expect(verify(denied.subarray(0, length)).result).toBe("fail");
    }
  });

  it("deep nesting", () => {
    expectMalformed(of(`${"[".repeat(200)}${"]".repeat(200)}`), "EXO_JSON_DEPTH");
    const report = verify(of(`${"[".repeat(500_000)}${"]".repeat(500_000)}`));
    expect(report.result).toBe("fail");
    expect(report.checks).toHaveLength(1);
  });

  it("50 MB of junk", () => {
    const entropy = seededEntropy("junk").bytes(1 << 20);
    const junk = new Uint8Array(50 * (1 << 20));
    for (let at = 0; at < junk.length; at += entropy.length) junk.set(entropy, at);
    expect(verify(junk).result).toBe("fail");
    expectMalformed(of(`{"a":"${"x".repeat(50 * (1 << 20))}"}`), "EXO_SCHEMA");
  });
});

describe("a bundle in other bytes", () => {
  it.each([
    ["a trailing newline", (t: string) => `${t}\n`, "EXO_JSON_NOT_CANONICAL"],
    ["a leading space", (t: string) => ` ${t}`, "EXO_JSON_NOT_CANONICAL"],
    ["a byte order mark", (t: string) => `\ufeff${t}`, "EXO_JSON_SYNTAX"],
    ["white space inside", (t: string) => t.replace(",", ", "), "EXO_JSON_NOT_CANONICAL"],
    ["an escape", (t: string) => t.replace("mediaType", "media\\u0054ype"), "EXO_JSON_NOT_CANONICAL"],
    ["a slash escaped", (t: string) => t.replace("application/", "application\\/"), "EXO_JSON_NOT_CANONICAL"],
    ["a key twice", (t: string) => `{"logProof":"",${t.slice(1)}`, "EXO_JSON_NOT_CANONICAL"],
    [
      "a key twice with one value",
      (t: string) => t.replace(/,"mediaType":("[^"]*")/, ',"mediaType":$1,"mediaType":$1'),
      "EXO_JSON_NOT_CANONICAL",
    ],
    ["two documents", (t: string) => t + t, "EXO_JSON_SYNTAX"],
    ["a comment", (t: string) => `${t}//`, "EXO_JSON_SYNTAX"],
  ] as const)("%s", (_name, change, code) => {
    const changed = change(text);
    expect(changed).not.toBe(text);
    expectMalformed(of(changed), code);
  });

  it("keys in another order", () => {
    const { mediaType, ...rest } = JSON.parse(text) as { mediaType: string };
    expectMalformed(of(JSON.stringify({ mediaType, ...rest })), "EXO_JSON_NOT_CANONICAL");
  });

  it.each([
    ["another media type", "mediaType", "application/json"],
    ["a later version", "mediaType", "application/vnd.exoarmur.proof+json;version=2"],
    ["materials that are a list", "materials", []],
    ["a proof that is no text", "logProof", null],
  ])("%s", (_name, member, value) => {
    expectMalformed(
      repack(denied, (bundle) => (bundle[member] = value)),
      "EXO_SCHEMA",
    );
  });

  it("a member more", () => {
    expectMalformed(
      repack(denied, (bundle) => (bundle.more = 1)),
      "EXO_SCHEMA",
    );
  });

  it("another payload type", () => {
    const bytes = repack(denied, (bundle) => (bundle.envelope.payloadType = "application/json"));
    expectMalformed(bytes, "EXO_BUNDLE");
  });

  it("no signatures", () => {
    expectMalformed(
      repack(denied, (bundle) => (bundle.envelope.signatures = [])),
      "EXO_SCHEMA",
    );
  });

  it("a layout of a later build is an end of its own, not failed", async () => {
    const forge = new Forge(denied);
    forge.predicate.revisions.bundle = 2;
    const report = verify(await forge.pack());
    expect(report.result).toBe("unsupported_revision");
    expect(report.checks).toHaveLength(1);
    expect(report.checks[0]).toMatchObject({ id: "format", state: "unable", code: "EXO_REVISION" });
  });

  it.each(["no padding", "url alphabet", "a line break", "bits behind the end", "white space"])(
    "base64 with %s",
    (how) => {
      const bytes = encodeUtf8("\u00ff\u00fe?~>abc");
      const good = encodeBase64(bytes);
      const forms: Record<string, string> = {
        "no padding": good.replace(/=+$/, ""),
        "url alphabet": good.replaceAll("+", "-").replaceAll("/", "_"),
        "a line break": `${good.slice(0, 4)}\n${good.slice(4)}`,
        "bits behind the end": encodeBase64(encodeUtf8("a")).replace("YQ==", "YR=="),
        "white space": `${good} `,
      };
      const form = forms[how] ?? "";
      expect(form).not.toBe(good);
      const bytesOf = repack(denied, (bundle) => (bundle.materials[`sha256:${"0".repeat(64)}`] = form));
      expectMalformed(bytesOf, how === "bits behind the end" ? "EXO_BUNDLE" : "EXO_SCHEMA");
    },
  );

  it("a material of 40 MB is read, not choked on", () => {
    const big = encodeBase64(new Uint8Array(40 * (1 << 20)));
    const report = verify(repack(denied, (bundle) => (bundle.materials[`sha256:${"0".repeat(64)}`] = big)));
    expect(report.checks[0]).toMatchObject({ id: "format", state: "pass" });
    expect(report.checks.find(({ id }) => id === "materials")).toMatchObject({
      state: "fail",
      code: "EXO_MATERIAL_SET",
    });
  });
});

describe("bit flips", () => {
  it("of one bit in any byte of a bundle are found: there is no byte that does not matter", () => {
    const entropy = seededEntropy("flips").bytes(denied.length);
    const bits = Array.from(entropy, (random, at): Bit => [at, random % 8]);
    const { failed, unsupported, undetected } = flipBits(denied, bits, { trust: all.trust });
    expect(undetected).toEqual([]);
    expect(unsupported).toBeLessThanOrEqual(1);
    expect(failed + unsupported).toBe(denied.length);
  });

  it("of an approved one, at two hundred places, are found", () => {
    const bytes = all.bytes.approved;
    const view = new DataView(seededEntropy("places").bytes(800).buffer);
    const bits = Array.from({ length: 200 }, (_, n): Bit => [view.getUint32(n * 4) % bytes.length, n % 8]);
    expect(flipBits(bytes, bits, { trust: all.trust }).undetected).toEqual([]);
  });

  it("of the digit of the layout are of another layout, and of that one digit alone", () => {
    const payload = (JSON.parse(text) as { envelope: { payload: string } }).envelope.payload;
    const start = text.indexOf(payload);
    const digit = (decodeUtf8(decodeBase64(payload) ?? new Uint8Array(0)) ?? "").indexOf('"bundle":1') + 9;
    const around = Array.from(
      { length: 16 * 8 },
      (_, n): Bit => [start + Math.floor((digit * 4) / 3) - 8 + Math.floor(n / 8), n % 8],
    );
    const { failed, unsupported, undetected } = flipBits(denied, around, { trust: all.trust });
    expect(undetected).toEqual([]);
    expect(unsupported).toBeGreaterThan(0);
    expect(unsupported).toBeLessThanOrEqual(8);
    expect(failed).toBe(around.length - unsupported);
  });
});
