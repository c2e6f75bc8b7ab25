import type { ErrorCode } from "../../src/errors.js";
import { Forge, type Loose } from "../support/forge.js";
import { changeRequest, type HeldBundles, heldBundles, withHold } from "../support/held-bundles.js";
import { keys } from "../support/world.js";
import type { Case } from "./vector.js";

/** What is wrong with a bundle of a held action, and how the forger who holds all keys makes it. */
export const heldForgeries: readonly (readonly [
  about: string,
  of: "started" | "stopped",
  code: ErrorCode,
  make: (bytes: Uint8Array) => Promise<Forge>,
])[] = [
  ["started while it was held", "started", "EXO_APPROVAL_HELD", (bytes) => withHold(bytes, 61)],
  [
    "whose request forgets the hold",
    "started",
    "EXO_CHECK_FAILED",
    (bytes) =>
      changeRequest(new Forge(bytes), (request) => {
        delete request.notBefore;
      }),
  ],
  [
    "whose request holds for less than the policy obliges",
    "started",
    "EXO_CHECK_FAILED",
    (bytes) =>
      changeRequest(new Forge(bytes), (request) => {
        request.notBefore = request.requestedAt;
      }),
  ],
  ["held until its expiry", "stopped", "EXO_CHECK_FAILED", (bytes) => withHold(bytes, 900)],
  ["denied after it was approved, without a hold", "stopped", "EXO_APPROVAL_CLOSED", (bytes) => withHold(bytes, null)],
  [
    "denied by somebody who had approved",
    "stopped",
    "EXO_APPROVAL_DUPLICATE",
    async (bytes) => {
      const forge = new Forge(bytes);
      const byBob = (approver: Loose): void => void Object.assign(approver, { id: "bob", keyId: keys.bob.keyId });
      await forge.resign("approval_grant", keys.bob, ({ approver }) => byBob(approver), 2);
      await forge.payload("approval_denied", (payload) => {
        payload.approver = "bob";
      });
      const at = forge.headers().findIndex(({ eventType }) => eventType === "approval_denied");
      return await forge.header(at, (header) => {
        header.actor.id = "bob";
      });
    },
  ],
];

/** Bundles of actions that were approved and held, and forgeries of them. */
export async function heldCases(): Promise<Case[]> {
  const all: HeldBundles = await heldBundles();
  const { trust } = all;
  const honest: Readonly<Record<"started" | "stopped", Case>> = {
    started: { about: "approved, held and started", bytes: await new Forge(all.started).pack(), trust },
    stopped: { about: "approved, and denied while it was held", bytes: await new Forge(all.stopped).pack(), trust },
  };
  const cases = [honest.started, honest.stopped];
  for (const [about, of, code, make] of heldForgeries) {
    const bytes = await (await make(all[of])).pack();
    const wrong = { check: "approvals", code };
    cases.push({ about: `approvals: ${of}, ${about}`, bytes, trust, wrong, twin: honest[of] });
  }
  return cases;
}
