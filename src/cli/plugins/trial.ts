import type { JsonValue } from "../../canonical/jcs.js";
import { decodeAbi } from "../../canonical/msgpack.js";
import { readJson } from "../../canonical/read.js";
import type { CanonicalEvent } from "../../contracts/event.js";
import {
  type ExecutionRecord,
  executionRecordSchema,
  type HostCall,
  hostCallSchema,
} from "../../contracts/execution.js";
import type { ManifestDraft } from "../../contracts/manifest.js";
import type { PolicyDocument } from "../../contracts/policy.js";
import { decodeBase64Url, decodeUtf8, encodeBase64 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import type { AbiValue, Logger } from "../../ports.js";
import { createRuntime } from "../../runtime.js";
import { createMemoryStore } from "../../stores/memory.js";
import { Evidence } from "../../verify/evidence.js";
import type { CliContext } from "../context.js";
import { judgeOrRefuse } from "./admission.js";
import type { TrialGrants } from "./grants.js";

/** One call of a plugin outside of any home. `input` is JSON parameters, or bytes for functions that take text or bytes. */
export type Trial = {
  readonly draft: ManifestDraft;
  readonly wasm: Uint8Array;
  readonly fn: string;
  readonly input: Uint8Array;
  readonly grants: TrialGrants;
};

/** A host call as a person reads it. Sizes in bytes. */
export type TrialCall = {
  readonly seq: number;
  readonly capability: string;
  readonly outcome: HostCall["outcome"];
  /** What it was about: path, key, method and URL; empty when there is nothing to say. */
  readonly about: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly assurance: HostCall["assurance"];
  /** Code and message of an answer that is not ok. */
  readonly error: { readonly code: string; readonly message: string } | null;
};

/** How a trial ended. `refused` names what stood in the way of a start. */
export type TrialEnd =
  | { readonly refused: { readonly code: string; readonly message: string } }
  | {
      readonly refused: null;
      readonly status: ExecutionRecord["status"];
      /** Parsed JSON, text, or base64 for functions that give bytes; absent unless completed. */
      readonly output?: JsonValue;
      readonly error: { readonly code: string; readonly message: string } | null;
      readonly fuel: ExecutionRecord["fuel"];
      readonly memoryPeakPages: number;
      readonly calls: readonly TrialCall[];
    };

/**
 * Runs a plugin once through the whole pipeline over a store in memory, under a policy that allows this one action:
 * admission, grants, sandbox, broker and performers are those of a home, and nothing of it is kept. Throws why the
 * plugin is not admitted: EXO_PLUGIN_DIGEST, EXO_WASM_*, EXO_SCHEMA; and EXO_JSON_* for an input that is no JSON object.
 */
export async function runTrial(context: CliContext, trial: Trial, logger: Logger): Promise<TrialEnd> {
  const { draft, wasm, fn, grants } = trial;
  const found = draft.functions.find(({ name }) => name === fn);
  if (found === undefined) throw new ExoArmurError("EXO_USAGE", `${draft.name} has no function ${fn}`);
  judgeOrRefuse(draft, wasm);
  const parameters = parametersOf(found.input ?? "parameters", trial.input);
  const runtime = await createRuntime({
    store: createMemoryStore(),
    policy: allowOnly(found.action),
    plugins: [{ wasm, manifest: draft }],
    roots: grants.roots,
    grants: { [draft.name]: grants.capabilities },
    sandbox: { workers: 1 },
    clock: context.clock,
    entropy: context.entropy,
    // No flag and no secret of the caller's reaches a trial.
    env: {},
    logger,
  });
  try {
    const result = await runtime.execute(
      {
        actor: { id: "author", type: "person" },
        action: found.action,
        executor: { name: draft.name, function: fn },
        parameters,
      },
      { signal: context.signal },
    );
    if (result.status === "denied") return { refused: result.reason };
    const evidence = "bundle" in result ? Evidence.open(result.bundle.bytes()) : undefined;
    const record = evidence?.predicate.execution ?? doubtOf(runtime.pipeline.trace(result.intentId));
    if (record === undefined)
      throw new ExoArmurError("EXO_INTERNAL", `a trial ended ${result.status} without a record`);
    const { error, fuel, memoryPeakPages, status } = record;
    const message = "reason" in result ? result.reason.message : status;
    const calls = evidence?.digestsOf("host_call").map((one) => evidence.document(one, "host_call", hostCallSchema));
    return {
      refused: null,
      status,
      ...(result.status === "executed" ? { output: asJson(result.output) } : {}),
      error: error === undefined ? null : { code: error.code, message: error.message ?? message },
      fuel,
      memoryPeakPages,
      calls: calls?.map(callOf) ?? [],
    };
  } finally {
    await runtime.close();
  }
}

function isObject(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function allowOnly(action: string): PolicyDocument {
  const rules = [{ id: "trial", match: { action }, verdict: "allow" as const }];
  return { schema: "exoarmur.policy/v1", policyId: "trial", version: 1, rules };
}

function parametersOf(kind: string, input: Uint8Array): { [key: string]: JsonValue } {
  if (kind === "bytes") return { input: encodeBase64(input) };
  if (kind === "text") {
    const text = decodeUtf8(input);
    if (text === undefined)
      throw new ExoArmurError("EXO_JSON_UTF8", "the input is not UTF-8, and the function takes text");
    return { input: text };
  }
  const value = readJson(input);
  if (isObject(value)) return value;
  throw new ExoArmurError("EXO_SCHEMA", "the input: expected a JSON object of parameters");
}

/** The record of a run whose write has no definite answer: it has no bundle, and a trial has nobody to resolve it. */
function doubtOf(trace: readonly CanonicalEvent[]): ExecutionRecord | undefined {
  const doubt = trace.find(({ eventType }) => eventType === "execution_in_doubt")?.payload["execution"];
  const parsed = executionRecordSchema.safeParse(doubt);
  return parsed.success ? parsed.data : undefined;
}

function asJson(output: JsonValue | Uint8Array): JsonValue {
  return output instanceof Uint8Array ? encodeBase64(output) : output;
}

function callOf({ seq, capability, outcome, request, response, assurance }: HostCall): TrialCall {
  const [sent, answered] = [request, response].map((text) => decodeBase64Url(text) ?? new Uint8Array(0));
  const { code, message } = membersOf(membersOf(read(answered))["error"]);
  return {
    seq,
    capability,
    outcome,
    about: aboutOf(membersOf(read(sent))),
    requestBytes: sent?.length ?? 0,
    responseBytes: answered?.length ?? 0,
    assurance,
    error: typeof code === "string" && typeof message === "string" ? { code, message } : null,
  };
}

function read(bytes: Uint8Array | undefined): AbiValue {
  try {
    return decodeAbi(bytes ?? new Uint8Array(0));
  } catch {
    // A request that is none was answered with an error, which is shown.
    return null;
  }
}

function membersOf(value: AbiValue | undefined): Readonly<Record<string, AbiValue>> {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isMap ? (value as Readonly<Record<string, AbiValue>>) : {};
}

/** What a request names, in the order it is read. */
const named = ["level", "message", "method", "url", "path", "to", "mode", "key", "prefix", "length"];

function aboutOf(request: Readonly<Record<string, AbiValue>>): string {
  const words = named.flatMap((name) => {
    const value = request[name];
    return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
  });
  const text = words.join(" ");
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
