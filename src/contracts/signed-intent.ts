import { z } from "zod";
import { keyIdSchema, nameSchema, timeSchema } from "./common.js";
import { intentDraftSchema } from "./intent.js";

/** An intent as an agent hands it in. The key makes a retry the same request; whoever the agent is says by whom. */
export const submissionSchema = z.strictObject({
  ...intentDraftSchema.shape,
  actor: intentDraftSchema.shape.actor.optional(),
  idempotencyKey: nameSchema,
});

/** An intent as an agent hands it in. */
export type IntentSubmission = z.infer<typeof submissionSchema>;

/** Longest time between `signedAt` and `expiresAt`, in milliseconds. */
export const maxSignedIntentMs = 300_000;

/**
 * What an agent with a key of its own signs instead of bringing a token (spec/control-plane.md, Signed intents), as DSSE
 * over its canonical bytes. `audience` is the control plane's origin. Sent again within its time it is the same intent,
 * whose idempotencyKey is signed with it; after that it is refused.
 */
export const signedIntentSchema = z.strictObject({
  schema: z.literal("exoarmur.signed-intent/v1"),
  audience: z.string().min(1).max(300),
  cellId: nameSchema,
  keyId: keyIdSchema,
  intent: submissionSchema,
  signedAt: timeSchema,
  expiresAt: timeSchema,
});

/** A signed intent's document. */
export type SignedIntent = z.infer<typeof signedIntentSchema>;
