import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseBearer, secretDigestOf } from "../../src/contracts/access.js";
import { type HomePaths, homePaths } from "../../src/home/paths.js";
import { createToken, listTokens, readToken, revokeToken } from "../../src/home/tokens.js";
import { seededEntropy, seededIds, type TestClock, testClock } from "../support/world.js";

let paths: HomePaths;
let clock: TestClock;

beforeEach(() => {
  paths = homePaths(mkdtempSync(join(tmpdir(), "exo-tokens-")));
  clock = testClock();
});
afterEach(() => rmSync(paths.home, { recursive: true, force: true }));

const make = async () =>
  await createToken(
    paths,
    { tenantId: "default", grant: { kind: "viewer" }, lifeMs: 1000 },
    { clock, ids: seededIds(clock, "tokens"), entropy: seededEntropy("tokens") },
  );

describe("tokens of a home", () => {
  it("a token is kept as a digest, for its owner's eyes", async () => {
    const { text, record } = await make();
    const file = join(paths.tokens, `${record.tokenId}.json`);
    const bearer = parseBearer(text);
    expect(bearer).toMatchObject({ kind: "token", id: record.tokenId });
    expect(record.secretDigest).toBe(secretDigestOf(bearer?.secret ?? new Uint8Array()));
    expect(readFileSync(file, "utf8")).not.toContain(text.slice(text.lastIndexOf("_") + 1));
    expect([statSync(file).mode & 0o777, statSync(paths.tokens).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(await readToken(paths, record.tokenId)).toEqual(record);
    expect(await listTokens(paths)).toEqual([record]);
  });

  it("revoking is for good, and a second time changes nothing", async () => {
    const { record } = await make();
    clock.advance(5);
    const revoked = await revokeToken(paths, record.tokenId, clock);
    expect(revoked).toEqual({ ...record, revokedAt: "2026-01-31T09:00:00.005Z" });
    clock.advance(5);
    expect(await revokeToken(paths, record.tokenId, clock)).toEqual(revoked);
    expect(await readToken(paths, record.tokenId)).toEqual(revoked);
  });

  it.each(["", "01KA4X6F7J2Z8Q0V5N3T9RBCDE", "../config", "..%2fconfig"])(
    "no token %j: none, EXO_TOKEN to revoke",
    async (id) => {
      expect(await readToken(paths, id)).toBeUndefined();
      await expect(revokeToken(paths, id, clock)).rejects.toMatchObject({ code: "EXO_TOKEN" });
      expect(await listTokens(paths)).toEqual([]);
    },
  );

  it("a file of another token under its name is refused", async () => {
    const { record } = await make();
    const other = "01KA4X6F7J2Z8Q0V5N3T9RBCDE";
    writeFileSync(join(paths.tokens, `${other}.json`), JSON.stringify(record));
    await expect(readToken(paths, other)).rejects.toMatchObject({ code: "EXO_TOKEN" });
  });

  it.each([
    ["{}", "EXO_SCHEMA"],
    ['{"schema":"exoarmur.token/v2"}', "EXO_SCHEMA_VERSION"],
    ["not json", "EXO_JSON_SYNTAX"],
  ])("a file that holds %j is refused with %s", async (content, code) => {
    const { record } = await make();
    writeFileSync(join(paths.tokens, `${record.tokenId}.json`), content);
    await expect(readToken(paths, record.tokenId)).rejects.toMatchObject({ code });
  });

  it("a link is not followed", async () => {
    const { record } = await make();
    const other = "01KA4X6F7J2Z8Q0V5N3T9RBCDE";
    symlinkSync(join(paths.tokens, `${record.tokenId}.json`), join(paths.tokens, `${other}.json`));
    await expect(readToken(paths, other)).rejects.toMatchObject({ code: "EXO_FILE" });
  });
});
