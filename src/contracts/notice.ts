import { z } from "zod";
import type { Notice } from "../ports.js";
import { actionSchema, nameSchema, timeSchema, ulidSchema } from "./common.js";

/** Notification (spec/notifications.md): what a receiver is sent, signed as DSSE by the runtime's key. */
export const noticeSchema: z.ZodType<Notice> = z.strictObject({
  schema: z.literal("exoarmur.notification/v1"),
  id: z.string().min(1).max(200),
  event: z.enum(["approval_waiting", "approval_reminder", "approval_decided", "in_doubt", "kill_switch_changed"]),
  at: timeSchema,
  cellId: nameSchema,
  tenantId: nameSchema.nullable(),
  intentId: ulidSchema.optional(),
  action: actionSchema.optional(),
  requestId: ulidSchema.optional(),
  status: z.enum(["approved", "denied", "expired", "superseded", "spent"]).optional(),
  notBefore: timeSchema.optional(),
  expiresAt: timeSchema.optional(),
  on: z.boolean().optional(),
});
