import { beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { createVoucher } from "../../src/capabilities/performers/counterparties/voucher.js";
import { createHttpPerformer } from "../../src/capabilities/performers/http/performer.js";
import type { Counterparty } from "../../src/contracts/counterparty.js";
import { type Trust, type TrustedKey, trustSchema } from "../../src/contracts/trust.js";
import { signEd25519 } from "../../src/crypto/ed25519.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { discloseCall } from "../../src/pipeline/disclose.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { verifyCall } from "../../src/verify/verify-call.js";
import { hostilePlugin } from "../attacks/support.js";
import { bank, envelopeOf, mallory, signedHeaders } from "../support/counterparty.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import { Forge, type Loose, rewriteCall } from "../support/forge.js";
import { place, serve } from "../support/http.js";
import { draft, openRig, type Rig } from "../support/rig.js";
import { keys, startMs, testClock, trustOf, usualKeys } from "../support/world.js";

const created = Math.floor(startMs / 1000);
const payloadType = "application/vnd.bank.receipt+json";

let rig: Rig;
/** The bundle of a run that asks a counterparty of each scheme, one that does not sign, and the clock. */
let bytes: Uint8Array;
let trust: Trust;
let origin: { scheme: "http"; host: string; port: number };
let intentId = "";

const pinned = (key: typeof bank, more: Partial<TrustedKey> = {}): TrustedKey => ({
  role: "counterparty",
  id: key.id,
  publicKey: encodeBase64(key.publicKey),
  origins: [origin],
  from: null,
  until: null,
  ...more,
});

const sandbox = new FakeSandbox({
  run: async (guest) => {
    const ask = async (port: number, path: string, body = ""): Promise<void> => {
      const method = body === "" ? "GET" : "POST";
      const url = `http://127.0.0.1:${port}${path}`;
      await guest.call("http_request", { method, url, headers: {}, body: encodeUtf8(body) });
    };
    const { signing = "", sealing = "" } = guest.parameters;
    await guest.call("clock_now", {});
    await ask(Number(signing), "/balance?of=me");
    await ask(Number(signing), "/pay", "amount=7");
    await ask(Number(sealing), "/receipt");
    await ask(Number(signing), "/unsigned");
    return {};
  },
});

beforeAll(async () => {
  const server = await serve((seen, response) => {
    const body = encodeUtf8(`{"seen":"${seen.url}"}`);
    const url = `http://127.0.0.1:${server.port}${seen.url}`;
    const request = { method: seen.method, url, headers: {}, body: encodeUtf8(seen.body) };
    const signed = signedHeaders({ request, status: 200, body }, { created });
    response.writeHead(200, { "content-type": "application/json", ...(seen.url === "/unsigned" ? {} : signed) });
    response.end(body);
  });
  const sealing = await serve((_, response) => response.end(envelopeOf(payloadType, '{"receipt":1}')));
  origin = { scheme: "http", host: "127.0.0.1", port: server.port };
  const sealed = { ...origin, port: sealing.port };
  const counterparties: Counterparty[] = [
    { scheme: "http-message-signature", origin, keyId: bank.id },
    { scheme: "dsse", origin: sealed, keyId: bank.id, payloadType },
  ];
  const trustKeys = [...usualKeys, pinned(bank, { origins: [origin, sealed] })];
  const clock = testClock();
  trust = trustSchema.parse(trustOf(trustKeys));
  rig = await openRig({
    clock,
    sandbox,
    trustKeys,
    rules: [{ id: "pay", match: { action: "attack.pay" }, verdict: "allow" }],
    plugins: [
      hostilePlugin("pay", { body: "", capabilities: ["clock_now", "http_request"], effects: "write", output: "json" }),
    ],
    grants: { pay: { clock_now: {}, http_request: { allow: [place(server.port), place(sealing.port)] } } },
    performers: {
      clock_now: { perform: () => ({ outcome: "ok", value: { ms: 1 } }) },
      ...createHttpPerformer({ voucher: createVoucher({ counterparties, trust, clock }) }),
    },
  });
  const parameters = { path: "x", signing: String(server.port), sealing: String(sealing.port) };
  const result = await rig.pipeline.execute({ actor: { id: "a", type: "agent" }, action: "attack.pay", parameters });
  if (result.status !== "executed") throw new Error(JSON.stringify(result));
  bytes = result.bundle.bytes();
  intentId = result.intentId;
});

/** What the check of answers says: its state, code and message. */
function checkOf(file: Uint8Array, against: Trust | null = trust): string {
  const { checks } = verifyBundle(file, against === null ? {} : { trust: against });
  const { state = "", code = "", message = "" } = checks.find(({ id }) => id === "answers") ?? {};
  return `${state} ${code} ${message}`.replace("  ", " ");
}

/** The bundle with one host call changed, everything else signed again as it should be. */
async function forged(index: number, change: (call: Loose) => void): Promise<Uint8Array> {
  return await (await new Forge(bytes).hostCall(change, index)).pack();
}

const withKeys = (list: readonly TrustedKey[]): Trust => ({ ...trust, keys: [...usualKeys, ...list] });

test("who vouches for what is told, and signatures verify offline under the pinned key", () => {
  expect(checkOf(bytes)).toBe("pass 1 local, 1 unauthenticated, 0 tls, 3 signed");
  const { result, counts } = verifyBundle(bytes, { trust });
  expect([result, counts.fail, counts.unable]).toEqual(["pass", 0, 0]);
});

test("a forgery that changes nothing changes nothing", async () => {
  expect(checkOf(await forged(1, () => undefined))).toBe("pass 1 local, 1 unauthenticated, 0 tls, 3 signed");
});

describe("without the counterparty's key nothing is verified, and nothing passes", () => {
  const counts = "1 local, 1 unauthenticated, 0 tls, 3 signed";
  test("no trust file", () => {
    expect(checkOf(bytes, null)).toBe(
      `not_applicable ${counts}; the signed ones are not verified without a trust file`,
    );
  });

  test.each<[string, () => readonly TrustedKey[]]>([
    ["no key", () => []],
    ["a key of the same id in another role", () => [{ ...pinned(bank), role: "publisher", origins: undefined }]],
    ["its key under another id", () => [pinned({ ...bank, id: "bank-2027" })]],
    ["its key for another origin", () => [pinned(bank, { origins: [{ ...origin, port: 1 }] })]],
    ["its key of another time", () => [pinned(bank, { from: 1_000_000 })]],
    ["its key for another tenant", () => [pinned(bank, { tenants: ["other"] })]],
  ])("%s", (_, list) => {
    const message = `${counts}; the trust file pins no valid key bank-2026 for where the answers came from`;
    expect(checkOf(bytes, withKeys(list()))).toBe(`unable EXO_ANSWER_KEY ${message}`);
    expect(verifyBundle(bytes, { trust: withKeys(list()) }).result).toBe("unable");
  });
});

describe("a key that is not the counterparty's own", () => {
  test("another key under its id", () => {
    const all = [pinned(mallory, { origins: [origin, { ...origin, port: 1 }] })];
    expect(checkOf(bytes, withKeys(all))).toBe(
      "fail EXO_ANSWER_SIGNATURE call 1: the answer has a signature that does not verify under the key bank-2026",
    );
    // Beside the right one it does not matter: a key may be replaced by another.
    expect(checkOf(bytes, { ...trust, keys: [...all, ...trust.keys] })).toContain("pass");
  });

  const ours: readonly [string, () => TrustedKey][] = [
    ["runtime", () => pinned({ ...bank, publicKey: keys.runtime.publicKey })],
    ["log", () => pinned({ ...bank, publicKey: keys.log.publicKey })],
    ["approver", () => pinned({ ...bank, publicKey: keys.alice.publicKey })],
  ];
  test.each(ours)("a signature under the key of the %s fails, and the trust file is no trust file", async (_, key) => {
    const bad = withKeys([key()]);
    expect(checkOf(bytes, bad)).toBe(
      "fail EXO_TRUST call 1 is signed under a key of this side, not of the counterparty's own",
    );
    expect(trustSchema.safeParse(bad).error?.issues[0]?.message).toContain("nothing here has another role for");
  });

  test("nor does the runtime's key, where only the bundle lists it", () => {
    const bare = { ...trust, logs: [], keys: [pinned({ ...bank, publicKey: keys.runtime.publicKey })] };
    expect(trustSchema.safeParse(bare).success).toBe(true);
    expect(checkOf(bytes, bare)).toContain("fail EXO_TRUST call 1 is signed under a key of this side");
  });

  test("of small order is refused", () => {
    const weak = new Uint8Array(32);
    weak[0] = 1;
    expect(checkOf(bytes, withKeys([pinned({ ...bank, publicKey: weak })]))).toContain("fail EXO_KEY_REFUSED call 1");
  });
});

describe("a forged answer fails", () => {
  const another = (name: string, call = 1): string =>
    `fail EXO_ANSWER_SIGNATURE call ${call}: the answer is signed for another ${name}`;
  type Change = (call: Loose) => void;
  const body: Change = (call) =>
    rewriteCall(call, "response", (value) => (value.ok.body = encodeUtf8('{"seen":"much"}')));
  test.each<[string, number, Change, string]>([
    ["its body", 1, body, another('"content-digest"')],
    [
      "its status",
      1,
      (call) => rewriteCall(call, "response", (value) => (value.ok.status = 404)),
      another('"@status"'),
    ],
    [
      "the URL it is for",
      1,
      (call) => rewriteCall(call, "request", (value) => (value.url += "2")),
      another('"@target-uri";req'),
    ],
    [
      "the method it is for",
      1,
      (call) => rewriteCall(call, "request", (value) => (value.method = "POST")),
      another('"@method";req'),
    ],
    [
      "the body it is for",
      2,
      (call) => rewriteCall(call, "request", (value) => (value.body = encodeUtf8("amount=8"))),
      another('"content-digest";req', 2),
    ],
    [
      "the envelope",
      3,
      (call) =>
        rewriteCall(
          call,
          "response",
          (value) => (value.ok.body = encodeUtf8(envelopeOf(payloadType, '{"receipt":2}', mallory))),
        ),
      "fail EXO_ANSWER_SIGNATURE call 3: the answer has no signature that verifies under the key bank-2026",
    ],
    [
      "the payload type",
      3,
      (call) => (call.assurance.signed.payloadType = "text/plain"),
      "fail EXO_ANSWER_SIGNATURE call 3: the answer is an envelope of another payload type",
    ],
    ["an envelope that is none", 3, body, "fail EXO_ANSWER_SIGNATURE call 3: the answer is no DSSE envelope"],
    [
      "its answer that is none",
      1,
      (call) => rewriteCall(call, "response", (value) => (value.ok = {})),
      "fail EXO_CHECK_FAILED call 1 is no exchange",
    ],
    [
      "its URL that is none",
      1,
      (call) => rewriteCall(call, "request", (value) => (value.url = "no URL")),
      "fail EXO_CHECK_FAILED call 1 is no exchange",
    ],
  ])("%s", async (_, index, change, message) => {
    expect(checkOf(await forged(index, change))).toBe(message);
    // Nor does it pass where nobody can verify the signature.
    expect(checkOf(await forged(index, change), null)).not.toContain("pass");
  });

  test("an answer that was swapped for another, its assurance along with it", async () => {
    const first = new Forge(bytes).json("host_call", 2);
    const swapped = await forged(1, (call) => {
      for (const name of ["response", "responseDigest", "assurance"]) call[name] = first[name];
    });
    expect(checkOf(swapped)).toBe('fail EXO_ANSWER_SIGNATURE call 1: the answer is signed for another "@method";req');
  });

  const resigned =
    (change: (base: string) => string): ((call: Loose) => void) =>
    (call) => {
      const { signed } = call.assurance;
      signed.base = change(signed.base);
      signed.signature = encodeBase64(signEd25519(bank.seed, encodeUtf8(signed.base)));
    };
  const edit =
    (from: string | RegExp, to: string): ((base: string) => string) =>
    (base) =>
      base.replace(from, to);
  const start = "fail EXO_ANSWER_SIGNATURE call 1: the answer";
  test.each<[string, (base: string) => string, string]>([
    [
      "that is an HMAC's",
      edit('alg="ed25519"', 'alg="hmac-sha256"'),
      `${start} is signed with hmac-sha256: whoever can verify an HMAC can also make one`,
    ],
    [
      "without the status",
      (base) => edit(/^.*\n/, "")(edit('("@status" ', "(")(base)),
      `${start} is signed without "@status"`,
    ],
    ["without its time", edit(`;created=${created}`, ""), `${start} is signed without created`],
    ["that had expired", edit(";keyid", `;expires=${created - 1};keyid`), `${start} has a signature that had expired`],
    [
      "from before the call",
      edit(`created=${created}`, `created=${created - 301}`),
      `${start} was signed before it was asked for`,
    ],
    ["from the future", edit(`created=${created}`, `created=${created + 3600}`), `${start} is signed for the future`],
    [
      "of another key by its name",
      edit('keyid="bank-2026"', 'keyid="bank-2025"'),
      `${start} is signed by another key than it names`,
    ],
    [
      "with a line that it does not list",
      edit('"@status": 200', '"@status": 200\n"x": y'),
      `${start} has a malformed signature base`,
    ],
  ])("a signature, by the counterparty's own key, %s", async (_, change, message) => {
    expect(checkOf(await forged(1, resigned(change)))).toBe(message);
  });

  test("a base that was replaced under the old signature", async () => {
    const replaced = await forged(1, (call) => {
      call.assurance.signed.base = call.assurance.signed.base.replace(";alg", ';tag="x";alg');
    });
    expect(checkOf(replaced)).toBe(`${start} has a signature that does not verify under the key bank-2026`);
  });

  test.each<[string, number, (call: Loose) => void]>([
    ["a clock that is signed", 0, (call) => (call.assurance = new Forge(bytes).json("host_call", 1).assurance)],
    [
      "a clock that is authenticated",
      0,
      (call) => (call.assurance = { tls: { spkiDigest: digestOf(new Uint8Array()) } }),
    ],
    ["a denial that is signed", 1, (call) => (call.outcome = "denied")],
  ])("%s", async (_, index, change) => {
    expect(checkOf(await forged(index, change))).toBe(
      `fail EXO_CHECK_FAILED call ${index} has an assurance that only an answer to http_request can have`,
    );
  });
});

test("a trust file binds counterparties to origins, and nobody else", () => {
  const issues = (list: readonly TrustedKey[]): string =>
    trustSchema
      .safeParse(withKeys(list))
      .error?.issues.map(({ message }) => message)
      .join("; ") ?? "";
  expect(issues([pinned(bank)])).toBe("");
  const unbound = "expected origins with every key of the role counterparty, and with no other";
  expect(issues([pinned(bank, { origins: undefined })])).toBe(unbound);
  expect(issues([pinned(bank, { role: "witness" })])).toBe(unbound);
  expect(issues([pinned(bank, { origins: [{ ...origin, host: "*.example.com" }] })])).toContain(
    "expected a lower-case host",
  );
});

test("a run that asked nobody has nothing to vouch for", async () => {
  const quiet = await openRig();
  const result = await quiet.pipeline.execute(draft("fs.remove", "elsewhere/x"));
  const denied = "bundle" in result ? result.bundle.bytes() : new Uint8Array();
  expect(checkOf(denied, quiet.trust)).toBe("not_applicable nothing was executed");
});

describe("a call that is disclosed alone", () => {
  const disclosed = (seq: number, against: Trust | null = trust): ReturnType<typeof verifyCall> =>
    verifyCall(discloseCall(rig.store, rig.ledger, intentId, seq), against === null ? {} : { trust: against });
  const answersOf = ({ checks }: ReturnType<typeof verifyCall>): string => {
    const { state = "", code = "", message = "" } = checks.find(({ id }) => id === "answers") ?? {};
    return `${state} ${code} ${message}`.replace("  ", " ");
  };

  test.each([
    [0, "1 local, 0 unauthenticated, 0 tls, 0 signed"],
    [1, "0 local, 0 unauthenticated, 0 tls, 1 signed"],
    [3, "0 local, 0 unauthenticated, 0 tls, 1 signed"],
    [4, "0 local, 1 unauthenticated, 0 tls, 0 signed"],
  ])("call %i has its answer's signature verified", (seq, counts) => {
    expect(answersOf(disclosed(seq))).toBe(`pass ${counts}`);
    expect(disclosed(seq).result).toBe("pass");
  });

  test("is not verified without the counterparty's key", () => {
    expect(answersOf(disclosed(1, withKeys([])))).toMatch(/^unable EXO_ANSWER_KEY /);
    expect(disclosed(1, withKeys([])).result).toBe("unable");
    expect(answersOf(disclosed(1, null))).toMatch(/^not_applicable .*are not verified without a trust file$/);
  });

  test("fails under another key of that id, and under one of this side", () => {
    const other = pinned(bank, { publicKey: encodeBase64(mallory.publicKey) });
    expect(answersOf(disclosed(1, withKeys([other])))).toMatch(/^fail EXO_ANSWER_SIGNATURE /);
    const ours = pinned(bank, { publicKey: encodeBase64(keys.runtime.publicKey) });
    expect(answersOf(disclosed(1, withKeys([ours])))).toMatch(/^fail EXO_TRUST /);
  });
});
