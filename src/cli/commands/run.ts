import { parseTime } from "../../canonical/time.js";
import { type IntentDraft, intentDraftSchema } from "../../contracts/intent.js";
import { targetOf } from "../../contracts/invocation.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { writeBundle } from "../../home/bundles.js";
import { parseDocument } from "../../home/document.js";
import { homePaths } from "../../home/paths.js";
import { keptIntent, readIntentRecord } from "../../pipeline/present.js";
import type { ExecutionResult } from "../../pipeline/types.js";
import { createRuntime, type Runtime } from "../../runtime.js";
import { hasFlag, type Options, textOption, textsOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, statusCodes } from "../exit-codes.js";
import { inputName, inputs, readInput, writeOutput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { createStderrLogger } from "../logging.js";
import { printJson, shellWord, shownPath } from "../output.js";
import { withProgress } from "../progress.js";
import { formatResult, type ResultFacts, resultDocument } from "../result-text.js";

const draftKind = { schema: intentDraftSchema, version: "exoarmur.intent/v1" };

/**
 * `run INTENT`: one intent through the pipeline, as the home's owner. EXO_JSON_*, EXO_SCHEMA for a malformed intent,
 * EXO_IDEMPOTENCY_CONFLICT, EXO_INTENT_REUSED, EXO_HOME_LOCKED, and what opening a home can throw.
 */
export async function run(context: CliContext, [path = "-"]: readonly string[], options: Options): Promise<ExitCode> {
  const bytes = await readInput(context, path, inputs.intent);
  const draft = await parseDocument(bytes, inputName(path), draftKind);
  const attestations: Uint8Array[] = [];
  for (const file of textsOption(options, "attestation")) {
    attestations.push(await readInput(context, file, inputs.attestation));
  }
  const dir = homeDir(context, textOption(options, "home"));
  const out = textOption(options, "out");
  const runtime = await openRuntime(context, dir);
  let result: ExecutionResult;
  let facts: ResultFacts;
  try {
    const started = { at: context.clock.now(), elapsed: context.elapsed() };
    const running = runtime.execute(bytes, { signal: context.signal, attestations });
    result = await withProgress(context, `running ${draft.action}`, noteInterrupt(context, running));
    const milliseconds = context.elapsed() - started.elapsed;
    const written = await writeResult(context, dir, result, out);
    facts = {
      ...factsOf(context, runtime, draft, dir),
      milliseconds,
      ...written,
      ...before(runtime, result, started.at),
    };
  } finally {
    await runtime.close();
  }
  if (hasFlag(options, "json")) {
    const intent = await withHomeView(dir, ({ store }) => keptIntent(store, readIntentRecord(store, result.intentId)));
    printJson(context, resultDocument(result, facts, intent));
  } else {
    context.stdout(formatResult(context, result, facts));
  }
  return statusCodes[result.status];
}

async function openRuntime(context: CliContext, home: string): Promise<Runtime> {
  try {
    const logger = createStderrLogger(context);
    const runtime = await createRuntime({
      home,
      clock: context.clock,
      entropy: context.entropy,
      logger,
      env: context.env,
    });
    for (const intentId of runtime.inDoubt) logger.log("warn", `intent ${intentId} is in doubt; see exoarmur resolve`);
    return runtime;
  } catch (error) {
    if (!isExoArmurError(error, "EXO_HOME_LOCKED")) throw error;
    const message = `${error.message}; hand the intent to that process, or run it once it has ended`;
    throw new ExoArmurError(error.code, message, error.place, { cause: error });
  }
}

/** Says what an interrupt means for a run that has started. */
async function noteInterrupt<T>(context: CliContext, running: Promise<T>): Promise<T> {
  try {
    return await running;
  } catch (error) {
    if (error === context.signal.reason) {
      context.stderr("interrupted; what has started goes on to its record, a second Ctrl-C leaves it in doubt\n");
    }
    throw error;
  }
}

async function writeResult(
  context: CliContext,
  dir: string,
  result: ExecutionResult,
  out: string | undefined,
): Promise<{ bundle: string | undefined }> {
  if (!("bundle" in result)) return { bundle: undefined };
  const bytes = result.bundle.bytes();
  const bundle = await writeBundle(homePaths(dir), result.intentId, bytes);
  if (out !== undefined) await writeOutput(context, out, bytes);
  return { bundle };
}

function factsOf(
  context: CliContext,
  runtime: Runtime,
  draft: IntentDraft,
  home: string,
): Pick<ResultFacts, "executor" | "target" | "actor" | "home" | "homeOption"> {
  const found = runtime.pipeline.executors.resolve(draft.action, draft.executor);
  const { name, version } = found.ok ? found.value.executor.manifest : { name: "", version: "" };
  const pointed = found.ok ? targetOf(found.value.fn, draft.parameters) : undefined;
  const isDefault = home === homeDir(context, undefined);
  return {
    executor: found.ok ? `${name}@${version} ${found.value.fn.name}` : undefined,
    target: draft.target ?? (pointed?.ok ? pointed.value : undefined),
    actor: typeof draft.actor === "string" ? draft.actor : draft.actor.id,
    home,
    homeOption: isDefault ? "" : ` --home ${shellWord(shownPath(context, home))}`,
  };
}

/** When the intent was received, if that was before this call: an idempotency key or intent id used again. */
function before(
  runtime: Runtime,
  { intentId }: ExecutionResult,
  startedAt: number,
): { recordedBefore: string | undefined } {
  const received = runtime.pipeline.trace(intentId)[0]?.recordedAt;
  return { recordedBefore: received !== undefined && parseTime(received) < startedAt ? received : undefined };
}
