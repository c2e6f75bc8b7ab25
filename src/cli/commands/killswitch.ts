import { z } from "zod";
import { payloadTypes } from "../../contracts/dsse.js";
import { killSwitchOrder, signOrder } from "../../contracts/order.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { removeKillFile, writeKillFile } from "../../home/kill-file.js";
import { type Home, openHome } from "../../home/open.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { deliverOrder } from "../order-delivery.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { withProgress } from "../progress.js";
import { withSigningKey } from "../signing-key.js";

const answerMs = 10_000;

const stateSchema = z.object({
  global: z.boolean(),
  tenants: z.record(z.string(), z.boolean()),
  epoch: z.number(),
});

/**
 * `killswitch on`: writes the KILL file, which denies every start at once, then has the signed order recorded. With
 * `--tenant` only the order, since the file stops every tenant. EXO_ORDER*, withSigningKey's, EXO_TENANT_UNKNOWN.
 */
export async function switchOn(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  return await change(context, options, true);
}

/** `killswitch off`: has the order recorded, then removes the KILL file. Errors as switchOn. */
export async function switchOff(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  return await change(context, options, false);
}

async function change(context: CliContext, options: Options, on: boolean): Promise<ExitCode> {
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const tenantId = textOption(options, "tenant") ?? null;
  const isGlobal = tenantId === null;
  if (on && isGlobal) await writeKillFile(home.paths, `exoarmur killswitch on, process ${process.pid}`);
  const work = record(context, home, options, tenantId, on);
  const state = await withProgress(context, `kill switch ${on ? "on" : "off"}`, work).catch((error: unknown) => {
    if (!on || !isGlobal || !isExoArmurError(error)) throw error;
    const place = shownPath(context, home.paths.kill);
    const message = `${error.message}; the order is not recorded yet, but ${place} is in place and denies every start`;
    throw new ExoArmurError(error.code, message, error.place, { cause: error });
  });
  if (!on && isGlobal) await removeKillFile(home.paths);
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.kill-switch-state/v1", ...state, killFile: on && isGlobal });
    return exitCodes.done;
  }
  const rows = [
    ["kill switch", on ? "on" : "off", isGlobal ? "every tenant" : `tenant ${tenantId}`, `epoch ${state.epoch}`],
  ];
  if (on && isGlobal) rows.push(["KILL file", shownPath(context, home.paths.kill), "stays until killswitch off"]);
  if (!on && !isGlobal && state.global) rows.push(["still on", "the switch for every tenant"]);
  context.stdout(formatRows(rows));
  return exitCodes.done;
}

async function record(
  context: CliContext,
  home: Home,
  options: Options,
  tenantId: string | null,
  on: boolean,
): Promise<z.infer<typeof stateSchema>> {
  const order = killSwitchOrder(home.resolved.cellId, tenantId, on);
  const envelope = await withSigningKey(context, home, "operator", options, (key) =>
    signOrder(context, key, payloadTypes.killSwitch, order),
  );
  const answer = await deliverOrder(context, home.paths, envelope, { timeoutMs: answerMs, keep: on });
  const parsed = stateSchema.safeParse(answer);
  if (!parsed.success) throw new ExoArmurError("EXO_INTERNAL", "the owner's answer does not have the expected shape");
  return parsed.data;
}
