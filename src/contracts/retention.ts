import { z } from "zod";
import type { MaterialRole } from "./bundle.js";
import { digestSchema, nameSchema, operatorSchema, saltSchema, timeSchema, ulidSchema } from "./common.js";

/**
 * Roles whose bytes may be dropped from a store (spec/retention.md): what they hold is somebody's content, and their
 * digests are salted for one intent alone, so that no other intent can need them. The rest is small, or shared, or says
 * under which rules an action stood.
 */
export const droppableRoles = [
  "intent",
  "policy_input",
  "preview",
  "attestation",
  "input",
  "output",
  "host_call",
] as const satisfies readonly MaterialRole[];

/** A role that may be dropped. */
export type DroppableRole = (typeof droppableRoles)[number];

/** Roles that are read with the help of the intent, or that show its parameters: without it none of them is kept. */
export const rolesOfIntent: readonly DroppableRole[] = ["policy_input", "preview", "input", "output"];

const droppableRoleSchema = z.enum(droppableRoles);

/**
 * An operator's order to drop materials of ended intents: those named, or all of a tenant or of the cell that ended
 * before a time, or those named that did. Only the roles listed go; with `intent` go `policy_input`, `preview`, `input`
 * and `output`, which show or need it.
 */
export const materialsDropOrderSchema = z
  .strictObject({
    schema: z.literal("exoarmur.materials-drop/v1"),
    cellId: nameSchema,
    /** null is the whole cell. */
    tenantId: nameSchema.nullable(),
    intentIds: z.array(ulidSchema).min(1).max(1000).nullable(),
    endedBefore: timeSchema.nullable(),
    roles: z.array(droppableRoleSchema).min(1).max(droppableRoles.length),
    reason: z.string().min(1).max(1000),
    operator: operatorSchema,
    nonce: saltSchema,
    signedAt: timeSchema,
  })
  .refine(({ intentIds, endedBefore }) => intentIds !== null || endedBefore !== null, {
    error: "an order to drop materials names intents or a time",
  })
  .refine(({ roles }) => !roles.includes("intent") || rolesOfIntent.every((role) => roles.includes(role)), {
    error: `with the role intent go ${rolesOfIntent.join(", ")}`,
    path: ["roles"],
  });

/** An order to drop materials. */
export type MaterialsDropOrder = z.infer<typeof materialsDropOrderSchema>;

/** Most materials that one `materials_dropped` event names. */
export const maxDroppedAtOnce = 1000;

/** Payload of `materials_dropped`: what the store no longer holds from this event on. */
export const materialsDroppedSchema = z.strictObject({
  /** Digest of the signed order. */
  envelopeDigest: digestSchema,
  reason: z.string().min(1).max(1000),
  materials: z
    .array(z.strictObject({ intentId: ulidSchema, role: droppableRoleSchema, digest: digestSchema }))
    .min(1)
    .max(maxDroppedAtOnce),
});
