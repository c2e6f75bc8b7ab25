import { setTimeout as sleep } from "node:timers/promises";
import { signGrantWith } from "../../../src/approval/sign.js";
import { formatTime } from "../../../src/canonical/time.js";
import { type Client, createClient } from "../../../src/client/client.js";
import { login } from "../../../src/client/login.js";
import type { KeyFile } from "../../../src/contracts/trust.js";
import { decodeBase64, encodeBase64Url } from "../../../src/crypto/encoding.js";
import { systemEntropy } from "../../../src/crypto/random.js";
import { signerFromSeed } from "../../../src/crypto/signer.js";
import { isExoArmurError } from "../../../src/errors.js";
import { chanceOf } from "./chance.js";

/** What the operators of a load did. */
export type Decisions = {
  /** When the decision on an intent was handed in, in milliseconds, and what it was. */
  readonly made: Map<string, { readonly at: number; readonly decision: "approve" | "deny" }>;
  /** Decisions that came after another operator's. */
  late: number;
};

const lateCodes = ["EXO_APPROVAL_CLOSED", "EXO_APPROVAL_SPENT", "EXO_APPROVAL_DUPLICATE"] as const;
const denies = 0.2;

/** One operator, who thinks before each decision: grants or denies by signing, until nobody waits any longer. */
export async function runOperator(
  key: KeyFile,
  { origin, seed, over, decisions }: { origin: string; seed: number; over: () => boolean; decisions: Decisions },
): Promise<void> {
  const chance = chanceOf(seed);
  const signer = signerFromSeed(decodeBase64(key.seed) ?? new Uint8Array(0));
  const open = async (): Promise<Client> => {
    for (;;) {
      try {
        const { token } = await login({ origin, signer, role: "approver" });
        return createClient({ origin, token });
      } catch (error) {
        // Agents with keys log in at the same address.
        if (!isExoArmurError(error, "EXO_RATE")) throw error;
        await sleep(1000);
      }
    }
  };
  let client = await open();
  while (!over()) {
    try {
      const waiting = await client.approvals();
      // Of a few the same one is taken by several, who then come at once.
      const one = waiting[Math.floor(chance() * Math.min(waiting.length, 40))];
      await sleep(40 + chance() * 160);
      if (one === undefined) continue;
      const decision = chance() < denies ? "deny" : "approve";
      const { request } = one;
      const stamp = { signedAt: formatTime(Date.now()), nonce: encodeBase64Url(systemEntropy.bytes(32)) };
      const reason = decision === "deny" ? { reason: "not this one" } : {};
      const grant = await signGrantWith(request, { signer, approverId: key.id, decision, ...reason, ...stamp });
      const at = Date.now();
      await client.decide(request.requestId, grant);
      decisions.made.set(request.intentId, { at, decision });
    } catch (error) {
      if (isExoArmurError(error, "EXO_AUTHENTICATION")) client = await open();
      else if (lateCodes.some((code) => isExoArmurError(error, code))) decisions.late += 1;
      else throw error;
    }
  }
}
