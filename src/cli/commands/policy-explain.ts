import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type IntentDraft, intentDraftSchema } from "../../contracts/intent.js";
import { targetOf } from "../../contracts/invocation.js";
import type { ManifestFunction } from "../../contracts/manifest.js";
import { resolveManifest } from "../../contracts/manifest-draft.js";
import { isExoArmurError, type Refusal } from "../../errors.js";
import { parseDocument } from "../../home/document.js";
import { type Home, openHome } from "../../home/open.js";
import { readPlugins } from "../../home/plugins.js";
import { readIntentRecord } from "../../pipeline/present.js";
import { draftSubject } from "../../policy/draft.js";
import type { PolicyOutcome, PolicySubject } from "../../policy/evaluate.js";
import type { RuleExplanation } from "../../policy/explain.js";
import { compileProgram, type PolicyProgram } from "../../policy/program.js";
import { recordedSubject } from "../../policy/recorded.js";
import { recordedDecisions, recordedPolicy, usesCedar } from "../../replay/recorded-decisions.js";
import { loadCedar } from "../../runtime/cedar.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputName, inputs, readInput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { countOf, formatRows, formatTable, printJson } from "../output.js";
import { nameOf, type PolicyName, readPolicyOption } from "../policy/read-policy.js";

/** One decision explained. `recordedAt` is null for a draft's. `missing`: what could not be read of a recorded one. */
type Explained = {
  readonly recordedAt: string | null;
  readonly policy: PolicyName | null;
  readonly outcome: PolicyOutcome | null;
  readonly rules: readonly ExplainedRule[];
  readonly missing: Refusal | null;
};

type ExplainedRule = RuleExplanation & { readonly decides: boolean };

type Explanation = {
  readonly intentId: string | null;
  readonly decisions: readonly Explained[];
  readonly notes: readonly string[];
};

/**
 * `policy explain INTENT-ID|FILE.json|-`: how every rule answers for a recorded intent, from its recorded policy input
 * and policy, or for a draft under the home's policy; with `--policy` under that one. EXO_INTENT_UNKNOWN, EXO_HOME_*, the
 * errors of the files read. Exit 6 when a recorded decision cannot be read whole.
 */
export async function explain(
  context: CliContext,
  [what = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const isDraft = what === "-" || /[/\\]|\.json$/.test(what) || existsSync(resolve(context.cwd, what));
  const given = isDraft ? await explainDraft(context, what, options) : await explainRecorded(context, what, options);
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.policy-explanation/v1", ...given });
  else context.stdout(formatExplanation(given));
  return given.decisions.some(({ missing }) => missing !== null) ? exitCodes.unable : exitCodes.done;
}

function explainOne(recordedAt: string | null, program: PolicyProgram, subject: PolicySubject): Explained {
  const outcome = program.evaluate(subject);
  return {
    recordedAt,
    policy: nameOf(program.document),
    outcome,
    rules: program.explain(subject).map((rule) => ({ ...rule, decides: outcome.ruleIds.includes(rule.ruleId) })),
    missing: null,
  };
}

async function explainRecorded(context: CliContext, intentId: string, options: Options): Promise<Explanation> {
  const given = textOption(options, "policy");
  const home = textOption(options, "home");
  const candidate = given === undefined ? undefined : await readPolicyOption(context, given, home);
  return await withHomeView(homeDir(context, home), async ({ store }) => {
    const cedar = candidate === undefined && usesCedar(store) ? await loadCedar() : null;
    const record = readIntentRecord(store, intentId);
    const decisions = recordedDecisions(store, record).map(({ recordedAt, recorded, missing }): Explained => {
      if (missing !== undefined) return { recordedAt, policy: null, outcome: null, rules: [], missing };
      try {
        const policy = candidate ?? compileProgram(recordedPolicy(store, recorded.decision), cedar);
        return explainOne(recordedAt, policy, recordedSubject(recorded.intent, recorded.input));
      } catch (error) {
        if (!isExoArmurError(error)) throw error;
        const { code, message } = error;
        return { recordedAt, policy: null, outcome: null, rules: [], missing: { code, message } };
      }
    });
    const { reason, state } = record;
    const why = reason === null ? state : `${reason.code}: ${reason.message}`;
    return {
      intentId,
      decisions,
      notes: decisions.length === 0 ? [`refused before any policy was asked: ${why}`] : [],
    };
  });
}

async function explainDraft(context: CliContext, path: string, options: Options): Promise<Explanation> {
  const bytes = await readInput(context, path, inputs.intent);
  const draft = await parseDocument(bytes, inputName(path), {
    schema: intentDraftSchema,
    version: "exoarmur.intent/v1",
  });
  const homeOption = textOption(options, "home");
  const policy = await readPolicyOption(context, textOption(options, "policy"), homeOption);
  const home = await openHome(homeDir(context, homeOption));
  const found = await claimsOf(home, draft);
  const [only] = found;
  const claimed = found.length === 1 ? only : undefined;
  const notes =
    claimed === undefined
      ? [
          `${found.length === 0 ? "no executor claims" : "several executors claim"} ${draft.action}: denied before policy`,
        ]
      : [];
  const pointed = claimed === undefined ? undefined : targetOf(claimed.fn, draft.parameters);
  if (pointed?.ok === false) notes.push(`${pointed.error.message}: denied before policy`);
  const target = pointed?.ok ? pointed.value : undefined;
  if (pointed?.ok && draft.target !== undefined && draft.target !== target) {
    notes.push("the stated target is not the one its executor acts on: denied before policy");
  }
  const { tenantId, cellId } = home.resolved;
  const executor = claimed && { name: claimed.name, function: claimed.fn.name };
  const subject = draftSubject(draft, { tenantId, cellId, target, executor, effects: claimed?.fn.effects ?? null });
  return { intentId: null, decisions: [explainOne(null, policy, subject)], notes };
}

/** Functions of the home's plugins that claim a draft's action, by their manifests alone. */
async function claimsOf(home: Home, draft: IntentDraft): Promise<readonly { name: string; fn: ManifestFunction }[]> {
  const wanted = typeof draft.executor === "string" ? { name: draft.executor } : draft.executor;
  return (await readPlugins(home)).flatMap((plugin) => {
    if (plugin.problem !== undefined || (wanted !== undefined && wanted.name !== plugin.name)) return [];
    const manifest = resolveManifest(plugin.manifest, plugin.wasm);
    if (!manifest.ok) return [];
    return manifest.value.functions
      .filter((fn) => fn.action === draft.action && (wanted?.function ?? fn.name) === fn.name)
      .map((fn) => ({ name: plugin.name, fn }));
  });
}

function formatExplanation({ decisions, notes }: Explanation): string {
  return [...decisions.map(formatDecision), ...notes.map((note) => formatRows([["note", note]]))].join("\n");
}

function formatDecision({ recordedAt, policy, outcome, rules, missing }: Explained): string {
  if (missing !== null || outcome === null || policy === null) {
    return formatRows([["unable", recordedAt ?? "", `${missing?.code ?? ""}: ${missing?.message ?? ""}`]]);
  }
  const asked = rules.filter(
    ({ members, decides }) => decides || members.every(({ name, answer }) => name !== "/action" || answer === "yes"),
  );
  const table = asked.map(({ ruleId, verdict, answer, members, decides }) => [
    decides ? "decides" : "",
    ruleId,
    verdict,
    answer,
    members.map((member) => `${member.name} ${member.answer}`).join(", ") || "matches everything",
  ]);
  const isDefault = outcome.ruleIds[0] === "default";
  const others = rules.length - asked.length;
  return [
    formatRows([
      ["verdict", `${outcome.verdict} by ${outcome.ruleIds.join(", ")}`, outcome.rationale],
      ["policy", `${policy.policyId} version ${policy.version}`, policy.digest],
      recordedAt === null ? ["asked", "now, of a draft; nothing is recorded"] : ["recorded", recordedAt],
    ]),
    "\n",
    formatTable([...table, ...(isDefault ? [["decides", "default", "deny", "yes", "no rule matched"]] : [])]),
    others === 0 ? "" : `${countOf(others, "rule")} about other actions; --json has all\n`,
  ].join("");
}
