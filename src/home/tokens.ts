import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isUlid } from "../canonical/ids.js";
import { canonicalText } from "../canonical/jcs.js";
import { formatTime } from "../canonical/time.js";
import { formatBearer, secretDigestOf, type TokenGrant, type TokenRecord, tokenSchema } from "../contracts/access.js";
import { ExoArmurError } from "../errors.js";
import type { Clock, Entropy, IdSource } from "../ports.js";
import { readBounded, syncFolder, writeAtomic } from "./atomic.js";
import { parseDocument } from "./document.js";
import { errnoOf, type HomePaths, writeFault } from "./paths.js";

const maxTokenBytes = 65_536;
const tokenKind = { schema: tokenSchema, version: tokenSchema.shape.schema.value };

/** What a new token is for. `lifeMs` is how long it counts, in milliseconds. */
export type NewToken = { readonly tenantId: string; readonly grant: TokenGrant; readonly lifeMs: number };

/**
 * Makes a bearer token: `tokens/ID.json` with a digest of its secret, 0600. The text, which nothing else keeps, is what
 * its holder sends. EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function createToken(
  paths: HomePaths,
  { tenantId, grant, lifeMs }: NewToken,
  ports: { readonly clock: Clock; readonly ids: IdSource; readonly entropy: Entropy },
): Promise<{ readonly text: string; readonly record: TokenRecord }> {
  const now = ports.clock.now();
  const secret = ports.entropy.bytes(32);
  const tokenId = ports.ids.next();
  const record: TokenRecord = {
    schema: "exoarmur.token/v1",
    tokenId,
    tenantId,
    grant,
    secretDigest: secretDigestOf(secret),
    createdAt: formatTime(now),
    expiresAt: formatTime(now + lifeMs),
    revokedAt: null,
  };
  try {
    const made = await mkdir(paths.tokens, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(paths.home);
  } catch (error) {
    throw writeFault(error, paths.tokens);
  }
  await writeToken(paths, record);
  return { text: formatBearer({ kind: "token", id: tokenId, secret }), record };
}

/**
 * A token's record as it is on disk now, so that one that was revoked counts no more at once; undefined when there is
 * none. EXO_TOKEN, EXO_FILE, EXO_JSON_*, EXO_SCHEMA for a file that is not that token's.
 */
export async function readToken(paths: HomePaths, tokenId: string): Promise<TokenRecord | undefined> {
  if (!isUlid(tokenId)) return undefined;
  const file = tokenFile(paths, tokenId);
  const read = await readBounded(file, { maxBytes: maxTokenBytes, follow: false });
  if (read === undefined) return undefined;
  const record = await parseDocument(read.bytes, file, tokenKind);
  if (record.tokenId === tokenId) return record;
  throw new ExoArmurError("EXO_TOKEN", `${file} holds the token ${record.tokenId}`, { file });
}

/** Every token, oldest first. Errors as readToken. */
export async function listTokens(paths: HomePaths): Promise<TokenRecord[]> {
  const names = await readdir(paths.tokens).catch((error: unknown): string[] => {
    if (errnoOf(error) === "ENOENT") return [];
    throw new ExoArmurError("EXO_FILE", `${paths.tokens} could not be read`, { file: paths.tokens });
  });
  const ids = names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
  const records: TokenRecord[] = [];
  for (const id of ids.filter(isUlid).sort()) {
    const record = await readToken(paths, id);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** Revokes a token; one that is revoked stays so as it was. EXO_TOKEN when there is none, and what readToken throws. */
export async function revokeToken(paths: HomePaths, tokenId: string, clock: Clock): Promise<TokenRecord> {
  const record = await readToken(paths, tokenId);
  if (record === undefined) throw new ExoArmurError("EXO_TOKEN", `no token has the id ${tokenId.slice(0, 100)}`);
  if (record.revokedAt !== null) return record;
  const revoked = { ...record, revokedAt: formatTime(clock.now()) };
  await writeToken(paths, revoked);
  return revoked;
}

async function writeToken(paths: HomePaths, record: TokenRecord): Promise<void> {
  await writeAtomic(tokenFile(paths, record.tokenId), `${canonicalText(record)}\n`, 0o600);
}

function tokenFile({ tokens }: HomePaths, tokenId: string): string {
  return join(tokens, `${tokenId}.json`);
}
