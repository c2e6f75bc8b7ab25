import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ReplayReport } from "../../contracts/replay-report.js";
import { ExoArmurError } from "../../errors.js";
import type { SandboxHost } from "../../ports.js";
import { type AuditStore, storeAuditSource } from "../../replay/audit-source.js";
import { looksLikeReference } from "../../replay/reference-read.js";
import { ReplayEngine } from "../../replay/replay-engine.js";
import type { Story } from "../../replay/story/step.js";
import { tellStory } from "../../replay/story/story.js";
import { loadCedar } from "../../runtime/cedar.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import type { ExitCode } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { jobsOption } from "../jobs.js";
import { printJson } from "../output.js";
import { withProgress } from "../progress.js";
import { type Question, resultCodes } from "../replay-question.js";
import { formatReport } from "../replay-text.js";
import { withSandbox } from "../sandbox-use.js";
import { formatTimeline } from "../timeline-text.js";
import { readTrustOption } from "./verify.js";

/** What can be asked of a bundle instead of its plain replay, by the option that asks for it: the work, and the options it takes. */
const questions: Readonly<
  Record<string, { readonly load: () => Promise<Question>; readonly takes: readonly string[] }>
> = {
  answer: { load: async () => (await import("./replay-override.js")).printAnswer, takes: [] },
  attest: { load: async () => (await import("./replay-attest.js")).attest, takes: ["key", "out"] },
  checkAttestation: {
    load: async () => (await import("./replay-attest.js")).checkAttestations,
    takes: ["threshold"],
  },
  override: { load: async () => (await import("./replay-override.js")).replayOverride, takes: [] },
  verifiers: {
    load: async () => (await import("./replay-verifiers.js")).replayWithVerifiers,
    takes: ["key", "threshold", "timeout"],
  },
};

/**
 * `replay BUNDLE|CORRELATION-ID`, `replay --all`: an argument that is a path on disk, or looks like one, is a bundle; any
 * other is a correlation id of the home, whose trust file counts unless `--trust` names another. A file of events of
 * ExoArmur-Core is replayed in reference mode. Performs no side effect. EXO_USAGE unless exactly one of argument and
 * `--all` is given, and for options that do not go together.
 */
export async function replay(context: CliContext, [what]: readonly string[], options: Options): Promise<ExitCode> {
  const all = hasFlag(options, "all");
  if (all === (what !== undefined)) {
    throw new ExoArmurError("EXO_USAGE", "replay takes a bundle, a correlation id, or --all");
  }
  const file =
    what !== undefined && isBundle(context, what) ? await readInput(context, what, inputs.bundle) : undefined;
  const question = questionOf(file, options);
  if (question !== undefined && what !== undefined && file !== undefined) {
    return await (await question())(context, { path: what, bytes: file }, options);
  }
  if (isReference(what, file, options)) {
    const { replayReferenceFile } = await import("./replay-reference.js");
    return await replayReferenceFile(context, file, options);
  }
  const jobs = jobsOption(options);
  return await withSandbox(context, options, all ? jobs : 1, async (sandbox) => {
    if (what === undefined) {
      const { replayAll } = await import("./replay-all.js");
      return await withEngine(context, options, sandbox, (engine) =>
        replayAll(context, engine, { jobs, json: hasFlag(options, "json") }),
      );
    }
    const work = replayOne(context, file ?? what, options, sandbox);
    const { report, stories } = await withProgress(context, "replaying", work);
    if (hasFlag(options, "json")) printJson(context, report);
    else {
      const verbose = hasFlag(options, "verbose");
      for (const story of stories) context.stdout(`${formatTimeline(story, report.divergence, verbose)}\n`);
      context.stdout(formatReport(report));
    }
    return resultCodes[report.result];
  });
}

/** A report, and the stories of the actions that it is about. */
type Told = { readonly report: ReplayReport; readonly stories: readonly Story[] };

async function replayOne(
  context: CliContext,
  what: string | Uint8Array,
  options: Options,
  sandbox: SandboxHost,
): Promise<Told> {
  if (typeof what !== "string") {
    const trust = await readTrustOption(context, options);
    const engine = new ReplayEngine({ sandbox, cedar: loadCedar, ...(trust === undefined ? {} : { trust }) });
    return { report: await engine.replayBundle(what), stories: storiesOf([what]) };
  }
  return await withEngine(context, options, sandbox, async (engine, { bundle }) => {
    const report = await engine.replayCorrelation(what);
    const intents = new Set(report.checks.flatMap(({ intentId }) => intentId ?? []));
    return { report, stories: storiesOf([...intents].map((id) => bundle?.(id))) };
  });
}

function storiesOf(bundles: readonly (Uint8Array | undefined)[]): Story[] {
  return bundles.flatMap((bytes) => (bytes === undefined ? [] : (tellStory(bytes) ?? [])));
}

/** Does `work` with an engine over the home's records, under its trust file unless `--trust` names another. */
async function withEngine<T>(
  context: CliContext,
  options: Options,
  sandbox: SandboxHost,
  work: (engine: ReplayEngine, auditStore: AuditStore) => Promise<T>,
): Promise<T> {
  const given = await readTrustOption(context, options);
  return await withHomeView(homeDir(context, textOption(options, "home")), async ({ home, store, prover }) => {
    const auditStore = storeAuditSource(store, prover);
    const engine = new ReplayEngine({ trust: given ?? home.trust, sandbox, auditStore, cedar: loadCedar });
    return await work(engine, auditStore);
  });
}

/** The question that is asked of a bundle, if any. EXO_USAGE for two of them, for options that it does not take, and where there is no bundle. */
function questionOf(file: Uint8Array | undefined, options: Options): (() => Promise<Question>) | undefined {
  const given = (name: string): boolean => options[name] !== undefined;
  const [asked, second] = Object.keys(questions).filter(given);
  if (asked !== undefined && second !== undefined) {
    throw new ExoArmurError("EXO_USAGE", `${flagOf(asked)} and ${flagOf(second)} do not go together`);
  }
  const question = asked === undefined ? undefined : questions[asked];
  const lost = [...new Set(Object.values(questions).flatMap(({ takes }) => takes))].find(
    (option) => given(option) && question?.takes.includes(option) !== true,
  );
  if (lost !== undefined) {
    const takers = Object.entries(questions).flatMap(([name, { takes }]) => (takes.includes(lost) ? flagOf(name) : []));
    throw new ExoArmurError("EXO_USAGE", `${flagOf(lost)} is for ${takers.join(" and ")}`);
  }
  if (asked !== undefined && file === undefined)
    throw new ExoArmurError("EXO_USAGE", `${flagOf(asked)} takes a bundle`);
  return question?.load;
}

function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Reference mode: asked for, or what the file looks like. EXO_USAGE where its options have nothing to apply to. */
function isReference(what: string | undefined, file: Uint8Array | undefined, options: Options): file is Uint8Array {
  const asked = textOption(options, "mode") === "reference";
  if (asked && file === undefined) {
    throw new ExoArmurError("EXO_USAGE", `--mode reference replays a file of events, came ${what ?? "--all"}`);
  }
  const found = asked || (file !== undefined && looksLikeReference(file));
  if (!found && textOption(options, "correlation") !== undefined) {
    throw new ExoArmurError("EXO_USAGE", "--correlation is for a stream of ExoArmur-Core events");
  }
  return found;
}

function isBundle(context: CliContext, what: string): boolean {
  if (what === "-" || existsSync(resolve(context.cwd, what))) return true;
  if (!/[/\\]|\.jsonl?$/.test(what)) return false;
  throw new ExoArmurError("EXO_FILE", `${what} does not exist`, { file: resolve(context.cwd, what) });
}
