import type { Digest } from "../canonical/digest.js";
import { digestOf } from "../canonical/digest.js";
import type { JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import type { ResultView } from "../contracts/control.js";
import { readPointer } from "../contracts/pointer.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { ExecutionResult } from "../pipeline/types.js";

/** A bundle that is fetched when it is asked for. */
export type RemoteBundle = {
  readonly digest: Digest;
  /** The `*.proof.json` file. EXO_BUNDLE when what comes is not the bundle of this digest. */
  bytes(): Promise<Uint8Array>;
};

type Remote<T> = T extends { readonly bundle: unknown } ? Omit<T, "bundle"> & { readonly bundle: RemoteBundle } : T;

/** ExecutionResult of another process: the same, but that the bundle is fetched. */
export type RemoteResult = Remote<ExecutionResult>;

/** The result that a control plane tells of. EXO_CONTROL_PLANE when members are missing that its status has. */
export function remoteResult(view: ResultView, fetchBundle: () => Promise<Uint8Array>): RemoteResult {
  const { intentId, correlationId, status, decision, safety, output, bundle: digest, ...rest } = view;
  const judged = { intentId, correlationId, decision, safety };
  const bundle = digest === undefined ? undefined : { digest, bytes: async () => checked(digest, await fetchBundle()) };
  const { reason, advice, execution, approval, fuel, hostCalls, outputDropped, heldUntil } = rest;
  if (status === "running") return { ...judged, status };
  if (status === "approval_pending" && approval !== undefined) {
    return { ...judged, status, approval, ...(heldUntil === undefined ? {} : { heldUntil }) };
  }
  if (reason !== undefined && advice !== undefined) {
    if (status === "in_doubt") return { ...judged, status, reason, advice };
    if (status === "denied" && bundle !== undefined) return { ...judged, status, reason, advice, bundle };
    if (status === "failed" && execution !== undefined && bundle !== undefined) {
      return { ...judged, status, reason, advice, execution, bundle };
    }
  }
  const value = output === undefined ? undefined : outputOf(output);
  if (
    status === "executed" &&
    value !== undefined &&
    fuel !== undefined &&
    hostCalls !== undefined &&
    bundle !== undefined
  ) {
    const dropped = outputDropped === undefined ? {} : { outputDropped };
    return { ...judged, status, output: value, ...dropped, fuel, hostCalls, bundle };
  }
  throw new ExoArmurError("EXO_CONTROL_PLANE", `the answer lacks what a result of the status ${status} has`);
}

function outputOf(output: NonNullable<ResultView["output"]>): JsonValue | Uint8Array | undefined {
  return output.kind === "json" ? output.value : decodeBase64(output.base64);
}

/** The digest is of the signed statement, which the file holds; its signature is for whoever verifies the bundle. */
function checked(digest: Digest, bytes: Uint8Array): Uint8Array {
  const payload = readPointer(readJson(bytes, { maxBytes: bytes.length }), "/envelope/payload");
  const statement = typeof payload === "string" ? decodeBase64(payload) : undefined;
  if (statement !== undefined && digestOf(statement) === digest) return bytes;
  throw new ExoArmurError("EXO_BUNDLE", `the bundle that came is not the one of ${digest}`);
}
