import type { CedarPolicy } from "../../contracts/policy-cedar.js";
import { ExoArmurError } from "../../errors.js";
import { type CedarRule, readAnnotations } from "./annotations.js";
import { declaredActions } from "./declared.js";
import type { CedarInstance, Entity, PolicyTexts, Prepared } from "./instance.js";
import { prelude } from "./prelude.js";
import { entityKey, type KnownEntities, withType } from "./request.js";
import { scanCedar } from "./scan.js";

/** How much one document may ask of Cedar, so that no policy can stop whoever checks a bundle (spec/policy-cedar.md). */
const compileBounds = { actions: 500, work: 20_000_000 } as const;

/** A Cedar policy ready to run. */
export type CompiledCedar = {
  readonly document: CedarPolicy;
  readonly engine: CedarInstance;
  /** Prelude and the author's own schema. */
  readonly schema: string;
  readonly texts: PolicyTexts;
  readonly rules: ReadonlyMap<string, CedarRule>;
  readonly actions: ReadonlySet<string>;
  readonly known: KnownEntities;
  readonly prepared: Prepared;
};

/**
 * Compiles a policy whose shape was validated. Refuses what Cedar refuses, what is not valid under the schema, its
 * warnings too, templates, a policy without an `@id` or with one that another has, annotations that are not known, a
 * schema that declares anything but actions, and whatever passes the bounds.
 *
 * @throws ExoArmurError EXO_SCHEMA with the JSON pointer in `place`, EXO_CEDAR_ENGINE.
 */
export function compileCedar(document: CedarPolicy, engine: CedarInstance): CompiledCedar {
  const schema = `${prelude}${document.cedarSchema}\n`;
  const actions = readSchema(document.cedarSchema, schema, engine);
  const { rules, texts } = readPolicies(document.policies, engine);
  // Cedar checks every policy anew for every action.
  const work = document.policies.length * actions.size;
  if (work > compileBounds.work) {
    fail("/policies", `expected at most ${compileBounds.work} characters times actions, got ${work}`);
  }
  const [problem] = engine.validate(schema, texts);
  if (problem !== undefined) fail("/policies", problem);
  const unfit = engine.entities(schema, (document.entities ?? []).map(withType));
  if (unfit !== undefined) fail("/entities", unfit);
  const known = new Map<string, Entity>((document.entities ?? []).map((one) => [entityKey(one.uid), one]));
  return { document, engine, schema, texts, rules, actions, known, prepared: engine.prepare(schema, texts) };
}

function readSchema(own: string, whole: string, engine: CedarInstance): ReadonlySet<string> {
  const statements = scanCedar(own);
  if (typeof statements === "string") return fail("/cedarSchema", statements);
  const other = statements.find(({ keyword }) => keyword !== "action");
  if (other !== undefined) return fail("/cedarSchema", `expected actions only, got ${other.keyword.slice(0, 100)}`);
  if (statements.some(({ isList }) => isList)) return fail("/cedarSchema", "expected one action in each statement");
  if (statements.length > compileBounds.actions) {
    return fail("/cedarSchema", `expected at most ${compileBounds.actions} actions, got ${statements.length}`);
  }
  const json = engine.schema(whole);
  if (typeof json === "string") return fail("/cedarSchema", json);
  const actions = declaredActions(json);
  return typeof actions === "string" ? fail("/cedarSchema", actions) : actions;
}

function readPolicies(text: string, engine: CedarInstance): { rules: Map<string, CedarRule>; texts: PolicyTexts } {
  const statements = scanCedar(text);
  if (typeof statements === "string") return fail("/policies", statements);
  const split = engine.split(text);
  if (typeof split === "string") return fail("/policies", split);
  if (split.templates > 0) fail("/policies", "expected policies only, got a template");
  const rules = new Map<string, CedarRule>();
  const texts = new Map<string, string>();
  for (const policy of split.policies) {
    const tree = engine.tree(policy);
    if (typeof tree === "string") return fail("/policies", tree);
    const rule = readAnnotations(tree.effect, tree.annotations ?? {});
    if (typeof rule === "string") return fail("/policies", rule);
    if (rules.has(rule.id)) fail("/policies", `the @id ${JSON.stringify(rule.id)} is used twice`);
    rules.set(rule.id, rule);
    texts.set(rule.id, policy);
  }
  return { rules, texts: Object.fromEntries(texts) };
}

function fail(pointer: string, message: string): never {
  throw new ExoArmurError("EXO_SCHEMA", `policy: ${pointer}: ${message.slice(0, 1000)}`, { pointer });
}
