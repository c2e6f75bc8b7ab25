import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { Challenge, SessionRole } from "../../src/contracts/access.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { client, type Said, SoftPasskey } from "../support/passkey.js";
import { decision } from "../support/passkey-bundles.js";
import { draft, requestOf } from "../support/rig.js";
import { keys, trusted, usualKeys } from "../support/world.js";
import { type Answer, codeOf, openPlane, type Plane } from "./support.js";

const origin = "https://console.example.com";
const headers = { host: "console.example.com" };
const here = new SoftPasskey("here", { rpId: "example.com", origins: [origin, "https://other.example.com"] });
const local = new SoftPasskey("local", { rpId: "localhost", origins: ["http://localhost:7411"] });

let plane: Plane;

beforeEach(async () => {
  const trustKeys = [
    ...usualKeys.filter(({ id }) => id !== "carol"),
    here.entry("alice-phone", { person: "alice" }),
    local.entry("carol", { tenants: ["default"] }),
    trusted("approver", "dave", keys.carol),
  ];
  plane = await openPlane({ rig: { trustKeys }, listening: { origin } });
});
afterEach(() => plane.close());

async function challenge(keyId: string, role: SessionRole = "approver"): Promise<Challenge> {
  return (await plane.ask("/v1/auth/challenges", { body: { keyId, role }, headers })).json as Challenge;
}

async function open(envelope: Envelope): Promise<Answer> {
  return await plane.ask("/v1/auth/sessions", { body: envelope, headers });
}

const signed = (asked: Challenge, change?: (said: Said) => void, by = here): Envelope =>
  by.sign(asked, change, payloadTypes.challenge);

describe("a passkey", () => {
  it("opens a session of its approver, who sees what waits and approves it with the same passkey", async () => {
    const opened = await open(signed(await challenge(here.keyId)));
    expect([opened.status, opened.json]).toMatchObject([
      201,
      { keyId: here.keyId, role: "approver", id: "alice-phone" },
    ]);
    const token = opened.json["token"] as string;
    plane.rig.disk.files.set("data/a.txt", "a");
    const pending = await plane.rig.pipeline.execute(draft("fs.remove", "data/a.txt"));
    const request = requestOf(pending);
    const grant = here.sign(decision(request, "alice", here.keyId));
    const path = `/v1/approvals/${request.requestId}/grants`;
    const posing = here.sign(decision(request, "alice", here.keyId), client("origin", "https://evil.example"));
    expect(codeOf(await plane.ask(path, { token, body: posing, headers }))).toBe("422 EXO_PASSKEY");
    const decided = await plane.ask(path, { token, body: grant, headers });
    expect([decided.status, decided.json]).toMatchObject([200, { status: "executed" }]);
  });

  it("is recorded with its decision in the bundle that the control plane gives out", async () => {
    plane.rig.disk.files.set("data/a.txt", "a");
    const pending = await plane.rig.pipeline.execute(draft("fs.remove", "data/a.txt"));
    await plane.rig.pipeline.decide(here.sign(decision(requestOf(pending), "alice", here.keyId)));
    const token = (await open(signed(await challenge(here.keyId)))).json["token"] as string;
    const bundle = await plane.ask(`/v1/intents/${pending.intentId}/bundle`, { token, headers });
    expect(verifyBundle(encodeUtf8(bundle.text), { trust: plane.rig.trust })).toMatchObject({ result: "pass" });
  });

  it("opens nothing as an operator or policy author", async () => {
    for (const role of ["operator", "policy-author"] as const) {
      expect(codeOf(await open(signed(await challenge(here.keyId, role))))).toBe("401 EXO_AUTHENTICATION");
    }
  });

  it("a challenge is answered once, by the key it names", async () => {
    const envelope = signed(await challenge(here.keyId));
    expect((await open(envelope)).status).toBe(201);
    expect(codeOf(await open(envelope))).toBe("401 EXO_AUTHENTICATION");
    expect(codeOf(await open(signed(await challenge(keys.alice.keyId))))).toBe("401 EXO_AUTHENTICATION");
  });

  it("a challenge that was signed at another pinned origin opens nothing", async () => {
    const elsewhere = client("origin", "https://other.example.com");
    expect(codeOf(await open(signed(await challenge(here.keyId), elsewhere)))).toBe("401 EXO_AUTHENTICATION");
    // Nor does one that is pinned to another origin alone, though it answers truly.
    expect(codeOf(await open(signed(await challenge(local.keyId), undefined, local)))).toBe("401 EXO_AUTHENTICATION");
  });

  it.each<[string, (said: Said) => void]>([
    ["of another challenge", client("challenge", "A".repeat(43))],
    ["of an enrolment", client("type", "webauthn.create")],
    ["in a frame of another site", client("crossOrigin", true)],
    ["of nobody who was verified", (said) => (said.flags = 0x01)],
  ])("an assertion %s opens nothing", async (_, change) => {
    expect(codeOf(await open(signed(await challenge(here.keyId), change)))).toBe("401 EXO_AUTHENTICATION");
  });

  it("a grant opens no session, nor does a challenge that another key signed beside it", async () => {
    const asked = await challenge(here.keyId);
    const grant = here.sign(asked, undefined, payloadTypes.approvalGrant);
    expect(codeOf(await open(grant))).toBe("401 EXO_AUTHENTICATION");
    const own = signed(asked);
    const beside = await signEnvelope(payloadTypes.challenge, canonicalize(asked), keys.alice);
    const both = { ...own, signatures: [...own.signatures, ...beside.signatures] };
    expect(codeOf(await open(both))).toBe("401 EXO_AUTHENTICATION");
    expect((await open(own)).status).toBe(201);
  });
});
