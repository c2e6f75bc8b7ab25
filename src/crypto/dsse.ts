import { concatBytes, encodeUtf8 } from "./encoding.js";

/**
 * DSSE pre-authentication encoding v1: `DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in bytes as
 * decimals. These are the bytes a DSSE signature covers.
 */
export function preAuthEncode(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  return concatBytes(encodeUtf8(`DSSEv1 ${type.length} `), type, encodeUtf8(` ${payload.length} `), payload);
}
