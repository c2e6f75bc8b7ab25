import { z } from "zod";
import { isUlid } from "../../canonical/ids.js";
import { formatTime } from "../../canonical/time.js";
import { payloadTypes } from "../../contracts/dsse.js";
import { signOrder } from "../../contracts/order.js";
import {
  type DroppableRole,
  droppableRoles,
  materialsDropOrderSchema,
  rolesOfIntent,
} from "../../contracts/retention.js";
import { ExoArmurError } from "../../errors.js";
import { hasBundleFile, removeBundleFile } from "../../home/bundles.js";
import { type Home, openHome } from "../../home/open.js";
import {
  chosenIntents,
  type DropChoice,
  type DropCounts,
  droppableOf,
  requireEnded,
} from "../../pipeline/retention.js";
import { hasFlag, type Options, textOption, textsOption, timeOption, type Work } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { isConfirmed } from "../operator.js";
import { deliverOrder } from "../order-delivery.js";
import { countOf, formatCount, formatRows, printJson, shownPath } from "../output.js";
import { withProgress } from "../progress.js";
import { withSigningKey } from "../signing-key.js";

const countsSchema = z.object({ intents: z.number(), materials: z.number(), bytes: z.number(), kept: z.number() });

const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000 };

/**
 * `materials drop`: has a signed order carried out that drops materials of ended intents (spec/retention.md). EXO_USAGE
 * for a choice that is none; EXO_CANCELLED when it is not confirmed; withSigningKey's, EXO_ORDER*, EXO_TENANT_UNKNOWN,
 * EXO_INTENT_UNKNOWN, EXO_MATERIAL_KEPT.
 */
export const dropMaterials: Work = async (context, intents, options) => {
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const choice = choiceOf(context, intents, options);
  const reason = textOption(options, "reason") ?? "";
  const planned = await plan(home, choice);
  const dryRun = hasFlag(options, "dryRun");
  const json = hasFlag(options, "json");
  if (!dryRun && planned.materials > 0) {
    const shown = formatRows([["will drop", ...cellsOf(planned), "for good"]]);
    if (json) context.stderr(shown);
    else context.stdout(shown);
    if (!(await isConfirmed(context, options, "drop"))) {
      throw new ExoArmurError("EXO_CANCELLED", "not confirmed; nothing was dropped");
    }
  }
  const counts = dryRun ? planned : await carryOut(context, home, choice, reason, options);
  const files = await bundleFiles(home, choice, !dryRun && hasFlag(options, "files"));
  if (json) {
    printJson(context, { schema: "exoarmur.materials-dropped/v1", dryRun, ...choice, reason, ...counts, ...files });
    return exitCodes.done;
  }
  const rows = [[dryRun ? "would drop" : "dropped", ...cellsOf(counts)]];
  if (counts.kept > 0) {
    rows.push(["kept", countOf(counts.kept, "material"), "the stored keys and values are held to them"]);
  }
  if (files.removed > 0) rows.push(["removed", countOf(files.removed, "bundle file")]);
  if (files.left > 0) {
    const place = shownPath(context, home.paths.bundles);
    rows.push(["still in files", countOf(files.left, "bundle file"), `in ${place}; --files removes them`]);
  }
  context.stdout(formatRows(rows));
  return exitCodes.done;
};

function cellsOf({ materials, intents, bytes }: DropCounts): string[] {
  return [countOf(materials, "material"), `of ${countOf(intents, "intent")}`, `${formatCount(bytes)} bytes`];
}

function choiceOf(context: CliContext, intents: readonly string[], options: Options): DropChoice {
  const span = textOption(options, "olderThan");
  const before = timeOption(options, "before");
  if (span !== undefined && before !== null) throw new ExoArmurError("EXO_USAGE", "give --older-than or --before");
  const endedBefore = span === undefined ? before : formatTime(context.clock.now() - spanOf(span));
  if (intents.length === 0 && endedBefore === null) {
    throw new ExoArmurError("EXO_USAGE", "name intents, or give --older-than or --before");
  }
  if (intents.length > 1000)
    throw new ExoArmurError("EXO_USAGE", `at most 1,000 intents at once, got ${intents.length}`);
  const wrong = intents.find((id) => !isUlid(id));
  if (wrong !== undefined) throw new ExoArmurError("EXO_USAGE", `${wrong.slice(0, 100)} is no intent's id`);
  return {
    tenantId: textOption(options, "tenant") ?? null,
    intentIds: intents.length === 0 ? null : [...intents],
    endedBefore,
    roles: rolesOf(textsOption(options, "role")),
  };
}

function rolesOf(names: readonly string[]): DroppableRole[] {
  const roles = droppableRoles.filter((role) => names.length === 0 || names.includes(role));
  const wrong = names.find((name) => !droppableRoles.some((role) => role === name));
  if (wrong !== undefined) {
    throw new ExoArmurError("EXO_USAGE", `--role ${wrong.slice(0, 100)}: expected one of ${droppableRoles.join(", ")}`);
  }
  const missing = roles.includes("intent") ? rolesOfIntent.filter((role) => !roles.includes(role)) : [];
  if (missing.length > 0) {
    throw new ExoArmurError("EXO_USAGE", `with --role intent go ${missing.join(", ")}, which show or need it`);
  }
  return roles;
}

/** A span such as 90d in milliseconds. EXO_USAGE. */
function spanOf(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,5})(d|h|min|s)$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? 0);
  if (ms > 0) return ms;
  throw new ExoArmurError(
    "EXO_USAGE",
    `--older-than expects a span such as 90d, 12h or 30min, got ${text.slice(0, 100)}`,
  );
}

/** What the choice comes to now, read beside the owner. */
async function plan(home: Home, choice: DropChoice): Promise<DropCounts> {
  return await withHomeView(home.paths.home, ({ store }) => {
    const counts = { intents: 0, materials: 0, bytes: 0, kept: 0 };
    for (const intentId of choice.intentIds ?? []) requireEnded(store, intentId, choice);
    for (const [, record] of chosenIntents(store, choice)) {
      const { droppable, kept } = droppableOf(store, record, choice);
      counts.kept += kept;
      if (droppable.length === 0) continue;
      counts.intents += 1;
      counts.materials += droppable.length;
      for (const { bytes } of droppable) counts.bytes += bytes;
    }
    return counts;
  });
}

async function carryOut(
  context: CliContext,
  home: Home,
  choice: DropChoice,
  reason: string,
  options: Options,
): Promise<DropCounts> {
  const schema = materialsDropOrderSchema.shape.schema.value;
  const order = { schema, cellId: home.resolved.cellId, ...choice, reason };
  const envelope = await withSigningKey(context, home, "operator", options, (key) =>
    signOrder(context, key, payloadTypes.materialsDrop, order),
  );
  const work = deliverOrder(context, home.paths, envelope);
  const answer = countsSchema.safeParse(await withProgress(context, "drop", work));
  if (!answer.success) throw new ExoArmurError("EXO_INTERNAL", "the owner's answer does not have the expected shape");
  return answer.data;
}

/** Bundle files in the home of the chosen intents from which something was dropped: removed, or counted. */
async function bundleFiles(
  home: Home,
  choice: DropChoice,
  remove: boolean,
): Promise<{ readonly removed: number; readonly left: number }> {
  const { paths } = home;
  const ids = await withHomeView(paths.home, ({ store }) =>
    [...chosenIntents(store, choice)]
      .map(([, { intentId, dropped = [] }]) => ({ intentId, dropped }))
      .filter(({ intentId, dropped }) => dropped.length > 0 && hasBundleFile(paths, intentId))
      .map(({ intentId }) => intentId),
  );
  if (!remove) return { removed: 0, left: ids.length };
  for (const intentId of ids) await removeBundleFile(paths, intentId);
  return { removed: ids.length, left: 0 };
}
