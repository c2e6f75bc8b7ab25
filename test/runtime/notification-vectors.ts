import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import type { Notice } from "../../src/ports.js";
import { keys } from "../support/world.js";

/** Where the vectors lie, from the root of the repository. */
export const vectorsFile = "spec/vectors/notifications.json";

const waiting: Notice = {
  schema: "exoarmur.notification/v1",
  id: "approval_waiting/01KG9MFNK8Y6G41QR74ABCDEFG",
  event: "approval_waiting",
  at: "2026-01-31T09:00:00.000Z",
  cellId: "local",
  tenantId: "default",
  intentId: "01KG9MFNK8Y6G41QR74ABCDEFH",
  action: "fs.remove",
  requestId: "01KG9MFNK8Y6G41QR74ABCDEFG",
  notBefore: "2026-01-31T09:01:00.000Z",
  expiresAt: "2026-01-31T09:15:00.000Z",
};
const switched: Notice = {
  schema: "exoarmur.notification/v1",
  id: "kill_switch_changed/4",
  event: "kill_switch_changed",
  at: "2026-01-31T09:00:00.000Z",
  cellId: "local",
  tenantId: null,
  on: true,
};

/** An envelope, and the notice that a receiver with the key reads in it: null for none. */
type Vector = { readonly about: string; readonly envelope: Envelope; readonly notice: Notice | null };

/** Envelopes as a receiver may meet them. The same in every run. */
export async function notificationVectors(): Promise<{
  readonly schema: string;
  readonly publicKey: string;
  readonly vectors: readonly Vector[];
}> {
  const sign = async (notice: Notice, signer = keys.runtime, type: string = payloadTypes.notification) =>
    await signEnvelope(type, canonicalize(notice), signer);
  const good = await sign(waiting);
  const other = await sign(switched);
  const vectors: Vector[] = [
    { about: "a request waits", envelope: good, notice: waiting },
    { about: "a kill switch was switched on", envelope: other, notice: switched },
    { about: "another notice under its signature", envelope: { ...good, payload: other.payload }, notice: null },
    { about: "signed by another key", envelope: await sign(waiting, keys.mallory), notice: null },
    { about: "signed as another type", envelope: await sign(waiting, keys.runtime, payloadTypes.policy), notice: null },
    {
      about: "signed as another type, and called a notification",
      envelope: {
        ...(await sign(waiting, keys.runtime, payloadTypes.policy)),
        payloadType: payloadTypes.notification,
      },
      notice: null,
    },
    {
      about: "two signatures",
      envelope: { ...good, signatures: [...good.signatures, ...(await sign(waiting, keys.mallory)).signatures] },
      notice: null,
    },
  ];
  return { schema: "exoarmur.notification-vectors/v1", publicKey: encodeBase64(keys.runtime.publicKey), vectors };
}
