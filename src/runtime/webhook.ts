import { canonicalize, canonicalText } from "../canonical/jcs.js";
import type { NotifyConfig } from "../contracts/config.js";
import { payloadTypes, signEnvelope } from "../contracts/dsse.js";
import type { Notifier, Signer } from "../ports.js";

const usualTimeoutMs = 10_000;

/**
 * A notifier that posts each notice to one URL, as a DSSE envelope signed by the runtime's key (spec/notifications.md).
 * A status from 200 to 299 is taken as delivered; redirects are not followed and no answer is read.
 */
export function createWebhook({ url, timeoutMs = usualTimeoutMs }: NotifyConfig, signer: Signer): Notifier {
  return {
    deliver: async (notice, signal) => {
      const envelope = await signEnvelope(payloadTypes.notification, canonicalize(notice), signer);
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": notice.id },
        body: canonicalText(envelope),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the receiver answered ${response.status}`);
    },
  };
}
