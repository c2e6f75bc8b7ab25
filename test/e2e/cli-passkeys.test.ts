import { existsSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { canonicalText } from "../../src/canonical/jcs.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { Envelope } from "../../src/contracts/dsse.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { postOrder } from "../../src/home/inbox.js";
import { homePaths } from "../../src/home/paths.js";
import { client, consolePlace, type Said, SoftPasskey } from "../support/passkey.js";
import { decision } from "../support/passkey-bundles.js";
import { errorOf, jsonOf, NearShell, removeIntent, type Shell, statsIntent } from "./cli.js";
import { built } from "./support/built.js";

const phone = new SoftPasskey("alice's phone", consolePlace);
const shownPlace = "passkey of console.example.com at https://console.example.com";

describe("passkeys at the terminal", () => {
  let made: Shell;
  let shell: Shell;

  const enter = async (entry: object, ...more: string[]) =>
    await shell.exo(["keys", "trust", "add", "-", ...more], { input: JSON.stringify(entry) });

  beforeAll(async () => {
    made = new NearShell();
    await made.exo(["init"]);
  });
  afterAll(() => made.remove());
  beforeEach(() => {
    shell = new NearShell(made);
  });
  afterEach(() => shell.remove());

  it("an entry that a browser made is entered, shown and listed, and ends as any other", async () => {
    const file = new URL("../vectors/passkey/chromium.json", import.meta.url);
    const { entry } = JSON.parse(readFileSync(file, "utf8")) as { entry: TrustedKey };
    expect((await enter(entry)).code).toBe(0);
    const added = await enter(phone.entry("alice-phone", { person: "alice" }));
    expect(added.stdout).toContain(`${phone.keyId}   always   ${shownPlace}; person alice\n`);
    const listed = await shell.exo(["keys", "list"]);
    expect(listed.stdout).toMatch(/trust\.json +- +approver +alice-phone +\w+ +passkey of .*, trusted always\n/);
    expect(listed.stdout).toContain(`alice-phone   ${phone.keyId}   ${shownPlace}, trusted always\n`);
    const { passkeys } = jsonOf(await shell.exo(["keys", "list", "--json"]));
    expect(passkeys).toEqual([
      { role: "approver", id: "alice", keyId: expect.any(String), from: null, until: null, passkey: entry.passkey },
      { role: "approver", id: "alice-phone", keyId: phone.keyId, from: null, until: null, passkey: phone.passkey },
    ]);
    const ended = await shell.exo(["keys", "trust", "end", phone.keyId, "--at", "7"]);
    expect(ended.stdout).toContain(`${phone.keyId}   until 7   ${shownPlace}; person alice\n`);
    expect((await shell.exo(["doctor"])).code).toBe(0);
  });

  it.each<[string, object, string]>([
    ["in another role", phone.entry("x", { role: "operator" }), "EXO_SCHEMA"],
    ["twice", phone.entry("alice-phone"), "EXO_TRUST"],
    ["with a key of the other kind", { ...phone.entry("x"), publicKey: `${"A".repeat(43)}=` }, "EXO_KEY"],
    ["with a key on no curve", { ...phone.entry("x"), publicKey: `Ag${"A".repeat(40)}AB` }, "EXO_KEY_REFUSED"],
    ["whose key is said to be no passkey's", { ...phone.entry("x"), passkey: undefined }, "EXO_KEY"],
    [
      "pinned to another site",
      { ...phone.entry("x"), passkey: { ...phone.passkey, origins: ["https://evil.example"] } },
      "EXO_SCHEMA",
    ],
  ])("one %s is refused, and the trust file stays as it was", async (_, entry, code) => {
    await enter(phone.entry("alice-phone"));
    const before = shell.read(".exoarmur/trust.json");
    const refused = await enter(entry, "--json");
    expect([refused.code, errorOf(refused)]).toEqual([1, code]);
    expect(shell.read(".exoarmur/trust.json")).toBe(before);
  });

  /** A request that alice's passkey may decide. */
  async function pending(): Promise<ApprovalRequest> {
    await enter(phone.entry("alice-phone", { person: "alice" }));
    const intentId = String(jsonOf(await shell.run(removeIntent, ["--json"]))["intentId"]);
    return jsonOf(await shell.exo(["approvals", "show", intentId, "--json"]))["request"] as ApprovalRequest;
  }

  const sign = (request: ApprovalRequest, change?: (said: Said) => void): Envelope =>
    phone.sign(decision(request, "alice", phone.keyId), change);

  it("a grant by one comes through the inbox, runs the action, and its bundle verifies offline", async () => {
    const request = await pending();
    const paths = homePaths(shell.path(".exoarmur"));
    const post = async (envelope: Envelope, id: string): Promise<void> =>
      await postOrder(paths, new TextEncoder().encode(canonicalText(envelope)), id);
    await post(sign(request, client("origin", "https://evil.example")), "phished");
    await shell.run(statsIntent);
    expect(shell.read(".exoarmur/inbox/phished.result.json")).toContain("EXO_PASSKEY");
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
    await post(sign(request), "signed");
    await shell.run(statsIntent);
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
    const bundle = `.exoarmur/bundles/${request.intentId}.proof.json`;
    for (const trust of [[], ["--trust", ".exoarmur/trust.json"]]) {
      const verified = await shell.exo(["verify", bundle, ...trust, "--json"]);
      expect([verified.code, jsonOf(verified)["result"]]).toEqual([0, "pass"]);
    }
    const replayed = await shell.exo(["replay", bundle, "--json"]);
    expect([replayed.code, jsonOf(replayed)["result"]]).toEqual([0, "success"]);
  });

  it("a grant by one is decided through the library, and a denial closes the request", async () => {
    const request = await pending();
    const runtime = await built.createRuntime({ home: shell.path(".exoarmur") });
    try {
      const deny = { decision: "deny", reason: "not today" } as const;
      const denial = phone.sign(decision(request, "alice", phone.keyId, deny));
      await expect(runtime.decide({ ...denial, signatures: sign(request).signatures })).rejects.toMatchObject({
        code: "EXO_PASSKEY",
      });
      expect(await runtime.decide(denial)).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    } finally {
      await runtime.close();
    }
  });
});
