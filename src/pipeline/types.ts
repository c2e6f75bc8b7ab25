import type { JsonValue } from "../canonical/jcs.js";
import type { Advice } from "../contracts/advice.js";
import type { ApprovalRequest } from "../contracts/approval.js";
import type { Reason } from "../contracts/event.js";
import type { ExecutionRecord } from "../contracts/execution.js";
import type { CapabilityName } from "../contracts/imports.js";
import type { Constraints } from "../contracts/manifest.js";
import type { Material } from "../contracts/material.js";
import type { SafetyConfig } from "../contracts/safety.js";
import type { Trust } from "../contracts/trust.js";
import type { Ledger } from "../log/ledger-types.js";
import type { CompiledPolicy } from "../policy/compile.js";
import type { LoadCedar } from "../policy/program.js";
import type { Clock, Entropy, IdSource, Logger, Performer, SandboxHost, Signer, StoreReader } from "../ports.js";
import type { BundleHandle } from "../proof/bundle.js";
import type { Judged } from "./judged.js";

/** Result of a governed action (spec/contracts.md). Everything a well-formed intent can meet is one of these values. */
export type ExecutionResult = Judged &
  (
    | {
        readonly status: "executed";
        /** Parsed for `json` functions, a string for `text`, bytes for `bytes`. */
        readonly output: JsonValue | Uint8Array;
        /** The output is null because it was dropped from the store (spec/retention.md). */
        readonly outputDropped?: true;
        readonly fuel: { readonly limit: number; readonly used: number };
        readonly hostCalls: number;
        readonly bundle: BundleHandle;
      }
    | {
        readonly status: "failed";
        readonly reason: Reason;
        readonly advice: Advice;
        readonly execution: ExecutionRecord;
        readonly bundle: BundleHandle;
      }
    | {
        readonly status: "denied";
        readonly reason: Reason;
        readonly advice: Advice;
        readonly bundle: BundleHandle;
      }
    | {
        readonly status: "approval_pending";
        readonly approval: ApprovalRequest;
        /** Enough people approved, and the run waits for this time (the request's `notBefore`). */
        readonly heldUntil?: string;
      }
    | { readonly status: "in_doubt"; readonly reason: Reason; readonly advice: Advice }
    | {
        /** Started and not ended yet, in this process. */
        readonly status: "running";
      }
  );

/** The status of a result. */
export type ExecutionResultStatus = ExecutionResult["status"];

/** What the deployment sets; nothing in it comes from a guest or an agent. */
export type Deployment = {
  readonly cellId: string;
  readonly defaultTenant: string;
  readonly tenants: readonly string[];
  /** Constraints by executor name and capability. */
  readonly grants: Readonly<Record<string, Readonly<Partial<Record<CapabilityName, Constraints>>>>>;
  readonly safety: SafetyConfig;
  readonly trust: Trust;
  /** Refuse executors without a publisher's signature. Default false. */
  readonly requireSignatures?: boolean;
};

/** What lies outside the process and may say no at any time. */
export type Governor = {
  /** True when the KILL file exists. Asked inside every start transaction. */
  killed(): boolean;
  /** Carries out the operator orders that wait in the inbox. Called before every start. */
  takeOrders(): Promise<void>;
};

/** A candidate that is asked beside the policy in force, and never obeyed. */
export type ShadowPolicy = { readonly compiled: CompiledPolicy; readonly document: Material };

/** Everything the pipeline is handed by a composition root. */
export type PipelinePorts = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly store: StoreReader;
  readonly ledger: Ledger;
  readonly sandbox: SandboxHost;
  readonly performers: Readonly<Partial<Record<CapabilityName, Performer>>>;
  /** Signs bundles. */
  readonly signer: Signer;
  /** Public key of the log, named in bundles for the self-check. */
  readonly logPublicKey: Uint8Array;
  /** Key of the home that material salts are derived with. */
  readonly saltKey: Uint8Array;
  readonly deployment: Deployment;
  readonly governor: Governor;
  /** Is told that a transaction kept notices for somebody outside. Absent: nobody is to be told, and none are kept. */
  readonly notices?: { recorded(): void } | undefined;
  /** The candidate that is asked beside the policy in force. */
  readonly shadow?: ShadowPolicy | undefined;
  /** Loads Cedar's engine when a policy needs it. Without it Cedar policies are refused. */
  readonly cedar?: LoadCedar;
};
