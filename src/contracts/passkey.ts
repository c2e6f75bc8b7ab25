import { z } from "zod";
import { decodeBase64Url } from "../crypto/encoding.js";
import { isHost, splitUrl } from "./url.js";

/** The relying party of a passkey: a domain, never an address. */
const rpIdSchema = z
  .string()
  .max(253)
  .refine((text) => isHost(text) && !/^[\d.]+$/.test(text), "expected a lower-case domain such as console.example.com");

/** An origin as browsers write it, such as `https://console.example.com`: https, or http on localhost. */
const webOriginSchema = z
  .string()
  .max(300)
  .refine((text) => hostOfOrigin(text) !== undefined, "expected an origin such as https://console.example.com");

/** Where a passkey's assertions count: its relying party, and the origins that may ask for one, compared exactly. */
const placeShape = { rpId: rpIdSchema, origins: z.array(webOriginSchema).min(1).max(20) };

const places = {
  error: "expected origins of the relying party's domain or of one below it",
  path: ["origins"],
};

/** What a bundle says of a passkey beside its public key (spec/bundle.md). */
export const passkeyPlaceSchema = z.strictObject(placeShape).refine(hasOwnOrigins, places);

/** What a trust file says of a passkey beside its public key (spec/keys.md, Passkeys). */
export const passkeySchema = z
  .strictObject({
    /** Unpadded base64url: what a browser asks an authenticator for. Nothing is judged by it. */
    credentialId: z
      .string()
      .max(1364)
      .refine((text) => (decodeBase64Url(text)?.length ?? 0) > 0, "expected unpadded base64url"),
    ...placeShape,
  })
  .refine(hasOwnOrigins, places);

/** Relying party and origins of a passkey. */
export type PasskeyPlace = z.infer<typeof passkeyPlaceSchema>;

/** A passkey of a trust file. */
export type Passkey = z.infer<typeof passkeySchema>;

/** A passkey that envelopes may be signed by. `publicKey` is the compressed P-256 point, 33 bytes. */
export type PasskeyKey = PasskeyPlace & { readonly publicKey: Uint8Array };

/** A key that envelopes may be signed by: the 32 raw bytes of an Ed25519 key, or a passkey. */
export type EnvelopeKey = Uint8Array | PasskeyKey;

/** The raw public key of either. */
export function publicKeyOfEnvelopeKey(key: EnvelopeKey): Uint8Array {
  return key instanceof Uint8Array ? key : key.publicKey;
}

/** The key of a trust file's entry, or of a bundle's list of keys, whose raw bytes are `publicKey`. */
export function envelopeKeyOf(publicKey: Uint8Array, passkey: PasskeyPlace | undefined): EnvelopeKey {
  return passkey === undefined ? publicKey : { publicKey, rpId: passkey.rpId, origins: passkey.origins };
}

function hasOwnOrigins({ rpId, origins }: { rpId: string; origins: string[] }): boolean {
  return origins.every((origin) => {
    const host = hostOfOrigin(origin);
    return host === rpId || host?.endsWith(`.${rpId}`) === true;
  });
}

/** The host of an origin on which browsers have passkeys. */
function hostOfOrigin(origin: string): string | undefined {
  const { scheme, host = "", path } = splitUrl(`${origin}/`) ?? {};
  const local = host === "localhost" || host.endsWith(".localhost");
  return path === "/" && (scheme === "https" || (scheme === "http" && local)) ? host : undefined;
}
