import { p256 } from "@noble/curves/nist.js";
import { verifyAuthenticationResponse } from "@simplewebauthn/server";
import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, payloadTypes } from "../../src/contracts/dsse.js";
import type { Passkey, PasskeyKey } from "../../src/contracts/passkey.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { concatBytes, decodeBase64, encodeBase64, encodeBase64Url, encodeUtf8 } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { sha256 } from "../../src/crypto/sha256.js";

/** What an authenticator and a browser say, before it is signed. */
export type Said = {
  /** Members of clientDataJSON in their order; a text is taken as it is. */
  clientData: { [name: string]: unknown } | string;
  rpIdHash: Uint8Array;
  flags: number;
  counter: number;
  /** Bytes after the counter. */
  more: Uint8Array;
};

/** User present and verified. */
const usualFlags = 0x05;

/** An authenticator without a device, the same for the same name, whose signatures are the same in every run. */
export class SoftPasskey {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  readonly passkey: Passkey;
  readonly key: PasskeyKey;
  readonly #secret: Uint8Array;

  constructor(name: string, place: { rpId: string; origins: string[] }) {
    this.#secret = sha256(encodeUtf8(`test passkey ${name}`));
    this.publicKey = p256.getPublicKey(this.#secret, true);
    this.keyId = keyIdOf(this.publicKey);
    this.passkey = { credentialId: encodeBase64Url(encodeUtf8(`credential of ${name}`)), ...place };
    this.key = { publicKey: this.publicKey, ...place };
  }

  /** Its line of a trust file. */
  entry(id: string, more: Partial<TrustedKey> = {}): TrustedKey {
    const publicKey = encodeBase64(this.publicKey);
    return { role: "approver", id, publicKey, passkey: this.passkey, from: null, until: null, ...more };
  }

  /** Signs a payload; `change` says what is wrong with what is said of it. */
  envelope(payload: Uint8Array, change: (said: Said) => void = () => undefined, payloadType?: string): Envelope {
    const { rpId, origins } = this.passkey;
    const said: Said = {
      clientData: {
        type: "webauthn.get",
        challenge: encodeBase64Url(sha256(payload)),
        origin: origins[0],
        crossOrigin: false,
      },
      rpIdHash: sha256(encodeUtf8(rpId)),
      flags: usualFlags,
      counter: 1,
      more: new Uint8Array(0),
    };
    change(said);
    const { clientData, rpIdHash, flags, counter, more } = said;
    const clientDataJSON = encodeUtf8(typeof clientData === "string" ? clientData : JSON.stringify(clientData));
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, counter);
    const authenticatorData = concatBytes(rpIdHash, Uint8Array.of(flags), count, more);
    const webauthn = {
      authenticatorData: encodeBase64(authenticatorData),
      clientDataJSON: encodeBase64(clientDataJSON),
    };
    const sig = encodeBase64(this.der(concatBytes(authenticatorData, sha256(clientDataJSON))));
    return {
      payloadType: payloadType ?? payloadTypes.approvalGrant,
      payload: encodeBase64(payload),
      signatures: [{ keyid: this.keyId, sig, webauthn }],
    };
  }

  /** Signs a document's canonical bytes. */
  sign(document: unknown, change?: (said: Said) => void, payloadType?: string): Envelope {
    return this.envelope(canonicalize(document), change, payloadType);
  }

  /** ECDSA with SHA-256 over a message, in DER. */
  der(message: Uint8Array): Uint8Array {
    return p256.sign(message, this.#secret, { format: "der", lowS: false });
  }
}

/** Sets a member of clientDataJSON. */
export function client(name: string, value: unknown): (said: Said) => void {
  return ({ clientData }) => {
    if (typeof clientData === "object") clientData[name] = value;
  };
}

/** Where the passkeys of tests count. */
export const consolePlace = { rpId: "console.example.com", origins: ["https://console.example.com"] };

/** A P-256 key as COSE writes it (RFC 9053), which is what other verifiers of WebAuthn take. */
function coseOf(publicKey: Uint8Array): Uint8Array {
  const point = p256.Point.fromBytes(publicKey).toBytes(false);
  const head = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01];
  return Uint8Array.from([...head, 0x21, 0x58, 32, ...point.slice(1, 33), 0x22, 0x58, 32, ...point.slice(33)]);
}

/** What @simplewebauthn/server says of the one signature of an envelope: "ok", or its message. */
export async function askLibrary({ payload, signatures }: Envelope, key: PasskeyKey): Promise<string> {
  const [signature] = signatures;
  if (signature?.webauthn === undefined || signatures.length !== 1) throw new Error("no envelope of one assertion");
  const url = (text: string): string => encodeBase64Url(decodeBase64(text) ?? new Uint8Array(0));
  const { authenticatorData, clientDataJSON } = signature.webauthn;
  const id = encodeBase64Url(encodeUtf8("credential"));
  const response = {
    authenticatorData: url(authenticatorData),
    clientDataJSON: url(clientDataJSON),
    signature: url(signature.sig),
  };
  try {
    const { verified } = await verifyAuthenticationResponse({
      response: { id, rawId: id, type: "public-key", clientExtensionResults: {}, response },
      expectedChallenge: encodeBase64Url(sha256(decodeBase64(payload) ?? new Uint8Array(0))),
      expectedOrigin: [...key.origins],
      expectedRPID: key.rpId,
      credential: { id, publicKey: Uint8Array.from(coseOf(key.publicKey)), counter: 0 },
      requireUserVerification: true,
    });
    return verified ? "ok" : "not verified";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
