import { ulidSource } from "../../canonical/ids.js";
import { parseTime } from "../../canonical/time.js";
import { type TokenGrant, type TokenRecord, tokenGrantSchema } from "../../contracts/access.js";
import { parseContract } from "../../contracts/common.js";
import { ExoArmurError } from "../../errors.js";
import { openHome } from "../../home/open.js";
import { createToken, listTokens, revokeToken } from "../../home/tokens.js";
import type { Clock } from "../../ports.js";
import { hasFlag, type Options, textOption, textsOption, type Work } from "../action.js";
import { homeDir } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { formatRows, formatTable, printJson } from "../output.js";

const schema = "exoarmur.tokens/v1";
const dayMs = 86_400_000;
const mostDays = 366;

/** `tokens new`: makes a token and prints it, once. EXO_USAGE, EXO_SCHEMA, EXO_TENANT_UNKNOWN, EXO_HOME_*, EXO_FILE. */
export const newToken: Work = async (context, _args, options) => {
  const { paths, resolved } = await openHome(homeDir(context, textOption(options, "home")), { write: true });
  const tenantId = textOption(options, "tenant") ?? resolved.tenantId;
  if (!resolved.tenants.includes(tenantId)) {
    throw new ExoArmurError("EXO_TENANT_UNKNOWN", `no tenant ${tenantId} in this cell`);
  }
  const { clock, entropy } = context;
  const ports = { clock, entropy, ids: ulidSource(clock, entropy) };
  const wanted = { tenantId, grant: readGrant(options), lifeMs: readDays(options) * dayMs };
  const { text, record } = await createToken(paths, wanted, ports);
  if (hasFlag(options, "json")) printJson(context, { schema, token: text, ...viewOf(record, clock) });
  else {
    context.stdout(`${text}\n`);
    context.stderr(formatRows([["token", ...describe(record, clock)]]));
  }
  return exitCodes.done;
};

/** `tokens list`: every token, oldest first. EXO_HOME_*, and what readToken throws. */
export const showTokens: Work = async (context, _args, options) => {
  const { paths } = await openHome(homeDir(context, textOption(options, "home")));
  const records = await listTokens(paths);
  if (hasFlag(options, "json")) {
    printJson(context, { schema, tokens: records.map((record) => viewOf(record, context.clock)) });
  } else if (records.length === 0) context.stdout("no tokens; make one with: exoarmur tokens new\n");
  else context.stdout(formatTable(records.map((record) => describe(record, context.clock))));
  return exitCodes.done;
};

/** `tokens revoke ID`: the token counts no more, from the next request on. EXO_TOKEN, EXO_HOME_*, EXO_FILE. */
export const endToken: Work = async (context, [id = ""], options) => {
  const { paths } = await openHome(homeDir(context, textOption(options, "home")), { write: true });
  const record = await revokeToken(paths, id, context.clock);
  if (hasFlag(options, "json")) printJson(context, { schema, ...viewOf(record, context.clock) });
  else context.stdout(formatRows([["revoked", record.tokenId, record.revokedAt ?? ""]]));
  return exitCodes.done;
};

function readGrant(options: Options): TokenGrant {
  if (hasFlag(options, "monitor")) return { kind: "monitor" };
  if (hasFlag(options, "viewer")) return { kind: "viewer" };
  const id = textOption(options, "actor");
  const actions = textsOption(options, "action");
  if (id === undefined || actions.length === 0) {
    throw new ExoArmurError(
      "EXO_USAGE",
      "an agent's token needs --actor and at least one --action; or give --viewer, or --monitor",
    );
  }
  const actor = { id, type: textOption(options, "type") ?? "agent" };
  return parseContract(tokenGrantSchema, { kind: "agent", actor, actions: [...actions] }, "token");
}

function readDays(options: Options): number {
  const text = textOption(options, "days") ?? "30";
  const days = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= mostDays) return days;
  throw new ExoArmurError("EXO_USAGE", `--days: expected 1 to ${mostDays}, got ${JSON.stringify(text.slice(0, 100))}`);
}

function stateOf({ revokedAt, expiresAt }: TokenRecord, clock: Clock): "revoked" | "expired" | "active" {
  if (revokedAt !== null) return "revoked";
  return parseTime(expiresAt) <= clock.now() ? "expired" : "active";
}

function viewOf(record: TokenRecord, clock: Clock): object {
  const { schema: _schema, secretDigest: _digest, ...shown } = record;
  return { ...shown, state: stateOf(record, clock) };
}

function describe(record: TokenRecord, clock: Clock): string[] {
  const { tokenId, tenantId, grant, expiresAt } = record;
  const what = grant.kind === "agent" ? [grant.actor.id, grant.actions.join(" ")] : [grant.kind, "reads"];
  const where = grant.kind === "monitor" ? "metrics of the cell" : `tenant ${tenantId}`;
  return [tokenId, where, ...what, `until ${expiresAt}`, stateOf(record, clock)];
}
