import { formatVkey, noteKey } from "../../src/crypto/note-key.js";
import { sha256Hex } from "../../src/crypto/sha256.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { openLedger } from "../../src/log/ledger.js";
import type { Ledger, LedgerLimits } from "../../src/log/ledger-types.js";
import type { Store } from "../../src/ports.js";

export const ORIGIN = "example.org/cell-1";
export const signer = signerFromSeed(new Uint8Array(32).fill(3));
export const otherSigner = signerFromSeed(new Uint8Array(32).fill(4));
export const VKEY = formatVkey(noteKey(ORIGIN, signer.publicKey));
export const OTHER_VKEY = formatVkey(noteKey(ORIGIN, otherSigner.publicKey));

export const digest = (name: string | number): string => `sha256:${sha256Hex(new TextEncoder().encode(String(name)))}`;
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const untext = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

/** A ledger over a store under a fresh epoch. */
export async function openOver(store: Store, limits?: LedgerLimits): Promise<Ledger> {
  const epoch = await store.acquire();
  return openLedger({ store, epoch, origin: ORIGIN, signer, ...(limits ? { limits } : {}) });
}
