/**
 * Passkeys in Chromium, with its virtual authenticator in place of a device (spec/approval.md, Passkeys): the console's
 * own functions make one and sign with it, our check and another verifier of WebAuthn read what comes. Takes ten seconds.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { openGrant } from "../../src/approval/check.js";
import { digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import type { Challenge } from "../../src/contracts/access.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { Envelope } from "../../src/contracts/dsse.js";
import { envelopeKeyOf, type PasskeyKey } from "../../src/contracts/passkey.js";
import { entryKeyId, type TrustedKey, trustSchema } from "../../src/contracts/trust.js";
import { refusedKeyOf } from "../../src/contracts/trust-admission.js";
import { Authenticator } from "../../src/control/authenticator.js";
import { defaultLimits } from "../../src/control/desk.js";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import { request as plainRequest, trustOf, unwrap } from "../approval/helpers.js";
import { Forge } from "../support/forge.js";
import { askLibrary, client } from "../support/passkey.js";
import { byPasskey, passkeyBundles } from "../support/passkey-bundles.js";
import { seededEntropy, seededIds } from "../support/world.js";
import { passkeyServer, virtualAuthenticator } from "../web/passkey-page.js";
import {
  artifacts,
  browsers,
  chromiumBrowser,
  fileIn,
  hasBrowser,
  pageUrl,
  scratchFolder,
  watch,
} from "../web/support.js";

type Entry = TrustedKey & { readonly passkey: NonNullable<TrustedKey["passkey"]> };

/** What `passkeys` of the page may be asked, and what it answers: its value, or the name, code and words of its error. */
type Answer = { readonly value?: unknown; readonly error?: string };

async function ask(page: Page | Frame, name: string, ...values: readonly unknown[]): Promise<Answer> {
  return await page.evaluate(
    async ([fn, given]) => {
      type Functions = Record<string, (...args: unknown[]) => Promise<unknown>>;
      const { passkeys } = globalThis as unknown as { passkeys: Functions };
      try {
        return { value: await passkeys[fn]?.(...given) };
      } catch (error) {
        const { name: kind, code, message } = error as { name: string; code: unknown; message: string };
        return { error: `${kind} ${String(code)}: ${message}` };
      }
    },
    [name, values] as [string, unknown[]],
  );
}

/** A request whose roster has a passkey, open now. */
function requestFor(entry: TrustedKey): ApprovalRequest {
  return {
    ...plainRequest,
    roster: [{ id: entry.id, keyIds: [entryKeyId(entry)], roles: ["approver"] }],
    threshold: 1,
    verdict: "require_approval",
    requestedAt: formatTime(Date.now() - 60_000),
    expiresAt: formatTime(Date.now() + 3_600_000),
  };
}

function keyOfEntry({ publicKey, passkey }: Entry): PasskeyKey {
  return envelopeKeyOf(decodeBase64(publicKey) ?? new Uint8Array(0), passkey) as PasskeyKey;
}

describe.skipIf(!hasBrowser(browsers.chromium, "chromium"))("passkeys in Chromium", () => {
  const browser = chromiumBrowser();
  const server = passkeyServer();
  const folder = scratchFolder();

  async function open(name: string, path = "/") {
    const page = await browser().newPage();
    await page.goto(`${server().origin(name)}${path}`);
    return { page, ...(await virtualAuthenticator(page)) };
  }

  async function enrol(page: Page, rpId: string): Promise<Entry> {
    const { value, error } = await ask(page, "createPasskey", { rpId, user: { id: "alice" } });
    expect(error).toBeUndefined();
    return value as Entry;
  }

  test("one is made, approves and denies, and both verifiers read what it says", async () => {
    const { page } = await open("console");
    const entry = await enrol(page, "console.localhost");
    expect(entry.passkey).toMatchObject({ rpId: "console.localhost", origins: [server().origin("console")] });
    expect(refusedKeyOf(trustSchema.parse(trustOf(entry)))).toBeUndefined();
    const request = requestFor(entry);
    const recorded: Envelope[] = [];
    for (const choice of [{ decision: "approve" }, { decision: "deny", reason: "not today" }]) {
      const { value, error } = await ask(page, "signGrantWithPasskey", request, choice, entry);
      expect(error).toBeUndefined();
      const envelope = value as Envelope;
      const { grant } = unwrap(openGrant(envelope, [keyOfEntry(entry)]));
      expect(grant).toMatchObject({ ...choice, requestDigest: digestOfJson(request) });
      expect(await askLibrary(envelope, keyOfEntry(entry))).toBe("ok");
      recorded.push(envelope);
    }
    const [approve, deny] = recorded;
    const swapped = { ...approve, payload: deny?.payload } as Envelope;
    expect(openGrant(swapped, [keyOfEntry(entry)])).toMatchObject({ error: { code: "EXO_PASSKEY" } });
    mkdirSync(artifacts, { recursive: true });
    const version = `Chromium ${browser().version()}`;
    writeFileSync(
      join(artifacts, "passkey.json"),
      `${JSON.stringify({ version, entry, request, approve, deny }, null, 1)}\n`,
    );
    await page.close();
  });

  test("one opens a session of the control plane that served the page, and of no other", async () => {
    const { page } = await open("console");
    const entry = await enrol(page, "console.localhost");
    const clock = { now: () => Date.now() };
    const auth = new Authenticator({
      clock,
      entropy: seededEntropy("passkey login"),
      ids: seededIds(clock, "passkey login"),
      logger: { log: () => undefined },
      trust: trustOf(entry),
      cellId: "local",
      logSize: () => 0,
      findToken: async () => undefined,
      limits: defaultLimits,
    });
    const audience = server().origin("console");
    const challenge = auth.challenge(entryKeyId(entry), "approver", audience);
    const { value, error } = await ask(page, "signChallengeWithPasskey", challenge, entry);
    expect(error).toBeUndefined();
    const opened = auth.open(value as Envelope, audience);
    expect(opened.proven).toBe(true);
    if (opened.proven) expect(opened.session).toMatchObject({ id: "alice", role: "approver" });
    const elsewhere: Challenge = auth.challenge(entryKeyId(entry), "approver", server().origin("evil"));
    expect((await ask(page, "signChallengeWithPasskey", elsewhere, entry)).error).toContain("EXO_AUTHENTICATION");
    const operator = auth.challenge(entryKeyId(entry), "operator", audience);
    expect((await ask(page, "signChallengeWithPasskey", operator, entry)).error).toContain("EXO_AUTHENTICATION");
    await page.close();
  });

  test("one signs nothing while its person is not verified", async () => {
    const { page, verified } = await open("console");
    const entry = await enrol(page, "console.localhost");
    await verified(false);
    const { error } = await ask(page, "signGrantWithPasskey", requestFor(entry), { decision: "approve" }, entry);
    expect(error).toMatch(/^NotAllowedError /);
    await page.close();
  });

  test("another site cannot ask for it, and what its own passkey says counts nowhere", async () => {
    const { page } = await open("console");
    const entry = await enrol(page, "console.localhost");
    const request = requestFor(entry);
    await page.goto(`${server().origin("evil")}/`);
    const asked = await ask(page, "signGrantWithPasskey", request, { decision: "approve" }, entry);
    expect(asked.error).toMatch(/^SecurityError /);
    const own = await enrol(page, "evil.localhost");
    const phished = { ...entry, passkey: own.passkey };
    const { error } = await ask(page, "signGrantWithPasskey", request, { decision: "approve" }, phished);
    expect(error).toContain("EXO_SIGNATURE");
    const { value } = await ask(page, "signGrantWithPasskey", requestFor(own), { decision: "approve" }, own);
    const key = { ...keyOfEntry(own), rpId: entry.passkey.rpId, origins: entry.passkey.origins };
    expect(openGrant(value as Envelope, [key])).toMatchObject({
      error: { code: "EXO_PASSKEY", message: expect.stringContaining(`got "${server().origin("evil")}"`) },
    });
    await page.close();
  });

  test("a page in another site's frame gets an assertion that says so, and is refused", async () => {
    const { page } = await open("console");
    const entry = await enrol(page, "console.localhost");
    await page.goto(`${server().origin("evil")}/?frame=${encodeURIComponent(`${server().origin("console")}/`)}`);
    const frame = page.frames().find((one) => one.url().startsWith(server().origin("console")));
    if (frame === undefined) throw new Error("no frame");
    await frame.waitForFunction(() => "passkeys" in globalThis);
    const { error } = await ask(frame, "signGrantWithPasskey", requestFor(entry), { decision: "approve" }, entry);
    expect(error).toContain("EXO_PASSKEY: expected crossOrigin false, got true");
    await page.close();
  });

  test("the page that verifies reads a passkey's decision offline, and refuses one of another origin", async () => {
    const { denied, trust, deniedRequest } = await passkeyBundles();
    const forge = new Forge(denied);
    const deny = { decision: "deny", reason: "not today" } as const;
    const phished = byPasskey(deniedRequest, "carol", client("origin", "https://evil.example"), deny);
    await forge.set("approval_grant", canonicalize(phished));
    for (const [name, bytes, word, line] of [
      ["honest", denied, "Pass", "denied by carol"],
      ["phished", await forge.pack(), "Fail", "expected an origin of https://console.example.com"],
    ] as const) {
      const page = await browser().newPage();
      const seen = watch(page);
      await page.goto(pageUrl);
      await page.setInputFiles("#trust-file", fileIn(folder, "trust.json", JSON.stringify(trust)));
      await page.setInputFiles("#bundle-file", fileIn(folder, `${name}.proof.json`, bytes));
      await page.locator(".facts dd:first-of-type", { hasText: `${name}.proof.json,` }).waitFor();
      await page.waitForSelector(".verdict:not(.checking)");
      expect([await page.textContent("#verdict"), await page.textContent("body")]).toEqual([
        word,
        expect.stringContaining(line),
      ]);
      expect(seen).toEqual([]);
      await page.close();
    }
  });

  test("no decision is signed that the request does not take", async () => {
    const { page } = await open("console");
    const entry = await enrol(page, "console.localhost");
    const request = requestFor(entry);
    const past = { ...request, expiresAt: request.requestedAt };
    for (const [given, choice, code] of [
      [request, { decision: "deny" }, "EXO_APPROVAL_REASON"],
      [past, { decision: "approve" }, "EXO_APPROVAL_EXPIRED"],
      [{ ...request, roster: plainRequest.roster }, { decision: "approve" }, "EXO_APPROVAL_APPROVER"],
    ] as const) {
      expect((await ask(page, "signGrantWithPasskey", given, choice, entry)).error).toContain(code);
    }
    await page.close();
  });
});
