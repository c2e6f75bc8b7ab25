import type { SecretDesk, Voucher } from "../capabilities/performers/http/hooks.js";
import { createHttpPerformer } from "../capabilities/performers/http/performer.js";
import type { HttpConfig } from "../contracts/config.js";
import { ExoArmurError } from "../errors.js";
import { readBounded } from "../home/atomic.js";
import type { AddressResolver, Performer } from "../ports.js";

const caBytes = 1_048_576;

/**
 * The performer of a configuration. EXO_FILE when `caFile` is no file, or holds no certificate in PEM.
 *
 * @param hooks what finds addresses in place of DNS, and whom it asks for secrets and for the counterparties' keys
 */
export async function openHttp(
  { dnsServers, caFile }: HttpConfig,
  hooks: { readonly resolve: AddressResolver | undefined; readonly desk: SecretDesk; readonly voucher: Voucher },
): Promise<{ readonly http_request: Performer }> {
  if (caFile === undefined) return createHttpPerformer({ dnsServers, ...hooks });
  const read = await readBounded(caFile, { maxBytes: caBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${caFile} does not exist`, { file: caFile });
  const ca = new TextDecoder().decode(read.bytes);
  try {
    return createHttpPerformer({ dnsServers, ca, ...hooks });
  } catch {
    throw new ExoArmurError("EXO_FILE", `${caFile}: expected certificates in PEM`, { file: caFile });
  }
}
