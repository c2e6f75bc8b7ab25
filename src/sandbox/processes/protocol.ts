import { z } from "zod";
import { executionStatuses } from "../../contracts/execution.js";
import { capabilityNames } from "../../contracts/imports.js";
import { type ErrorCode, ExoArmurError } from "../../errors.js";
import type { AbiValue, ExecutionStatus, RunLimits } from "../../ports.js";

/** Heads of the frames a host sends to a child process. Bodies: the sealed module, the input, the response, none. */
export type HostHead =
  | { readonly kind: "module"; readonly digest: string }
  | {
      readonly kind: "run";
      readonly run: number;
      readonly digest: string;
      readonly function: string;
      readonly limits: RunLimits;
      /** Digests of modules to drop. */
      readonly forget: readonly string[];
    }
  | { readonly kind: "answer"; readonly run: number; readonly seq: number }
  | {
      readonly kind: "stop";
      readonly run: number;
      readonly seq: number;
      readonly status: ExecutionStatus;
      readonly code: string;
      readonly message: string;
    };

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const childHeadSchema = z.discriminatedUnion("kind", [
  /** What the child finds of its own confinement, before anything of a guest has run in it. */
  z.strictObject({
    kind: z.literal("ready"),
    uid: count,
    gid: count,
    /** Variables of its environment. */
    variables: count,
    /** Open files that it did not make itself. */
    strangers: count,
    /** Whether Node's permission model is on and refuses writing, child processes, threads and addons. */
    restricted: z.boolean(),
  }),
  /** The module is compiled; the guest starts now. */
  z.strictObject({ kind: z.literal("begun"), run: count }),
  /** Body: the request. */
  z.strictObject({
    kind: z.literal("call"),
    run: count,
    seq: count,
    capability: z.enum(capabilityNames),
    fuel: count,
  }),
  /** Body: the output. */
  z.strictObject({
    kind: z.literal("end"),
    run: count,
    status: z.enum(executionStatuses),
    code: z.string().max(100).optional(),
    message: z.string().max(1024).optional(),
    fault: z.string().max(500).optional(),
    fuelUsed: count,
    memoryPeakPages: count.max(65_536),
    hostCalls: count,
  }),
]);

/** Head of a frame that a child sends. */
export type ChildHead = z.infer<typeof childHeadSchema>;

/** Reads a head that came from a child, which is not trusted. EXO_SCHEMA. */
export function readChildHead(head: AbiValue): ChildHead {
  const read = childHeadSchema.safeParse(head);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new ExoArmurError(
      "EXO_SCHEMA",
      `/${issue?.path.join("/") ?? ""}: ${issue?.message ?? "unknown"}`.slice(0, 200),
    );
  }
  return read.data;
}

/** The ends a guest can come to by itself, and their codes (spec/abi.md, How a run ends). */
export const guestEnds: Readonly<Partial<Record<ExecutionStatus, readonly ErrorCode[]>>> = {
  guest_error: ["EXO_GUEST_ERROR"],
  trapped: ["EXO_TRAPPED", "EXO_KERNEL_BOUNDS"],
  out_of_fuel: ["EXO_OUT_OF_FUEL"],
  out_of_memory: ["EXO_OUT_OF_MEMORY"],
  stack_overflow: ["EXO_STACK_OVERFLOW"],
  output_limit: ["EXO_OUTPUT_LIMIT"],
  host_call_limit: ["EXO_HOST_CALL_LIMIT"],
  host_fault: ["EXO_HOST_FAULT"],
};
