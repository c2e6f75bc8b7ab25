import { describe, expect, it } from "vitest";
import { type Trust, type TrustedKey, trustSchema } from "../../src/contracts/trust.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import { formatVkey, noteKey } from "../../src/crypto/note-key.js";
import { signerNamed } from "../support/world.js";

const { publicKey } = signerNamed("somebody");
const entry = (role: TrustedKey["role"], more: Partial<TrustedKey> = {}): TrustedKey => ({
  role,
  id: role,
  publicKey: encodeBase64(publicKey),
  from: null,
  until: null,
  ...more,
});
const file = (keys: readonly TrustedKey[], more: Partial<Trust> = {}): unknown => ({
  schema: "exoarmur.trust/v1",
  logs: [],
  keys,
  witnesses: { threshold: 0, vkeys: [] },
  ...more,
});
const wrongs = (document: unknown): string[] =>
  trustSchema.safeParse(document).error?.issues.map(({ path, message }) => `${path.join("/")}: ${message}`) ?? [];

const alone = (role: string): string =>
  `keys: expected keys of the role ${role} that nothing here has another role for, nor a log or witness signs with`;
const origins: TrustedKey["origins"] = [{ scheme: "https", host: "a.example", port: 443 }];

describe("a verifier's key in a trust file", () => {
  it("stands beside others", () => {
    const other = encodeBase64(signerNamed("other").publicKey);
    expect(wrongs(file([entry("verifier"), entry("runtime", { publicKey: other })]))).toEqual([]);
  });

  it.each(["runtime", "log", "approver", "operator", "policy-author", "publisher", "witness", "root"] as const)(
    "has not the role %s as well, in neither order",
    (role) => {
      expect(wrongs(file([entry("verifier"), entry(role)]))).toEqual([alone("verifier")]);
      expect(wrongs(file([entry(role), entry("verifier")]))).toEqual([alone("verifier")]);
    },
  );

  it("is neither an attester's nor a counterparty's", () => {
    expect(wrongs(file([entry("verifier"), entry("attester")]))).toEqual([alone("attester"), alone("verifier")]);
    const counterparty = entry("counterparty", { origins });
    expect(wrongs(file([entry("verifier"), counterparty]))).toEqual([alone("counterparty"), alone("verifier")]);
  });

  it("is no log's and no witness's", () => {
    const vkey = formatVkey(noteKey("log.example/1", publicKey, 1));
    expect(wrongs(file([entry("verifier")], { logs: [{ origin: "log.example/1", vkey }] }))).toEqual([
      alone("verifier"),
    ]);
    const witness = formatVkey(noteKey("w.example", publicKey, 4));
    expect(wrongs(file([entry("verifier")], { witnesses: { threshold: 1, vkeys: [witness] } }))).toEqual([
      alone("verifier"),
    ]);
  });

  it("has no second name, not even at another time", () => {
    const wrong = ["keys: expected every key of the role verifier once"];
    expect(wrongs(file([entry("verifier"), entry("verifier", { id: "again" })]))).toEqual(wrong);
    expect(wrongs(file([entry("verifier", { until: 5 }), entry("verifier", { from: 5 })]))).toEqual(wrong);
  });

  it("has no origins", () => {
    expect(wrongs(file([entry("verifier", { origins })]))).toEqual([
      "keys: expected origins with every key of the role counterparty, and with no other",
    ]);
  });
});
