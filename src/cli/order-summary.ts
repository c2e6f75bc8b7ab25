import { z } from "zod";
import { ExoArmurError } from "../errors.js";

const summarySchema = z.object({
  status: z.enum(["executed", "failed", "denied", "approval_pending", "in_doubt", "running"]),
  intentId: z.string(),
  /** Enough people approved, and the run waits for this time. */
  heldUntil: z.string().optional(),
  bundle: z.string().nullable(),
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** What the owner tells of the action that a grant or a resolution was about. `bundle` is a path. */
export type OrderSummary = z.infer<typeof summarySchema>;

/** Reads the owner's answer to a grant or resolution. EXO_INTERNAL when it is none. */
export function readOrderSummary(value: unknown): OrderSummary {
  const parsed = summarySchema.safeParse(value);
  if (!parsed.success) throw new ExoArmurError("EXO_INTERNAL", "the owner's answer does not have the expected shape");
  return parsed.data;
}
