import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { client, type Said } from "./passkey.js";

/** Where the passkeys of these cases count. */
export const place = { rpId: "example.com", origins: ["https://console.example.com", "https://example.com:8443"] };

/** What an authenticator and a browser may say otherwise. */
export const saidWell: readonly (readonly [string, (said: Said) => void])[] = [
  ["from another pinned origin", client("origin", "https://example.com:8443")],
  ["without crossOrigin", client("crossOrigin", undefined)],
  ["with members that came later", client("other_keys_can_be_added_here", "do not compare clientDataJSON")],
  ["of as many bytes as it may have", (s) => filled(s, 4096)],
  ["that may be backed up", (s) => (s.flags |= 0x08)],
  ["that is backed up", (s) => (s.flags |= 0x18)],
  ["with a counter of 0", (s) => (s.counter = 0)],
  ["with the highest counter", (s) => (s.counter = 0xffffffff)],
];

/** What they may not, and words of the refusal. */
export const saidBadly: readonly (readonly [string, (said: Said) => void, string])[] = [
  ["made when the passkey was", client("type", "webauthn.create"), 'the type webauthn.get, got "webauthn.create"'],
  ["of no type", client("type", undefined), "the type webauthn.get, got nothing"],
  ["of another type altogether", client("type", ["webauthn.get"]), 'the type webauthn.get, got ["webauthn.get"]'],
  ["of another challenge", client("challenge", "A".repeat(43)), `, the payload's SHA-256, got "${"A".repeat(43)}"`],
  ["of no challenge", client("challenge", undefined), "got nothing"],
  ["from another origin", client("origin", "https://console.example.org"), 'got "https://console.example.org"'],
  ["from the same host by http", client("origin", "http://console.example.com"), 'got "http://console.example.com"'],
  ["from another port", client("origin", "https://example.com"), 'got "https://example.com"'],
  ["from an origin with a slash", client("origin", "https://console.example.com/"), "https://console.example.com/"],
  ["from a list of origins", client("origin", place.origins), "got ["],
  ["from no origin", client("origin", undefined), "got nothing"],
  ["from a frame of another origin", client("crossOrigin", true), "expected crossOrigin false, got true"],
  ["that says crossOrigin in words", client("crossOrigin", "false"), 'expected crossOrigin false, got "false"'],
  ["under another top origin", client("topOrigin", "https://evil.example"), "expected no topOrigin"],
  ["of a sibling domain", (s) => (s.rpIdHash = sha256(encodeUtf8("evil.com"))), "the relying party example.com, got"],
  ["of the domain below", (s) => (s.rpIdHash = sha256(encodeUtf8("console.example.com"))), "the relying party"],
  ["without anybody present", (s) => (s.flags &= ~0x01), "expected a user who was present"],
  ["without anybody verified", (s) => (s.flags &= ~0x04), "expected a user who was verified"],
  ["with the reserved flag 1", (s) => (s.flags |= 0x02), "expected no reserved flag, got 0x07"],
  ["with the reserved flag 5", (s) => (s.flags |= 0x20), "expected no reserved flag, got 0x25"],
  ["backed up though it may not be", (s) => (s.flags |= 0x10), "a credential that may not be backed up"],
  ["with attested credential data", (s) => (s.flags |= 0x40), "neither attested credential data nor extensions"],
  ["with extensions", (s) => Object.assign(s, { flags: 0x85, more: Uint8Array.of(0xa0) }), "nor extensions"],
  ["with bytes after the counter", (s) => (s.more = Uint8Array.of(0)), "authenticatorData of 37 bytes, got 38"],
  ["cut short", (s) => (s.rpIdHash = s.rpIdHash.subarray(0, 31)), "authenticatorData of 37 bytes, got 36"],
  ["whose client data is a list", (s) => (s.clientData = "[]"), "clientDataJSON is no object"],
  ["whose client data is null", (s) => (s.clientData = "null"), "clientDataJSON is no object"],
  ["whose client data is no JSON", (s) => (s.clientData = "{"), "clientDataJSON: EXO_JSON_SYNTAX"],
  ["whose client data begins with a mark", (s) => (s.clientData = `\ufeff${text(s)}`), "EXO_JSON_SYNTAX"],
  ["whose client data goes on", (s) => (s.clientData = `${text(s)}{}`), "EXO_JSON_SYNTAX"],
  [
    "that says its origin twice",
    (s) => (s.clientData = text(s).replace("{", '{"origin":"https://evil.example",')),
    "EXO_JSON_DUPLICATE_KEY",
  ],
  ["of a byte more than it may have", (s) => filled(s, 4097), "EXO_JSON_SIZE"],
];

/** Fills the client data up to a length. */
function filled(s: Said, length: number): void {
  const [given, member] = [text(s), '"x":"",'];
  s.clientData = given.replace("{", `{"x":"${"x".repeat(length - given.length - member.length)}",`);
}

function text({ clientData }: Said): string {
  return JSON.stringify(clientData);
}
