/**
 * The one table of stable error codes. spec/errors.md is generated from it.
 *
 * `kind` says what sort of wrong it is: `input` (malformed or refused input), `denied` (well-formed, not allowed),
 * `execution` (the guest's own end), `verification` (cryptographically or logically proven wrong),
 * `unable` (could not be checked), `state` (the home or store is not fit for use), `internal` (a broken invariant).
 */
export type ErrorKind = "input" | "denied" | "execution" | "verification" | "unable" | "state" | "internal";

type Row = readonly [kind: ErrorKind, meaning: string];

/** Every code with its kind and a one-line meaning. Codes are never renamed or reused. */
export const errorTable = {
  // canonical bytes and readers (spec/canonical-bytes.md)
  EXO_JSON_SYNTAX: ["input", "The bytes are not well-formed JSON."],
  EXO_JSON_UTF8: ["input", "The bytes are not well-formed UTF-8."],
  EXO_JSON_DUPLICATE_KEY: ["input", "An object has the same key twice."],
  EXO_JSON_FORBIDDEN_KEY: ["input", "An object has a key that is never accepted, such as __proto__."],
  EXO_JSON_DEPTH: ["input", "Nesting is deeper than 128 levels."],
  EXO_JSON_SIZE: ["input", "The document is larger than the limit."],
  EXO_JSON_NUMBER: ["input", "A number is -0, not finite, or an integer beyond 2^53-1."],
  EXO_JSON_SURROGATE: ["input", "A string holds a lone surrogate."],
  EXO_JSON_TYPE: [
    "input",
    "A value has no JSON form (undefined, function, Map, Date, accessor, hole, class instance).",
  ],
  EXO_JSON_NOT_CANONICAL: ["input", "The bytes are valid JSON but not its canonical form."],
  EXO_MSGPACK: ["input", "The bytes are not a document of the msgpack profile."],
  EXO_ID: ["input", "An identifier is not a ULID."],
  // contracts
  EXO_SCHEMA: ["input", "A document does not have the shape its contract requires."],
  EXO_SCHEMA_VERSION: ["unable", "A document names a schema version this build does not know."],
  EXO_YAML: ["input", "The file is not in the YAML subset that has one reading."],
  // crypto
  EXO_KEY: ["input", "A key is malformed."],
  EXO_KEY_REFUSED: [
    "verification",
    "A public key is non-canonical, not on its curve, of small order or has a torsion component.",
  ],
  EXO_KEY_MODE: ["state", "A private key file can be read by others."],
  EXO_SIGNATURE: ["verification", "A signature does not verify."],
  EXO_SIGNER: ["state", "A signer program did not start, ended, was too slow, or answered with something else."],
  EXO_ENVELOPE: ["verification", "A DSSE envelope is malformed, repeats a signer or has an unexpected payload type."],
  EXO_PASSKEY: [
    "verification",
    "A passkey's assertion is of another document, origin or relying party, or nobody was verified.",
  ],
  EXO_NOTE: ["verification", "A signed note or checkpoint is malformed."],
  // wasm admission (spec/sandbox.md)
  EXO_WASM_SIZE: ["input", "The module is empty or larger than the limit."],
  EXO_WASM_INVALID: ["input", "The bytes are not a valid WebAssembly module."],
  EXO_WASM_FEATURE: ["denied", "The module uses an instruction or feature that is not admitted."],
  EXO_WASM_IMPORT: ["denied", "The module imports something its manifest was not granted, or with another signature."],
  EXO_WASM_EXPORT: ["denied", "The module exports a reserved name, or lacks an export the manifest names."],
  EXO_WASM_LIMIT: ["denied", "The module passes a structural limit of admission, such as frame size."],
  EXO_PLUGIN_DIGEST: ["denied", "The module is not the one its manifest names."],
  EXO_PLUGIN_REFUSED: ["denied", "The executor's module was not admitted."],
  EXO_PLUGIN_UNSIGNED: [
    "denied",
    "The deployment requires signed executors, and this one has no publisher's signature.",
  ],
  EXO_PLUGIN_SIGNATURE: [
    "denied",
    "An executor's signature is of another manifest or module, or of another publisher.",
  ],
  // execution ends (ExecutionRecord.status)
  EXO_GUEST_ERROR: ["execution", "The guest reported an error of its own."],
  EXO_OUTPUT_SCHEMA: ["execution", "The guest's output breaks the output schema of its function."],
  EXO_TRAPPED: ["execution", "The guest trapped."],
  EXO_OUT_OF_FUEL: ["execution", "The guest used all its fuel."],
  EXO_OUT_OF_MEMORY: ["execution", "The guest asked for more memory than its limit."],
  EXO_STACK_OVERFLOW: ["execution", "The guest's calls nested deeper than its stack limit."],
  EXO_OUTPUT_LIMIT: ["execution", "The guest's output is larger than its limit or not of the declared type."],
  EXO_HOST_CALL_LIMIT: ["execution", "The guest made more host calls than its limit."],
  EXO_CAPABILITY_DENIED: ["denied", "The guest asked the host for something outside its grant."],
  EXO_TIMED_OUT: ["execution", "The wall clock guard ended the run; an infrastructure fault, not reproducible."],
  EXO_HOST_FAULT: ["execution", "The host could not carry the run; an infrastructure fault, not reproducible."],
  EXO_KERNEL_BOUNDS: ["execution", "The guest passed the kernel a pointer or length outside its blocks."],
  EXO_OVERLOADED: ["state", "The sandbox queue is full."],
  EXO_ISOLATION: ["state", "Sandbox processes cannot be started, or not confined as configured."],
  // capabilities
  EXO_CAPABILITY_UNAVAILABLE: ["state", "The capability is granted, but this host cannot perform it."],
  EXO_CAPABILITY_REQUEST: ["input", "A host call's request does not have the shape of its capability."],
  EXO_FS_PATH: ["denied", "A path is not a root-alias path, or leaves its root."],
  EXO_FS_NOT_FOUND: ["execution", "The file or directory does not exist."],
  EXO_FS_EXISTS: ["execution", "The name is taken already, and what it names was not to be replaced."],
  EXO_FS_KIND: ["execution", "The path is a directory where a file is needed, or the reverse."],
  EXO_FS_SIZE: ["execution", "The file, the content or the directory is larger than the capability's cap."],
  EXO_FS_IO: ["execution", "The operating system refused the operation."],
  EXO_HTTP_NO_ANSWER: ["execution", "A request that only reads got no whole answer within its time and size."],
  EXO_HTTP_TLS: ["execution", "The peer showed no certificate for the host by a trusted authority; nothing was sent."],
  EXO_HTTP_UNREACHABLE: ["execution", "The host has no address or could not be connected to; nothing was sent."],
  EXO_KV_SIZE: ["execution", "A value or a key is larger than the capability's cap."],
  EXO_KV_FULL: ["execution", "The executor's keys and values would be more than their cap."],
  EXO_KV_IO: ["execution", "The executor's keys and values could not be read."],
  EXO_SECRET_DENIED: ["denied", "A secret is not granted, or its placeholder stands where it is not bound."],
  EXO_SECRET_UNKNOWN: ["state", "A secret is not configured, or its vault has no value for it."],
  EXO_SECRET_VALUE: ["state", "A secret's value is too short or too long, or does not fit where it is bound."],
  EXO_VAULT: ["state", "A vault cannot be opened: its file or key is missing, damaged or not its own."],
  EXO_EFFECT_UNKNOWN: ["execution", "A write-effect began and has no definite answer."],
  // governance
  EXO_POLICY_DENIED: ["denied", "The policy denies the action."],
  EXO_POLICY_ERROR: ["denied", "The policy could not be evaluated, which is a deny."],
  EXO_POLICY_DEFERRED: ["denied", "The policy defers, which is a deny."],
  EXO_POLICY_PROPOSALS: ["state", "As many policies are proposed as are kept; withdraw one first."],
  EXO_POLICY_REPLACED: ["input", "The policy in force is not the one that the order replaces."],
  EXO_POLICY_UNKNOWN: ["input", "No proposed policy has this digest."],
  EXO_POLICY_VERSION: ["state", "A policy's content changed but its version did not rise."],
  EXO_POLICY_UNSIGNED: ["state", "The policy is not signed by a policy author this home trusts."],
  EXO_CEDAR_ENGINE: ["unable", "Cedar's engine is not loaded here, or it failed."],
  EXO_SAFETY_DENIED: ["denied", "The safety gate denies the action."],
  EXO_KILL_SWITCH: ["denied", "A kill switch is on."],
  EXO_BUDGET: ["denied", "The tenant's budget for the window is used up."],
  EXO_VERDICT_UNKNOWN: ["denied", "A verdict is not one this build knows, which is a deny."],
  EXO_INTENT_EXPIRED: ["denied", "The intent's expiresAt has passed."],
  EXO_EXECUTOR_UNKNOWN: ["denied", "No executor claims the action, or the named one does not exist."],
  EXO_EXECUTOR_AMBIGUOUS: ["denied", "Two executors claim the action and the intent names neither."],
  EXO_TARGET_MISMATCH: ["denied", "The intent's target is not the value its executor acts on."],
  EXO_INPUT_SCHEMA: ["denied", "The parameters break the input schema of the executor's function."],
  EXO_PARAMETERS: ["denied", "The parameters lack what the executor's function needs."],
  EXO_TENANT_UNKNOWN: ["denied", "The tenant or cell is not this home's."],
  EXO_ACTOR: ["denied", "The requester may not act as the intent's actor."],
  EXO_ATTESTATION: ["denied", "An attestation is malformed, too large, or comes twice."],
  EXO_ATTESTATION_SIGNATURE: ["denied", "An attestation is signed by no attester whose key counts."],
  EXO_EFFECT_KEY_HELD: ["denied", "Another run holds the same effect key."],
  EXO_CANCELLED: ["denied", "The caller withdrew before the execution started."],
  EXO_CONFLICT: ["denied", "What the decision was based on kept changing while the execution was to start."],
  // idempotency and approval
  EXO_IDEMPOTENCY_CONFLICT: ["input", "The idempotency key was used before with another request."],
  EXO_INTENT_REUSED: ["input", "The intent id was used before with another intent."],
  EXO_APPROVAL_DENIED: ["denied", "An approver denied the request."],
  EXO_APPROVAL_EXPIRED: ["denied", "The approval request expired."],
  EXO_APPROVAL_UNKNOWN: ["input", "No approval request has this digest or id."],
  EXO_APPROVAL_CLOSED: ["input", "The approval request is closed."],
  EXO_APPROVAL_DUPLICATE: ["input", "The approver has already decided."],
  EXO_APPROVAL_APPROVER: ["input", "The signer is not in the request's roster, or is the requester."],
  EXO_APPROVAL_REASON: ["input", "A deny needs a reason."],
  EXO_APPROVAL_PENDING: ["denied", "The approval request has too few approvals."],
  EXO_APPROVAL_SPENT: ["input", "The approval has been spent."],
  EXO_APPROVAL_STALE: ["denied", "What was approved is no longer what would run."],
  EXO_APPROVAL_ROSTER: ["denied", "Too few people in the trust file may approve this request."],
  EXO_ORDER: ["input", "An operator's order is malformed, unsigned or by a key without the role."],
  EXO_ORDER_TIMEOUT: ["state", "The owner of the home did not answer an order in time."],
  EXO_INTENT_UNKNOWN: ["input", "No intent has this id."],
  EXO_NOT_IN_DOUBT: ["input", "The intent is not in doubt."],
  EXO_IN_DOUBT: ["execution", "The action started and its outcome is not known."],
  // home, store, log
  EXO_HOME_MISSING: ["state", "The home folder does not exist; make one with exoarmur init."],
  EXO_HOME_EXISTS: ["state", "The home folder exists already."],
  EXO_HOME_DAMAGED: ["state", "A file of the home is missing or damaged."],
  EXO_HOME_READ_ONLY: ["state", "The home cannot be written."],
  EXO_HOME_LOCKED: ["state", "Another runtime owns the home."],
  EXO_HOME_NETWORK: ["state", "The home is on a network file system."],
  EXO_FENCED: ["state", "Another runtime took the home over."],
  EXO_CLOSED: ["state", "The runtime is closed."],
  EXO_STORE: ["state", "The store could not be read or written."],
  EXO_STORE_DAMAGED: ["state", "The store's content contradicts itself."],
  EXO_STORE_ROLLED_BACK: ["state", "The store is behind a checkpoint that was already published."],
  EXO_LOG_RANGE: ["input", "A log index or size is out of range."],
  EXO_LOG_FORK: ["verification", "A log contradicts what it published earlier."],
  EXO_LOG_PROOF: ["verification", "A log proof does not verify."],
  EXO_MIRROR_BUSY: ["state", "Another import is writing into the mirror, or did meanwhile."],
  EXO_WITNESS_BUSY: ["state", "Another witness is updating the same state file."],
  // bundle, verification, replay
  EXO_BUNDLE: ["verification", "The file is not a well-formed proof bundle."],
  EXO_MATERIAL_MISSING: ["unable", "A material that a check needs is not in the bundle."],
  EXO_MATERIAL_DROPPED: ["state", "A material was dropped from the store by an operator's order."],
  EXO_MATERIAL_KEPT: ["input", "An intent that has not ended keeps its materials."],
  EXO_MATERIAL_DIGEST: ["verification", "A material's bytes do not have its digest."],
  EXO_ATTESTATION_KEY: ["unable", "The trust file has no key of the attester that an attestation is attributed to."],
  EXO_ANSWER_SIGNATURE: ["verification", "An answer is not signed as its counterparty signs, or for another request."],
  EXO_ANSWER_KEY: ["unable", "No key is pinned for the counterparty that signed an answer."],
  EXO_MATERIAL_SET: ["verification", "The bundle's materials are not exactly those its statement names."],
  EXO_REDACT: ["input", "A material is not one that may be left out of this bundle."],
  EXO_TRUST: ["verification", "A key is not trusted for the role it was used in."],
  EXO_REVISION: ["unable", "The bundle was made under a revision this build does not know."],
  EXO_CHECK_FAILED: ["verification", "A verification check failed."],
  EXO_OVERRIDE: ["input", "An answer that is to stand in for a recorded one is none, or there is no such host call."],
  EXO_REPLAY_DIVERGED: ["verification", "Re-execution gave something else than the record."],
  EXO_REPLAY_UNABLE: ["unable", "The record cannot be re-executed."],
  EXO_REPLAY_SUBJECT: ["verification", "A re-execution report is about another bundle."],
  EXO_VERIFIER: ["state", "A verifier's process ended, was too slow, or answered with something else."],
  EXO_VERIFIER_TWICE: ["verification", "A verifier has spoken more than once, or has said different things."],
  EXO_NO_RECORDS: ["verification", "No audit records exist for the correlation."],
  // control plane (spec/control-plane.md)
  EXO_AUTHENTICATION: ["denied", "A request has no credential that counts: none, unknown, expired or revoked."],
  EXO_CONTROL_PLANE: ["state", "A control plane gave no answer, or not one of its kind."],
  EXO_FORBIDDEN: ["denied", "The credential does not allow this."],
  EXO_MEDIA_TYPE: ["input", "A request's body has another media type than its route takes."],
  EXO_METHOD: ["input", "The path of the control plane has no such method."],
  EXO_ORIGIN: ["denied", "A request was sent to another host, or by a page of another origin."],
  EXO_RATE: ["state", "Too many requests; try again later."],
  EXO_ROUTE: ["input", "The control plane has no such path."],
  EXO_TOKEN: ["input", "No token has this id, or a token file is not well-formed."],
  // command line and the rest
  EXO_USAGE: ["input", "The command line is wrong."],
  EXO_FILE: ["input", "A file could not be read or written."],
  EXO_TOOL_MISSING: ["state", "A compiler that a plugin's language needs is not installed."],
  EXO_BUILD: ["input", "The compiler refused a plugin's source."],
  EXO_LISTEN: ["state", "No address has the port free that is to be listened on."],
  EXO_GUARANTEE: ["state", "A guarantee that must be shown before others are served did not hold."],
  EXO_FLAG: ["state", "A feature flag is unknown, has an unknown value, or is on while what it needs is off."],
  EXO_INTERNAL: ["internal", "A broken invariant; please report it."],
} as const satisfies Record<string, Row>;

/** A stable error code, `EXO_...`. */
export type ErrorCode = keyof typeof errorTable;

/** The kind of a code. */
export function errorKind(code: ErrorCode): ErrorKind {
  return errorTable[code][0];
}

/** Where in a document an error sits; all optional. `offset` counts bytes, `pointer` is an RFC 6901 JSON pointer. */
export type ErrorPlace = {
  readonly file?: string;
  readonly line?: number;
  readonly offset?: number;
  readonly pointer?: string;
};

/**
 * The only error this package throws on purpose. Thrown for misuse, malformed input and broken state; expected outcomes
 * (a denial, a failed run) are values. `message` never holds secrets or guest-chosen bytes longer than 200 characters.
 */
export class ExoArmurError extends Error {
  readonly code: ErrorCode;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "ExoArmurError";
    this.code = code;
    this.place = place;
  }
}

/** True for an ExoArmurError, optionally of one code. */
export function isExoArmurError(error: unknown, code?: ErrorCode): error is ExoArmurError {
  return error instanceof ExoArmurError && (code === undefined || error.code === code);
}

/** A refusal as a value: `code` from the table, `message` says what was expected and what came. */
export type Refusal = { readonly code: ErrorCode; readonly message: string };

/** Either a value or a refusal. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Refusal };

/** Shorthand for a successful Result. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** Shorthand for a refused Result. */
export function refuse(code: ErrorCode, message: string): Result<never> {
  return { ok: false, error: { code, message } };
}
