import { decodeAbi, isAbiMap } from "../canonical/msgpack.js";
import { decodeBase64Url } from "../crypto/encoding.js";
import { isExoArmurError } from "../errors.js";
import type { AbiValue } from "../ports.js";
import type { HostCall } from "./execution.js";
import { isCapabilityName, isOutsideWrite } from "./imports.js";

/**
 * A recorded request or response: msgpack in base64url. undefined for anything that is no map of the profile or has more
 * than `maxBytes` bytes (default as decodeAbi): a bundle may come from anybody.
 */
export function readRecorded(
  text: string,
  options: { readonly maxBytes?: number } = {},
): Readonly<Record<string, AbiValue>> | undefined {
  try {
    const value = decodeAbi(decodeBase64Url(text) ?? new Uint8Array(0), options);
    return isAbiMap(value) ? value : undefined;
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}

/**
 * True for a recorded call that can have changed what lies outside the runtime. A capability this build does not know
 * and a request that cannot be read count as such.
 */
export function isRecordedWrite({ capability, request }: Pick<HostCall, "capability" | "request">): boolean {
  if (!isCapabilityName(capability)) return true;
  return isOutsideWrite(capability, capability === "http_request" ? readRecorded(request)?.["method"] : undefined);
}
