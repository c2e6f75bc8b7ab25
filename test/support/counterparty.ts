import { contentDigest } from "../../src/contracts/content-digest.js";
import type { Exchange } from "../../src/contracts/http-signature.js";
import { preAuthEncode } from "../../src/crypto/dsse.js";
import { publicKeyOf, signEd25519 } from "../../src/crypto/ed25519.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";

/** A counterparty's key: its id, seed and public key. */
export const bank = keyOf("bank-2026", 7);

/** Somebody else's. */
export const mallory = keyOf("bank-2026", 8);

/** A key made of one byte. */
function keyOf(
  id: string,
  byte: number,
): { readonly id: string; readonly seed: Uint8Array; readonly publicKey: Uint8Array } {
  const seed = new Uint8Array(32).fill(byte);
  return { id, seed, publicKey: publicKeyOf(seed) };
}

/** What a signature covers unless a test says otherwise, as it stands in Signature-Input. */
export const usualComponents = ['"@status"', '"content-digest"', '"@method";req', '"@target-uri";req'];

/** How an answer is signed. */
export type SignOptions = {
  readonly key?: typeof bank;
  readonly components?: readonly string[];
  /** Behind the components; `created` in seconds. */
  readonly parameters?: string;
  readonly created?: number;
  readonly label?: string;
  /** What the server believes the values are, by component. */
  readonly values?: Readonly<Record<string, string>>;
};

/** The headers of a signed answer, written by hand and so independent of what verifies them. */
export function signedHeaders(exchange: Omit<Exchange, "headers">, options: SignOptions = {}): Record<string, string> {
  const { key = bank, created = 0, label = "sig" } = options;
  const hasBody = exchange.request.body.length > 0;
  const { components = hasBody ? [...usualComponents, '"content-digest";req'] : usualComponents } = options;
  const { parameters = `;created=${created};keyid="${key.id}";alg="ed25519"` } = options;
  const digest = contentDigest(exchange.body);
  const values: Record<string, string> = {
    '"@status"': String(exchange.status),
    '"content-digest"': digest,
    '"@method";req': exchange.request.method,
    '"@target-uri";req': exchange.request.url,
    '"content-digest";req': contentDigest(exchange.request.body),
    ...options.values,
  };
  const params = `(${components.join(" ")})${parameters}`;
  const lines = components.map((component) => `${component}: ${values[component] ?? ""}`);
  const base = [...lines, `"@signature-params": ${params}`].join("\n");
  return {
    "content-digest": digest,
    "signature-input": `${label}=${params}`,
    signature: `${label}=:${encodeBase64(signEd25519(key.seed, encodeUtf8(base)))}:`,
  };
}

/** A DSSE envelope as another program writes it: not canonical, with key ids of its own. */
export function envelopeOf(payloadType: string, payload: string, key = bank): string {
  const bytes = encodeUtf8(payload);
  const sig = encodeBase64(signEd25519(key.seed, preAuthEncode(payloadType, bytes)));
  return `${JSON.stringify({ payload: encodeBase64(bytes), payloadType, signatures: [{ keyid: "k", sig }] }, null, 1)}\n`;
}
