import { z } from "zod";
import { base64Schema } from "./common.js";

const word = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes("\0"), "expected no NUL character");

/**
 * A signer program: `signers.ROLE` of config.json (spec/keys.md, Signer programs). `command` is a program and its
 * arguments, which everybody on the machine can read; `env` names variables it gets beside the usual ones.
 */
export const signerSchema = z.strictObject({
  command: z.array(word).min(1).max(64),
  /** The key it must have, base64. Default: any that the trust file names for the role. */
  publicKey: base64Schema.length(44).optional(),
  env: z
    .array(
      z
        .string()
        .max(200)
        .regex(/^(?!EXOARMUR_)[A-Za-z_][A-Za-z0-9_]*$/, "expected a name of a variable that is not EXOARMUR_..."),
    )
    .max(64)
    .optional(),
  /** Longest wait for its first line, and for each signature. Default 10,000. */
  timeoutMs: z.number().int().min(100).max(600_000).optional(),
});

/** Which roles of a home have signer programs instead of key files. */
export const signersSchema = z.strictObject({ runtime: signerSchema.optional(), log: signerSchema.optional() });

/** Signer programs by role. */
export type Signers = z.infer<typeof signersSchema>;
