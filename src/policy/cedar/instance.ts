import type { JsonValue } from "../../canonical/jcs.js";
import { ExoArmurError } from "../../errors.js";

/** A JSON object. */
export type Json = { readonly [key: string]: JsonValue };
type Failure = { readonly type: "failure"; readonly errors: readonly { readonly message: string }[] };
type PolicyProblem = { readonly policyId: string; readonly error: { readonly message: string } };

/** An entity by type and id, as Cedar's JSON writes it. */
export type EntityId = { readonly type: string; readonly id: string };

/** An entity with what is known of it. */
export type Entity = { readonly uid: EntityId; readonly attrs: Json; readonly parents: readonly EntityId[] };

/** What Cedar is asked: who does what to what, and what else is known. */
export type CedarRequest = {
  readonly principal: EntityId;
  readonly action: EntityId;
  readonly resource: EntityId;
  readonly context: Json;
  readonly entities: readonly Entity[];
};

/** Texts of policies by id. */
export type PolicyTexts = Readonly<Record<string, string>>;

/** A policy as Cedar's JSON writes it, as far as it is read here. */
export type PolicyTree = {
  readonly effect: "permit" | "forbid";
  readonly annotations?: Readonly<Record<string, string | null>>;
};

/** The functions of `@cedar-policy/cedar-wasm` that are used, whichever of its entries they come from. */
export type CedarModule = {
  getCedarLangVersion(): string;
  getCedarSDKVersion(): string;
  policySetTextToParts(
    text: string,
  ): { type: "success"; policies: readonly string[]; policy_templates: readonly string[] } | Failure;
  policyToJson(policy: string): { type: "success"; json: unknown } | Failure;
  schemaToJson(schema: string): { type: "success"; json: unknown } | Failure;
  validate(call: { schema: string; policies: never }):
    | {
        type: "success";
        validationErrors: readonly PolicyProblem[];
        validationWarnings: readonly PolicyProblem[];
        otherWarnings: readonly { readonly message: string }[];
      }
    | Failure;
  checkParseEntities(call: { schema: string; entities: never }): { type: "success" } | Failure;
  preparsePolicySet(id: string, policies: never): { type: "success" } | Failure;
  preparseSchema(id: string, schema: string): { type: "success" } | Failure;
  statefulIsAuthorized(call: never): Answer;
  isAuthorized(call: never): Answer;
};

type Answer =
  | {
      type: "success";
      response: {
        readonly decision: "allow" | "deny";
        readonly diagnostics: { readonly reason: readonly string[]; readonly errors: readonly PolicyProblem[] };
      };
    }
  | Failure;

/**
 * What Cedar answered. `refused`: the request is not one that the schema allows. Ids come in the order of their code
 * units; Cedar's own order differs from call to call, and so may its messages, which are for people and never hashed.
 */
export type CedarAnswer =
  | { readonly decision: "allow" | "deny"; readonly reasons: readonly string[]; readonly errors: readonly CedarError[] }
  | { readonly refused: string };

/** A policy that could not be evaluated, and Cedar's words about it. */
export type CedarError = { readonly id: string; readonly message: string };

/** A policy set and its schema, kept parsed in the engine. */
export type Prepared = { readonly ask: (request: CedarRequest) => CedarAnswer };

/** Policy sets that the engine keeps parsed. It forgets none by itself, so they take turns in as many places. */
const places = 8;

/**
 * One instance of Cedar's module, pure but for what it keeps parsed. A call that throws leaves the instance
 * unfit, so from then on every call fails: EXO_CEDAR_ENGINE.
 */
export class CedarInstance {
  /** Versions of the language and of the library, recorded in every decision. */
  readonly version: string;
  readonly #module: CedarModule;
  readonly #owners: (object | undefined)[] = new Array<undefined>(places).fill(undefined);
  #next = 0;
  #broken: string | undefined;

  constructor(module: CedarModule) {
    this.#module = module;
    this.version = this.#call(() => `${module.getCedarSDKVersion()} (language ${module.getCedarLangVersion()})`);
  }

  /** The policies of a text, in no order that means anything, or what is wrong with it. */
  split(text: string): { readonly policies: readonly string[]; readonly templates: number } | string {
    const found = this.#call(() => this.#module.policySetTextToParts(text));
    return found.type === "failure"
      ? firstOf(found)
      : { policies: found.policies, templates: found.policy_templates.length };
  }

  /** One policy as JSON, or what is wrong with it. Integers beyond 2^53 in it are not exact. */
  tree(policy: string): PolicyTree | string {
    const found = this.#call(() => this.#module.policyToJson(policy));
    return found.type === "failure" ? firstOf(found) : (found.json as PolicyTree);
  }

  /** A schema as JSON, or what is wrong with it. */
  schema(text: string): JsonValue | string {
    const found = this.#call(() => this.#module.schemaToJson(text));
    return found.type === "failure" ? firstOf(found) : (found.json as JsonValue);
  }

  /** What is wrong with policies under a schema: errors, then warnings, each sorted. Empty when nothing is. */
  validate(schema: string, policies: PolicyTexts): string[] {
    const found = this.#call(() => this.#module.validate({ schema, policies: { staticPolicies: policies } as never }));
    if (found.type === "failure") return [firstOf(found)];
    const sorted = (problems: readonly PolicyProblem[]) => problems.map(({ error }) => error.message).sort();
    const others = found.otherWarnings.map(({ message }) => message).sort();
    return [...sorted(found.validationErrors), ...sorted(found.validationWarnings), ...others];
  }

  /** What is wrong with entities under a schema, such as groups inside one another. */
  entities(schema: string, entities: readonly Entity[]): string | undefined {
    const found = this.#call(() => this.#module.checkParseEntities({ schema, entities: entities as never }));
    return found.type === "failure" ? firstOf(found) : undefined;
  }

  /** Parses policies and schema once for many requests. EXO_SCHEMA when they do not parse. */
  prepare(schema: string, policies: PolicyTexts): Prepared {
    const owner = {};
    const place = this.#next;
    this.#next = (place + 1) % places;
    const name = `exoarmur-${place}`;
    const take = (): void => {
      for (const parsed of [
        this.#call(() => this.#module.preparseSchema(name, schema)),
        this.#call(() => this.#module.preparsePolicySet(name, { staticPolicies: policies } as never)),
      ]) {
        if (parsed.type === "failure") throw new ExoArmurError("EXO_SCHEMA", `policy: Cedar: ${firstOf(parsed)}`);
      }
      this.#owners[place] = owner;
    };
    take();
    return {
      ask: (request) => {
        if (this.#owners[place] !== owner) take();
        const call = { ...request, preparsedSchemaName: name, preparsedPolicySetId: name, validateRequest: true };
        return answerOf(this.#call(() => this.#module.statefulIsAuthorized(call as never)));
      },
    };
  }

  /** Asks once, parsing everything for it. */
  askOnce(schema: string, policies: Readonly<Record<string, string | Json>>, request: CedarRequest): CedarAnswer {
    const call = { ...request, schema, policies: { staticPolicies: policies }, validateRequest: true };
    return answerOf(this.#call(() => this.#module.isAuthorized(call as never)));
  }

  #call<T>(run: () => T): T {
    if (this.#broken !== undefined) throw failed(this.#broken);
    try {
      return run();
    } catch (error) {
      this.#broken = error instanceof Error ? error.message : String(error);
      throw failed(this.#broken);
    }
  }
}

function answerOf(found: Answer): CedarAnswer {
  if (found.type === "failure") return { refused: firstOf(found) };
  const { decision, diagnostics } = found.response;
  const errors = diagnostics.errors.map(({ policyId, error }) => ({ id: policyId, message: error.message }));
  return {
    decision,
    reasons: [...diagnostics.reason].sort(),
    errors: errors.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function firstOf({ errors }: Failure): string {
  return (errors[0]?.message ?? "no reason given").slice(0, 1000);
}

function failed(why: string): ExoArmurError {
  return new ExoArmurError("EXO_CEDAR_ENGINE", `Cedar's engine failed and is not used any more: ${why.slice(0, 200)}`);
}
