import { parseCanonical } from "../canonical/read.js";
import type { Envelope } from "../contracts/dsse.js";
import { readPointer } from "../contracts/pointer.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";

/**
 * Refuses a signed document that names another object than the path it was sent to. Its signature is the pipeline's to
 * check, over these same bytes. EXO_ENVELOPE, EXO_ORDER, EXO_JSON_*.
 */
export function requireNames(envelope: Envelope, pointer: string, expected: string): void {
  const payload = decodeBase64(envelope.payload);
  if (payload === undefined) throw new ExoArmurError("EXO_ENVELOPE", "the payload is not standard padded base64");
  const named = readPointer(parseCanonical(payload, { maxBytes: 65_536 }), pointer);
  if (named === expected) return;
  throw new ExoArmurError("EXO_ORDER", `the signed document's ${pointer} is not ${expected}, which the path is for`);
}
