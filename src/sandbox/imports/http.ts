import { canonicalize } from "../../canonical/jcs.js";
import { encodeAbi, isAbiMap } from "../../canonical/msgpack.js";
import { readJson } from "../../canonical/read.js";
import { type ErrorCode, isExoArmurError } from "../../errors.js";
import type { AbiValue } from "../../ports.js";
import type { HostFunction } from "../engine.js";
import { Stop } from "../stop.js";
import { readAnswer } from "./answer.js";
import { guestState } from "./guest-state.js";

/** Largest request document of a guest; the body is apart. */
const documentBytes = 32_768;

/** Deepest document that has a meaning: the map of headers inside the request. */
const documentDepth = 2;

const expected = "http_request expects {url, method?, headers?}: text, text, and an object of texts";

/**
 * Ends the run: this import has no way to tell a guest that a request failed, and Extism's own hosts end the call as
 * well (spec/abi.md, http_request).
 */
function failed(message: string): Stop {
  return new Stop("guest_error", "EXO_GUEST_ERROR" satisfies ErrorCode, message);
}

/** What a PDK writes, as the request of the capability `http_request` (spec/capabilities.md). */
function readDocument(document: Uint8Array, body: Uint8Array): AbiValue {
  const { url, method, headers, header, ...others } = readMembers(document);
  const fields = headers ?? header ?? {};
  if (
    typeof url !== "string" ||
    (method !== undefined && method !== null && typeof method !== "string") ||
    !isAbiMap(fields) ||
    (headers !== undefined && header !== undefined) ||
    Object.keys(others).length > 0
  ) {
    throw failed(expected);
  }
  const lowered = new Map<string, AbiValue>();
  for (const [name, value] of Object.entries(fields)) {
    const lower = asciiLower(name);
    if (lowered.has(lower) || lower === "__proto__") {
      throw failed("http_request expects every header once");
    }
    lowered.set(lower, value);
  }
  return { method: asciiUpper(method ?? "GET"), url, headers: Object.fromEntries(lowered), body };
}

function readMembers(document: Uint8Array): Readonly<Record<string, AbiValue>> {
  let value: AbiValue;
  try {
    value = readJson(document, { maxBytes: documentBytes, maxDepth: documentDepth }) as AbiValue;
  } catch (error) {
    // The reader's own errors; anything else is a fault of the host.
    if (isExoArmurError(error) && error.code.startsWith("EXO_JSON_")) {
      throw failed(expected);
    }
    throw error;
  }
  return isAbiMap(value) ? value : {};
}

/** Case of ASCII letters alone, so that no other letter becomes one of them. */
function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function asciiUpper(text: string): string {
  return text.replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** `(request, body) -> answer's body`: frees what it is given. */
function httpRequest(request: bigint, body: bigint): bigint {
  const state = guestState();
  const { kernel } = state;
  state.httpStatus = 0;
  state.httpHeaders = undefined;
  state.httpHeadersBlock = 0n;
  const asked = readDocument(kernel.blocks.read(request, documentBytes + 1), kernel.blocks.read(body));
  const answer = readAnswer(kernel.callCapability("http_request", encodeAbi(asked)));
  kernel.blocks.free(request);
  kernel.blocks.free(body);
  if (!answer.ok) {
    throw failed(`http_request: ${answer.code}: ${answer.message}`.slice(0, 1024));
  }
  const { status, headers, body: content } = answer.value;
  if (!isStatus(status) || !isTexts(headers) || !(content instanceof Uint8Array)) {
    throw failed("http_request: EXO_HOST_FAULT: the answer has no form");
  }
  state.httpStatus = status;
  state.httpHeaders = canonicalize(headers);
  return kernel.blocks.store(content);
}

function isStatus(status: AbiValue | undefined): status is number {
  return typeof status === "number" && Number.isInteger(status) && status >= 100 && status <= 999;
}

function isTexts(fields: AbiValue | undefined): fields is Readonly<Record<string, string>> {
  return isAbiMap(fields) && Object.values(fields).every((value) => typeof value === "string");
}

/**
 * Address of a block with the last answer's headers as a JSON object, 0 when there is none. The block is made once for
 * an answer and then given again until the guest frees it, so that asking often costs the host nothing.
 */
function httpHeaders(): bigint {
  const state = guestState();
  if (state.httpHeaders !== undefined) {
    state.httpHeadersBlock = state.kernel.blocks.store(state.httpHeaders);
    state.httpHeaders = undefined;
  }
  return state.kernel.blocks.length(state.httpHeadersBlock) > 0 ? state.httpHeadersBlock : 0n;
}

/** Extism's HTTP functions, which a sealed module imports from `exo:http` (spec/abi.md). */
export const httpImports: Readonly<Record<string, HostFunction>> = {
  http_request: httpRequest,
  http_status_code: () => guestState().httpStatus,
  http_headers: httpHeaders,
};
