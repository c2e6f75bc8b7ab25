import { endReasonSchema, type Role, roleSchema } from "../contracts/trust.js";
import { ExoArmurError } from "../errors.js";
import { readDecimal } from "../log/checkpoint.js";

/** A log index given as an option. EXO_USAGE. */
export function indexOption(name: string, text: string | undefined): number {
  const index = readDecimal(text ?? "");
  if (index !== undefined) return index;
  throw new ExoArmurError("EXO_USAGE", `--${name}: expected a log index such as 120, got ${text ?? "nothing"}`);
}

/** A role given as an option. EXO_USAGE. */
export function roleOption(text: string): Role {
  const role = roleSchema.safeParse(text);
  if (role.success) return role.data;
  throw new ExoArmurError("EXO_USAGE", `--role: there is no ${text}; there are ${roleSchema.options.join(", ")}`);
}

/** A role given as an option, or undefined without it. EXO_USAGE. */
export function optionalRole(text: string | undefined): Role | undefined {
  return text === undefined ? undefined : roleOption(text);
}

/** Why a key ends, given as an option, or undefined without it. EXO_USAGE. */
export function reasonOption(text: string | undefined): string | undefined {
  if (text === undefined || endReasonSchema.safeParse(text).success) return text;
  throw new ExoArmurError("EXO_USAGE", `--reason: expected 1 to 2,000 characters, got ${text.length}`);
}
