import { decodeAbi, isAbiMap } from "../../canonical/msgpack.js";
import { type ErrorCode, isExoArmurError } from "../../errors.js";
import type { AbiValue } from "../../ports.js";

/** A capability's answer after decoding: what `ok` holds, or code and message of its error. */
export type Answer =
  | { readonly ok: true; readonly value: Readonly<Record<string, AbiValue>> }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** No answer is larger: the broker's own cap is 40 MiB (spec/capabilities.md). */
const answerBytes = 67_108_864;

const malformed = {
  ok: false,
  code: "EXO_HOST_FAULT" satisfies ErrorCode,
  message: "the answer has no form",
} as const;

/** Reads an answer that the sandbox translates for a guest. One of another form counts as an error of the host. */
export function readAnswer(response: Uint8Array): Answer {
  let value: AbiValue;
  try {
    value = decodeAbi(response, { maxBytes: answerBytes });
  } catch (error) {
    if (isExoArmurError(error, "EXO_MSGPACK")) {
      return malformed;
    }
    throw error;
  }
  const { ok, error } = isAbiMap(value) ? value : {};
  if (isAbiMap(ok)) {
    return { ok: true, value: ok };
  }
  const { code, message } = isAbiMap(error) ? error : {};
  return typeof code === "string" && typeof message === "string" ? { ok: false, code, message } : malformed;
}
