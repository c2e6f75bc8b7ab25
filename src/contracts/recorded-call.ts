import { decodeAbi } from "../canonical/msgpack.js";
import { decodeBase64Url } from "../crypto/encoding.js";
import type { HostCall } from "./execution.js";
import { isCapabilityName, isOutsideWrite } from "./imports.js";

/**
 * True for a recorded call that can have changed what lies outside the runtime. A capability this build does not know
 * and a request that cannot be read count as such: a bundle may come from anybody.
 */
export function isRecordedWrite({ capability, request }: Pick<HostCall, "capability" | "request">): boolean {
  if (!isCapabilityName(capability)) return true;
  return isOutsideWrite(capability, capability === "http_request" ? methodOf(request) : undefined);
}

function methodOf(request: string): unknown {
  try {
    const value = decodeAbi(decodeBase64Url(request) ?? new Uint8Array(0));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as { method?: unknown }).method
      : undefined;
  } catch {
    return undefined;
  }
}
