/** The `#crypto` backend on Node: node:crypto and Buffer. Same exports and results as backend-noble.ts. */
import { isUtf8 } from "node:buffer";
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { isCanonicalPoint, isReducedSignature } from "./ed25519-encoding.js";

/** PKCS #8 and SPKI headers of an Ed25519 key (RFC 8410); the raw 32 bytes follow. */
const pkcs8Header = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiHeader = Buffer.from("302a300506032b6570032100", "hex");

/** Below this many bytes joining the parts and hashing once is faster than an incremental hash. */
const joinLimit = 16_384;

/** SPKI header of a P-256 key whose point is compressed (RFC 5480); the 33 bytes follow. */
const p256SpkiHeader = Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex");

const encoder = new TextEncoder();

/** Parsed public keys by their bytes: parsing costs more than verifying. Cleared when full, so it stays bounded. */
const publicKeys = new Map<string, KeyObject>();
const publicKeyLimit = 1_024;

export function sha256(parts: readonly Uint8Array[]): Uint8Array {
  const first = parts[0];
  if (parts.length === 1 && first !== undefined) return fromLatin1(hash("sha256", first, "binary"));
  let total = 0;
  for (const part of parts) total += part.length;
  if (total <= joinLimit) return fromLatin1(hash("sha256", Buffer.concat(parts, total), "binary"));
  const hasher = createHash("sha256");
  for (const part of parts) hasher.update(part);
  return fromLatin1(hasher.digest("binary"));
}

export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return fromLatin1(hash("sha512", bytes, "binary"));
}

export function hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return fromLatin1(mac.digest("binary"));
}

export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" });
  return Uint8Array.from(spki.subarray(spkiHeader.length));
}

export function openSeed(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = privateKey(seed);
  return (message) => plain(sign(null, message, key));
}

export function verifyStrict(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  // OpenSSL compares R bytewise but decodes the public key leniently, so the encoding is checked here.
  if (!isCanonicalPoint(publicKey) || !isReducedSignature(signature)) return false;
  return verify(null, message, publicKeyObject(publicKey), signature);
}

export function isP256Point(compressed: Uint8Array): boolean {
  return p256KeyObject(compressed) !== undefined;
}

export function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = p256KeyObject(publicKey);
  return key !== undefined && verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

export function encodeHex(bytes: Uint8Array): string {
  return view(bytes).toString("hex");
}

export function decodeHex(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 ? decode(text, text.length / 2, "hex") : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return view(bytes).toString("base64");
}

export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return decode(text, (text.length / 4) * 3 - padding, "base64");
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString("base64url");
}

export function decodeBase64Url(text: string): Uint8Array | undefined {
  return text.length % 4 === 1 ? undefined : decode(text, Math.floor((text.length * 3) / 4), "base64url");
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? view(bytes).toString("utf8") : undefined;
}

/** Buffer skips what it does not understand; encoding the result again and comparing leaves one text per value. */
function decode(text: string, length: number, encoding: "hex" | "base64" | "base64url"): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  const buffer = view(bytes);
  return buffer.write(text, encoding) === length && buffer.toString(encoding) === text ? bytes : undefined;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The bytes of a digest, one character each. An array this small lives on the engine's own heap: made this way a digest
 * takes a quarter of the time that asking for a Buffer takes.
 */
function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** A Uint8Array that owns its memory: a Buffer may be a window on a pool shared with secrets. */
function plain(buffer: Buffer): Uint8Array {
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : Uint8Array.from(buffer);
}

function privateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([pkcs8Header, seed]);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

function publicKeyObject(raw: Uint8Array): KeyObject {
  return cachedKey(spkiHeader, raw);
}

function p256KeyObject(compressed: Uint8Array): KeyObject | undefined {
  try {
    return cachedKey(p256SpkiHeader, compressed);
  } catch {
    return undefined;
  }
}

/** Keys of the two curves differ in length, so that their bytes name them. */
function cachedKey(header: Uint8Array, raw: Uint8Array): KeyObject {
  const name = view(raw).toString("latin1");
  let key = publicKeys.get(name);
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.concat([header, raw]), format: "der", type: "spki" });
    if (publicKeys.size >= publicKeyLimit) publicKeys.clear();
    publicKeys.set(name, key);
  }
  return key;
}
