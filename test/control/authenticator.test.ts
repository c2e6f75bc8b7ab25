import { beforeEach, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import {
  type Challenge,
  formatBearer,
  parseBearer,
  type SessionRole,
  secretDigestOf,
  type TokenRecord,
} from "../../src/contracts/access.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { Authenticator, type Proof } from "../../src/control/authenticator.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { ExoArmurError } from "../../src/errors.js";
import type { Signer } from "../../src/ports.js";
import {
  keys,
  seededEntropy,
  seededIds,
  startMs,
  type TestClock,
  testClock,
  trusted,
  trustOf,
} from "../support/world.js";

let clock: TestClock;
let logSize: number;
let tokens: Map<string, TokenRecord>;
let auth: Authenticator;
let logged: string[];

const here = "http://127.0.0.1:7411";

function make(seed = "a"): Authenticator {
  return new Authenticator({
    clock,
    entropy: seededEntropy(seed),
    ids: seededIds(clock, seed),
    logger: { log: (_level, message) => void logged.push(message) },
    trust: trustOf([
      trusted("operator", "ops", keys.operator, { until: 50 }),
      trusted("approver", "alice", keys.alice, { tenants: ["default"] }),
      trusted("policy-author", "author", keys.author),
      trusted("publisher", "acme", keys.publisher),
    ]),
    cellId: "local",
    logSize: () => logSize,
    findToken: async (id) => {
      if (id === unreadable) throw new ExoArmurError("EXO_SCHEMA", "the file is damaged");
      return tokens.get(id);
    },
    limits: { challengeMs: 60_000, sessionMs: 900_000, sessionsPerKey: 2 },
  });
}

const unreadable = "01KA4X6F7J2Z8Q0V5N3T9RBCDE";

beforeEach(() => {
  clock = testClock();
  logSize = 10;
  tokens = new Map();
  logged = [];
  auth = make();
});

async function answer(challenge: Challenge, signer: Signer, type: string = payloadTypes.challenge) {
  return await signEnvelope(type, canonicalize(challenge), signer);
}

function challengeFor(signer: Signer, role: SessionRole): Challenge {
  return auth.challenge(keyIdOf(signer.publicKey), role, here);
}

async function login(signer: Signer, role: SessionRole): Promise<string> {
  const opened = auth.open(await answer(challengeFor(signer, role), signer), here);
  if (!opened.proven) throw new Error(opened.error.message);
  return opened.text;
}

const prove = async (text: string): Promise<Proof> => await auth.prove(`Bearer ${text}`);

function causeOf(proof: Proof | ReturnType<Authenticator["open"]>): string {
  return proof.proven ? "proven" : proof.cause;
}

describe("operators", () => {
  it.each([
    ["operator", keys.operator, "ops", ["viewer", "admin"], null],
    ["approver", keys.alice, "alice", ["viewer", "approver"], ["default"]],
    ["policy-author", keys.author, "author", ["viewer", "policy-author"], null],
  ] as const)(
    "a key of the role %s opens a session with its roles and tenants",
    async (role, signer, name, roles, tenants) => {
      const proof = await prove(await login(signer, role));
      expect(proof).toMatchObject({
        proven: true,
        principal: { name, credential: signer.keyId, tenants, agent: null },
      });
      if (proof.proven) expect([...proof.principal.roles]).toEqual(roles);
    },
  );

  it("a challenge names audience, cell, key, role and expiry, and is the same shape for a key nobody knows", () => {
    const challenge = challengeFor(keys.mallory, "operator");
    expect(challenge).toEqual({
      schema: "exoarmur.control-challenge/v1",
      audience: "http://127.0.0.1:7411",
      cellId: "local",
      keyId: keys.mallory.keyId,
      role: "operator",
      issuedAt: formatTime(startMs),
      expiresAt: formatTime(startMs + 60_000),
      nonce: challenge.nonce,
    });
    expect(challengeFor(keys.mallory, "operator").nonce).not.toBe(challenge.nonce);
  });

  it("a challenge is answered once", async () => {
    const envelope = await answer(challengeFor(keys.operator, "operator"), keys.operator);
    expect(auth.open(envelope, here).proven).toBe(true);
    expect(auth.open(envelope, here)).toMatchObject({
      proven: false,
      cause: "challenge",
      error: { code: "EXO_AUTHENTICATION", message: "the challenge was answered before" },
    });
    // Not even when others were answered since.
    await login(keys.operator, "operator");
    clock.advance(59_999);
    expect(causeOf(auth.open(envelope, here))).toBe("challenge");
  });

  it("a challenge expires", async () => {
    const envelope = await answer(challengeFor(keys.operator, "operator"), keys.operator);
    clock.advance(60_000);
    expect(auth.open(envelope, here)).toMatchObject({ proven: false, cause: "challenge" });
  });

  it("a challenge of another process is refused", async () => {
    const other = make("b").challenge(keys.operator.keyId, "operator", here);
    expect(auth.open(await answer(other, keys.operator), here)).toMatchObject({
      cause: "challenge",
      error: { message: "the challenge was not issued here, or before a restart" },
    });
  });

  it("a challenge is answered where it was issued", async () => {
    const envelope = await answer(challengeFor(keys.operator, "operator"), keys.operator);
    expect(auth.open(envelope, "http://localhost:7411")).toMatchObject({
      cause: "challenge",
      error: { message: "the challenge was issued at another origin" },
    });
    expect(auth.open(envelope, here).proven).toBe(true);
  });

  it.each([
    ["expiresAt", { expiresAt: formatTime(startMs + 90_000_000) }],
    ["audience", { audience: "http://evil.example" }],
    ["cellId", { cellId: "other" }],
    ["nonce", { nonce: "A".repeat(43) }],
  ] as const)("a challenge whose %s was changed before it was signed is refused", async (_member, change) => {
    const challenge = { ...challengeFor(keys.operator, "operator"), ...change };
    expect(causeOf(auth.open(await answer(challenge, keys.operator), here))).toBe("challenge");
  });

  it.each([
    ["a key nobody admitted", keys.mallory, "operator"],
    ["an approver's key as operator", keys.alice, "operator"],
    ["a publisher's key", keys.publisher, "approver"],
  ] as const)("%s opens nothing", async (_what, signer, role) => {
    expect(causeOf(auth.open(await answer(challengeFor(signer, role), signer), here))).toBe("signature");
  });

  it("a challenge for one key signed by another opens nothing", async () => {
    const challenge = challengeFor(keys.operator, "operator");
    expect(causeOf(auth.open(await answer(challenge, keys.alice), here))).toBe("signature");
  });

  it("what was signed for another purpose opens nothing, and the reverse", async () => {
    const challenge = challengeFor(keys.operator, "operator");
    expect(causeOf(auth.open(await answer(challenge, keys.operator, payloadTypes.killSwitch), here))).toBe("signature");
    const order = await signEnvelope(
      payloadTypes.challenge,
      canonicalize({ schema: "exoarmur.kill-switch/v1" }),
      keys.operator,
    );
    expect(causeOf(auth.open(order, here))).toBe("challenge");
  });

  it("a signature that was changed opens nothing", async () => {
    const envelope = await answer(challengeFor(keys.operator, "operator"), keys.operator);
    const [first] = envelope.signatures;
    const sig = `${first?.sig.startsWith("A") ? "B" : "A"}${first?.sig.slice(1)}`;
    const forged = { ...envelope, signatures: [{ keyid: keys.operator.keyId, sig }] };
    expect(causeOf(auth.open(forged, here))).toBe("signature");
  });

  it("two signatures open nothing", async () => {
    const challenge = challengeFor(keys.operator, "operator");
    const [one, two] = [await answer(challenge, keys.operator), await answer(challenge, keys.author)];
    expect(causeOf(auth.open({ ...one, signatures: [...one.signatures, ...two.signatures] }, here))).toBe("signature");
  });

  it("a key that has ended in the log opens nothing, and its open sessions end", async () => {
    const session = await login(keys.operator, "operator");
    logSize = 50;
    expect(await prove(session)).toMatchObject({ cause: "key_ended", credential: keys.operator.keyId });
    const envelope = await answer(challengeFor(keys.operator, "operator"), keys.operator);
    expect(causeOf(auth.open(envelope, here))).toBe("signature");
    logSize = 10;
    expect(causeOf(await prove(session))).toBe("unknown");
  });

  it("a session expires, and is not prolonged by use", async () => {
    const session = await login(keys.operator, "operator");
    clock.advance(899_999);
    expect(causeOf(await prove(session))).toBe("proven");
    clock.advance(1);
    expect(await prove(session)).toMatchObject({ cause: "expired", credential: keys.operator.keyId });
    expect(causeOf(await prove(session))).toBe("unknown");
  });

  it("a session that was closed is over", async () => {
    const session = await login(keys.operator, "operator");
    expect(auth.sessions.close(parseBearer(session)?.id ?? "")).toBe(true);
    expect(causeOf(await prove(session))).toBe("unknown");
    expect(auth.sessions.close(parseBearer(session)?.id ?? "")).toBe(false);
  });

  it("of more sessions of one key than may be open the oldest gives way", async () => {
    const [first, alice] = [await login(keys.operator, "operator"), await login(keys.alice, "approver")];
    const more = [await login(keys.operator, "operator"), await login(keys.operator, "operator")];
    expect(causeOf(await prove(first))).toBe("unknown");
    for (const text of [alice, ...more]) expect(causeOf(await prove(text))).toBe("proven");
    expect(auth.sessions.list().length).toBe(3);
  });

  it("a session's id with another secret is none, and the session goes on", async () => {
    const session = await login(keys.operator, "operator");
    const bearer = parseBearer(session);
    if (bearer === undefined) throw new Error("no session");
    expect(await prove(formatBearer({ ...bearer, secret: new Uint8Array(32) }))).toMatchObject({
      cause: "wrong_secret",
      credential: null,
    });
    expect(causeOf(await prove(session))).toBe("proven");
  });

  it("nothing that is kept of a session holds its secret", async () => {
    const session = await login(keys.operator, "operator");
    const secret = session.slice(session.lastIndexOf("_") + 1);
    expect(JSON.stringify(auth.sessions.list())).not.toContain(secret);
  });
});

describe("tokens", () => {
  const secret = seededEntropy("token").bytes(32);
  const tokenId = "01KA4X6F7J2Z8Q0V5N3T9RBCDF";
  const text = formatBearer({ kind: "token", id: tokenId, secret });

  const record: TokenRecord = {
    schema: "exoarmur.token/v1",
    tokenId,
    tenantId: "default",
    grant: { kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] },
    secretDigest: secretDigestOf(secret),
    createdAt: formatTime(startMs),
    expiresAt: formatTime(startMs + 1000),
    revokedAt: null,
  };

  it("an agent's token is its actor, its tenant and its actions, and no other role", async () => {
    tokens.set(tokenId, record);
    const proof = await prove(text);
    expect(proof).toMatchObject({
      proven: true,
      principal: {
        tenants: ["default"],
        agent: { actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"], by: "token" },
      },
    });
    if (proof.proven) expect([...proof.principal.roles]).toEqual(["agent"]);
  });

  it("a reader's token reads", async () => {
    tokens.set(tokenId, { ...record, grant: { kind: "viewer" } });
    const proof = await prove(text);
    if (!proof.proven) throw new Error(proof.error.message);
    expect([[...proof.principal.roles], proof.principal.agent]).toEqual([["viewer"], null]);
  });

  it.each([
    ["revoked", { revokedAt: formatTime(startMs) }, tokenId],
    ["expired", { expiresAt: formatTime(startMs) }, tokenId],
    ["wrong_secret", { secretDigest: secretDigestOf(new Uint8Array(32)) }, null],
  ] as const)("%s: counts no more", async (cause, change, credential) => {
    tokens.set(tokenId, { ...record, ...change });
    expect(await prove(text)).toMatchObject({ cause, credential, error: { code: "EXO_AUTHENTICATION" } });
  });

  it("an unknown token and a wrong secret are told in the same words", async () => {
    const unknown = await prove(text);
    tokens.set(tokenId, { ...record, secretDigest: secretDigestOf(new Uint8Array(32)) });
    const wrong = await prove(text);
    expect(unknown).toMatchObject({ cause: "unknown" });
    expect((unknown as { error: object }).error).toEqual((wrong as { error: object }).error);
  });

  it("a token whose file is damaged is refused, and the log of the process says why", async () => {
    const damaged = formatBearer({ kind: "token", id: unreadable, secret });
    expect(await prove(damaged)).toMatchObject({ cause: "unreadable", error: { code: "EXO_AUTHENTICATION" } });
    expect(logged).toEqual([`token ${unreadable} could not be read`]);
  });

  it("a token is no session, and a session no token", async () => {
    tokens.set(tokenId, record);
    expect(causeOf(await prove(formatBearer({ kind: "session", id: tokenId, secret })))).toBe("unknown");
    const session = parseBearer(await login(keys.operator, "operator"));
    if (session === undefined) throw new Error("no session");
    expect(causeOf(await prove(formatBearer({ ...session, kind: "token" })))).toBe("unknown");
  });

  it.each([
    ["no header", undefined, "no_credential"],
    ["another scheme", `Basic ${text}`, "malformed"],
    ["lower case", `bearer ${text}`, "malformed"],
    ["no secret", "Bearer exoarmur_token_01KA4X6F7J2Z8Q0V5N3T9RBCDF_", "malformed"],
    ["a path for an id", `Bearer exoarmur_token_../../../../etc/passwd0000_${"A".repeat(43)}`, "malformed"],
    [
      "a secret that is not canonical base64url",
      `Bearer ${text.slice(0, -1)}${text.endsWith("B") ? "D" : "B"}`,
      "malformed",
    ],
    ["something behind it", `Bearer ${text} `, "malformed"],
  ] as const)("%s: refused", async (_what, header, cause) => {
    tokens.set(tokenId, record);
    expect(await auth.prove(header)).toMatchObject({ proven: false, cause, credential: null });
  });
});
