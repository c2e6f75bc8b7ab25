import { z } from "zod";
import { nameSchema } from "./common.js";
import { isSameOrigin, type Origin, originSchema } from "./origin.js";
import { isValidAt, type Trust, type TrustedKey } from "./trust.js";

const members = {
  /** Whose answers these are. */
  origin: originSchema,
  /** `id` of keys of the role counterparty in the trust file. */
  keyId: nameSchema,
};

/** Who signs the answers of an origin, and how (spec/capabilities.md, Assurance). */
const counterpartySchema = z.discriminatedUnion("scheme", [
  z.strictObject({ scheme: z.literal("http-message-signature"), ...members }),
  /** The body is a DSSE envelope of this payload type. */
  z.strictObject({ scheme: z.literal("dsse"), ...members, payloadType: nameSchema }),
]);

/** Who signs the answers of an origin, and how. */
export type Counterparty = z.infer<typeof counterpartySchema>;

/** `counterparties` of config.json; one for each origin. */
export const counterpartiesSchema = z
  .array(counterpartySchema)
  .max(100)
  .refine((list) => list.every((one, at) => list.findIndex(({ origin }) => isSameOrigin(origin, one.origin)) === at), {
    error: "expected one counterparty for each origin",
  });

/** Keys pinned for a counterparty: by its id, bound to the origin. Where and for whom they are valid is not looked at. */
export function counterpartyKeys(trust: Trust, keyId: string, origin: Origin): readonly TrustedKey[] {
  return trust.keys.filter(
    ({ role, id, origins = [] }) =>
      role === "counterparty" && id === keyId && origins.some((bound) => isSameOrigin(bound, origin)),
  );
}

/** Those of them that are valid at a place in the log, null if it is not known, for a tenant. */
export function validCounterpartyKeys(
  keys: readonly TrustedKey[],
  index: number | null,
  tenantId: string,
): readonly TrustedKey[] {
  return keys.filter((key) => {
    const isOpen = key.from === null && key.until === null;
    return (isOpen || (index !== null && isValidAt(key, index))) && (key.tenants?.includes(tenantId) ?? true);
  });
}
