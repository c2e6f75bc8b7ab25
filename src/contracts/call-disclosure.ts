import { z } from "zod";

const base64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, "expected standard base64")
  .max(120_000_000);

/**
 * One host call disclosed alone (spec/bundle.md, Disclosing one call): a canonical JSON document. All binary members are
 * standard padded base64.
 */
export const callDisclosureSchema = z.strictObject({
  schema: z.literal("exoarmur.call-disclosure/v1"),
  /** The call's host_call material: 32 salt bytes and the canonical entry. */
  call: base64,
  /** Hashes from the entry's sibling up to the transcript's root, 32 bytes each. */
  path: z.array(base64).max(20),
  /** Canonical header of the event that records the execution. */
  event: base64,
  /** Its event_payload material: 32 salt bytes and the canonical payload. */
  payload: base64,
  /** c2sp.org/tlog-proof@v1 text of the event's leaf. */
  logProof: z.string().max(65_536),
});

/** One host call with what shows that it was recorded. */
export type CallDisclosure = z.infer<typeof callDisclosureSchema>;
