import { secretVariable } from "../contracts/secret.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import type { Vault } from "../ports.js";

/** Secrets of an environment: `EXOARMUR_SECRET_NAME` holds the secret NAME. An empty variable is none. */
export function createEnvVault(env: Readonly<Record<string, string | undefined>>): Vault {
  return {
    get: async (name) => {
      const value = env[`${secretVariable}${name}`];
      return await Promise.resolve(value === undefined || value === "" ? undefined : encodeUtf8(value));
    },
  };
}
