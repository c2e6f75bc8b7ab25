import { createHttpPerformer } from "../capabilities/performers/http/performer.js";
import type { HttpConfig } from "../contracts/config.js";
import { ExoArmurError } from "../errors.js";
import { readBounded } from "../home/atomic.js";
import type { Performer } from "../ports.js";

const caBytes = 1_048_576;

/** The performer of a configuration. EXO_FILE when `caFile` is no file, or holds no certificate in PEM. */
export async function openHttp({ dnsServers, caFile }: HttpConfig): Promise<{ readonly http_request: Performer }> {
  if (caFile === undefined) return createHttpPerformer({ dnsServers });
  const read = await readBounded(caFile, { maxBytes: caBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${caFile} does not exist`, { file: caFile });
  const ca = new TextDecoder().decode(read.bytes);
  try {
    return createHttpPerformer({ dnsServers, ca });
  } catch {
    throw new ExoArmurError("EXO_FILE", `${caFile}: expected certificates in PEM`, { file: caFile });
  }
}
