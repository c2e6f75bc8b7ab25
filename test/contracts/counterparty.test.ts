import { expect, test } from "vitest";
import { counterpartiesSchema } from "../../src/contracts/counterparty.js";

const origin = { scheme: "https", host: "bank.example", port: 443 } as const;
const signer = { scheme: "http-message-signature", origin, keyId: "bank-2026" } as const;
const sealer = {
  scheme: "dsse",
  origin: { ...origin, port: 444 },
  keyId: "bank-2026",
  payloadType: "text/plain",
} as const;

test("counterparties are listed once for each origin, by scheme", () => {
  expect(counterpartiesSchema.safeParse([signer, sealer]).success).toBe(true);
});

test.each<[string, readonly unknown[]]>([
  ["another scheme", [{ ...signer, scheme: "hmac" }]],
  ["no key", [{ scheme: signer.scheme, origin }]],
  ["an envelope without a payload type", [{ ...sealer, payloadType: undefined }]],
  ["a payload type without an envelope", [{ ...signer, payloadType: "text/plain" }]],
  ["a wildcard", [{ ...signer, origin: { ...origin, host: "*.example" } }]],
  ["an origin twice", [signer, { ...sealer, origin }]],
])("with %s they are refused", (_, list) => {
  expect(counterpartiesSchema.safeParse(list).success).toBe(false);
});
