import type { SecretDesk } from "../capabilities/performers/http/hooks.js";
import { createSecretDesk } from "../capabilities/performers/secrets/desk.js";
import { type ConfiguredSecret, type SecretBinding, secretFault } from "../contracts/secret.js";
import { ExoArmurError } from "../errors.js";
import type { HomePaths } from "../home/paths.js";
import { openFileVault } from "../home/vault.js";
import { createEnvVault } from "../home/vault-env.js";
import type { Logger, Vault } from "../ports.js";

/** Secrets of a runtime: where each may go, and what keeps their values. */
export type SecretParts = {
  readonly secrets: Readonly<Record<string, SecretBinding>>;
  readonly vault: Vault;
};

/**
 * The desk that fills secrets in. Every configured value is looked at once: EXO_SECRET_VALUE for one that cannot go
 * where it is bound, EXO_VAULT and EXO_KEY_MODE for a vault that cannot be opened. A missing one is only warned of.
 */
export async function openSecretDesk({ secrets, vault }: SecretParts, logger: Logger): Promise<SecretDesk> {
  for (const [name, binding] of Object.entries(secrets)) {
    const value = await vault.get(name);
    if (value === undefined) {
      logger.log("warn", `the secret ${name} has no value yet; requests that need it are refused`);
      continue;
    }
    const fault = secretFault(value, binding);
    value.fill(0);
    if (fault !== undefined) throw new ExoArmurError("EXO_SECRET_VALUE", `the secret ${name} ${fault}`);
  }
  return createSecretDesk({ secrets, vault, logger });
}

/** The secrets of a home: each from the encrypted vault or from the environment, as config.json says. */
export function homeSecrets(
  paths: HomePaths,
  configured: Readonly<Record<string, ConfiguredSecret>>,
  env: Readonly<Record<string, string | undefined>>,
): SecretParts {
  const vaults = { vault: openFileVault(paths, env["EXOARMUR_VAULT_PASSPHRASE"]), env: createEnvVault(env) };
  return {
    secrets: configured,
    vault: {
      get: async (name) => {
        const from = Object.hasOwn(configured, name) ? configured[name]?.from : undefined;
        return from === undefined ? undefined : await vaults[from].get(name);
      },
    },
  };
}
