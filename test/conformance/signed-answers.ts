import { createVoucher } from "../../src/capabilities/performers/counterparties/voucher.js";
import { contentDigest } from "../../src/contracts/content-digest.js";
import type { Trust, TrustedKey } from "../../src/contracts/trust.js";
import { signEd25519 } from "../../src/crypto/ed25519.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { ErrorCode } from "../../src/errors.js";
import { discloseCall } from "../../src/pipeline/disclose.js";
import type { Clock, Performer } from "../../src/ports.js";
import { hostilePlugin } from "../attacks/support.js";
import { bank, envelopeOf, mallory, signedHeaders } from "../support/counterparty.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import { Forge, type Loose, rewriteCall } from "../support/forge.js";
import { place } from "../support/http.js";
import { openRig } from "../support/rig.js";
import { startMs, testClock, trustOf, usualKeys } from "../support/world.js";
import type { Case } from "./vector.js";

const created = Math.floor(startMs / 1000);
const payloadType = "application/vnd.bank.receipt+json";
const signing = { scheme: "http", host: "127.0.0.1", port: 8001 } as const;
const sealing = { ...signing, port: 8002 };

const pinned = (more: Partial<TrustedKey> = {}): TrustedKey => ({
  role: "counterparty",
  id: bank.id,
  publicKey: encodeBase64(bank.publicKey),
  origins: [signing, sealing],
  from: null,
  until: null,
  ...more,
});

/** A bank without a socket, whose answers are vouched for by the rules of the real performer. */
function bankPerformer(trust: Trust, clock: Clock): Performer {
  const voucher = createVoucher({
    counterparties: [
      { scheme: "http-message-signature", origin: signing, keyId: bank.id },
      { scheme: "dsse", origin: sealing, keyId: bank.id, payloadType },
    ],
    trust,
    clock,
  });
  return {
    perform: ({ method, url, body: sent }) => {
      const { port, pathname, search } = new URL(String(url));
      const sealed = Number(port) === sealing.port;
      const body = encodeUtf8(sealed ? envelopeOf(payloadType, '{"receipt":1}') : `{"seen":"${pathname}"}`);
      const request = { method: method as "GET", url: String(url), headers: {}, body: sent as Uint8Array };
      const headers = sealed ? {} : signedHeaders({ request, status: 200, body }, { created });
      const answer = { status: 200, headers, body };
      const path = `${pathname}${search}`;
      // The host states a body's digest, so that an answer can be signed for it.
      const stated = request.body.length > 0 ? { "content-digest": contentDigest(request.body) } : {};
      const vouched = voucher.vouch({ ...signing, ...request, headers: stated, port: Number(port), path }, answer);
      if (!vouched.ok || vouched.value === null) throw new Error(`the bank's answer to ${path} is not vouched for`);
      return { outcome: "ok", value: { status: 200, headers: {}, body }, assurance: vouched.value };
    },
  };
}

const sandbox = new FakeSandbox({
  run: async (guest) => {
    const ask = async (method: string, port: number, path: string, body = ""): Promise<void> => {
      const url = `http://127.0.0.1:${port}${path}`;
      await guest.call("http_request", { method, url, headers: {}, body: encodeUtf8(body) });
    };
    await guest.call("clock_now", {});
    await ask("GET", signing.port, "/balance?of=me");
    await ask("POST", signing.port, "/pay", "amount=7");
    await ask("GET", sealing.port, "/receipt");
    return {};
  },
});

/** A bundle with signed answers, and its call `seq` disclosed alone. */
type Answered = { readonly bundle: Case; readonly calls: readonly Case[] };

async function honestCases(): Promise<Answered> {
  const clock = testClock();
  const trustKeys = [...usualKeys, pinned()];
  const trust = trustOf(trustKeys);
  const capabilities = ["clock_now", "http_request"] as const;
  const rig = await openRig({
    clock,
    sandbox,
    trustKeys,
    seed: "signed answers",
    rules: [{ id: "pay", match: { action: "attack.pay" }, verdict: "allow" }],
    plugins: [hostilePlugin("pay", { body: "", capabilities, effects: "write", output: "json" })],
    grants: { pay: { clock_now: {}, http_request: { allow: [place(signing.port), place(sealing.port)] } } },
    performers: {
      clock_now: { perform: () => ({ outcome: "ok", value: { ms: 1 } }) },
      http_request: bankPerformer(trust, clock),
    },
  });
  const actor = { id: "a", type: "agent" } as const;
  const result = await rig.pipeline.execute({ actor, action: "attack.pay", parameters: { path: "x" } });
  if (result.status !== "executed") throw new Error(`the bank was not asked: ${result.status}`);
  const bytes = await new Forge(result.bundle.bytes()).pack();
  const calls = [0, 1, 3].map(
    (seq): Case => ({
      about: `call: number ${seq} of four${seq === 0 ? "" : ", whose answer its counterparty signed"}`,
      bytes: discloseCall(rig.store, rig.ledger, result.intentId, seq),
      trust,
    }),
  );
  return { bundle: { about: "answers: three that their counterparty signed, and a clock", bytes, trust }, calls };
}

/** Signs the first signed answer's base again, changed, by the bank's own key. */
const resigned =
  (from: string | RegExp, to: string) =>
  ({ assurance: { signed } }: Loose): void => {
    signed.base = signed.base.replace(from, to);
    signed.signature = encodeBase64(signEd25519(bank.seed, encodeUtf8(signed.base)));
  };

const signature = "EXO_ANSWER_SIGNATURE";
const broken = "EXO_CHECK_FAILED";

const forgeries: readonly (readonly [
  about: string,
  call: number,
  code: typeof signature | typeof broken,
  change: (call: Loose) => unknown,
])[] = [
  ["another body", 1, signature, (call) => rewriteCall(call, "response", ({ ok }) => (ok.body = encodeUtf8("{}")))],
  ["another status", 1, signature, (call) => rewriteCall(call, "response", ({ ok }) => (ok.status = 404))],
  ["another URL", 1, signature, (call) => rewriteCall(call, "request", (request) => (request.url += "2"))],
  ["another method", 1, signature, (call) => rewriteCall(call, "request", (request) => (request.method = "HEAD"))],
  [
    "another body asked",
    2,
    signature,
    (call) => rewriteCall(call, "request", (r) => (r.body = encodeUtf8("amount=8"))),
  ],
  [
    "an envelope by another key",
    3,
    signature,
    (call) =>
      rewriteCall(call, "response", ({ ok }) => {
        ok.body = encodeUtf8(envelopeOf(payloadType, '{"receipt":1}', mallory));
      }),
  ],
  ["an envelope of another type", 3, signature, ({ assurance }) => (assurance.signed.payloadType = "text/plain")],
  ["no envelope", 3, signature, (call) => rewriteCall(call, "response", ({ ok }) => (ok.body = encodeUtf8("{}")))],
  ["no answer", 1, broken, (call) => rewriteCall(call, "response", (response) => (response.ok = {}))],
  ["no URL", 1, broken, (call) => rewriteCall(call, "request", (request) => (request.url = "no URL"))],
  ["an HMAC", 1, signature, resigned('alg="ed25519"', 'alg="hmac-sha256"')],
  ["signed without its time", 1, signature, resigned(`;created=${created}`, "")],
  ["signed before the call", 1, signature, resigned(`created=${created}`, `created=${created - 301}`)],
  ["signed for the future", 1, signature, resigned(`created=${created}`, `created=${created + 3600}`)],
  ["an expired signature", 1, signature, resigned(";keyid", `;expires=${created - 1};keyid`)],
  ["a key of another name", 1, signature, resigned('keyid="bank-2026"', 'keyid="bank-2025"')],
  ["a line that is not listed", 1, signature, resigned('"@status": 200', '"@status": 200\n"x": y')],
  ["another base under the signature", 1, signature, ({ assurance: { signed } }) => (signed.base += "\n")],
];

/** Bundles with answers that a counterparty signed (spec/verification.md, Host answers), and calls of theirs alone. */
export async function signedAnswerCases(): Promise<{ readonly bundles: Case[]; readonly calls: Case[] }> {
  const { bundle: twin, calls } = await honestCases();
  const under = (list: readonly TrustedKey[]): Trust => ({ ...twin.trust, keys: [...usualKeys, ...list] });
  const unpinned: readonly (readonly [string, readonly TrustedKey[]])[] = [
    ["no key of the counterparty is pinned", []],
    ["its key is pinned under another id", [pinned({ id: "bank-2027" })]],
    ["its key is pinned for one of its origins alone", [pinned({ origins: [signing] })]],
    ["its key is pinned for a later time", [pinned({ from: 1_000_000 })]],
    ["its key is pinned for another tenant", [pinned({ tenants: ["other"] })]],
  ];
  const other = pinned({ publicKey: encodeBase64(mallory.publicKey) });
  const forged = forgeries.map(async ([about, at, code, change]): Promise<Case> => {
    const forge = await new Forge(twin.bytes).hostCall(change, at);
    const bytes = await forge.pack();
    return { about: `answers: ${about}`, bytes, trust: twin.trust, wrong: { check: "answers", code }, twin };
  });
  const bundles: Case[] = [
    twin,
    ...(await Promise.all(forged)),
    {
      about: "answers: another key is pinned under the counterparty's id",
      bytes: twin.bytes,
      trust: under([other]),
      wrong: { check: "answers", code: signature },
      twin,
    },
    ...unpinned.map(
      ([about, list]): Case => ({
        about: `answers: ${about}`,
        bytes: twin.bytes,
        trust: under(list),
        wrong: { check: "answers", code: "EXO_ANSWER_KEY" },
        twin,
      }),
    ),
  ];
  return {
    bundles,
    calls: [
      ...calls,
      ...callsUnder(
        calls,
        under([other]),
        unpinned.map(([about, list]) => [about, under(list)]),
      ),
    ],
  };
}

/** The second disclosed call under trust files that cannot accept its answer. */
function callsUnder(calls: readonly Case[], wrong: Trust, lacking: readonly (readonly [string, Trust])[]): Case[] {
  const [, twin] = calls;
  if (twin === undefined) throw new Error("no disclosed call with a signed answer");
  const one = (about: string, trust: Trust, code: ErrorCode): Case => ({
    about: `call: ${about}`,
    bytes: twin.bytes,
    trust,
    wrong: { check: "answers", code },
    twin,
  });
  return [
    one("another key is pinned under the counterparty's id", wrong, signature),
    ...lacking
      .filter(([about]) => about !== "its key is pinned for one of its origins alone")
      .map(([about, trust]) => one(about, trust, "EXO_ANSWER_KEY")),
  ];
}
