import type { JsonValue } from "../../canonical/jcs.js";

/** Types that a parameter may have. An entity is none: a request does not say by itself what an entity is. */
const parameterTypes: ReadonlySet<string> = new Set([
  "String",
  "Long",
  "Bool",
  "Boolean",
  "decimal",
  "ipaddr",
  "datetime",
  "duration",
]);

const resources: ReadonlySet<string> = new Set(["Target", "Cell"]);

type Json = { readonly [key: string]: JsonValue };

/**
 * The actions a schema declares with what they take, read from its JSON form, or what is wrong with it: each that applies
 * to something takes an Actor, a Target or Cell, and a context of `request` and `parameters`.
 */
export function declaredActions(schema: JsonValue): ReadonlySet<string> | string {
  const actions = member(member(schema, ""), "actions") ?? {};
  const found = new Set<string>();
  for (const [name, action] of Object.entries(actions as Json)) {
    const applies = member(action, "appliesTo");
    const principals = namesOf(member(applies, "principalTypes"));
    const targets = namesOf(member(applies, "resourceTypes"));
    if (principals.length === 0 && targets.length === 0) continue;
    const wrong =
      principals.join() !== "Actor" || targets.length > resources.size || targets.some((type) => !resources.has(type))
        ? "expected it to apply to an Actor and a Target or Cell"
        : contextProblem(member(applies, "context"));
    if (wrong !== undefined) return `action ${JSON.stringify(name.slice(0, 200))}: ${wrong}`;
    found.add(name);
  }
  return found;
}

function contextProblem(context: JsonValue | undefined): string | undefined {
  const attributes = (member(context, "attributes") ?? {}) as Json;
  const { request, parameters, ...others } = attributes;
  const expected = "expected the context { request: Request, parameters: { ... } }";
  if (Object.keys(others).length > 0 || member(request, "name") !== "Request") return expected;
  if (member(request, "required") === false || member(parameters, "required") === false) return expected;
  if (member(parameters, "type") !== "Record") return expected;
  return typeProblem(parameters, "parameters");
}

/** What is wrong with a parameter's type; the text was scanned before, so it is nested no deeper than its brackets. */
function typeProblem(type: JsonValue | undefined, at: string): string | undefined {
  const kind = member(type, "type");
  if (kind === "Set") return typeProblem(member(type, "element"), at);
  if (kind === "Record") {
    for (const [name, one] of Object.entries((member(type, "attributes") ?? {}) as Json)) {
      const wrong = typeProblem(one, `${at}.${name}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  const written = member(type, "name") ?? kind;
  const name = typeof written === "string" ? written.replace(/^__cedar::/, "") : "unknown";
  return parameterTypes.has(name) ? undefined : `${at}: a parameter cannot be of the type ${name.slice(0, 100)}`;
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, name) ? (value as Json)[name] : undefined;
}

function namesOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
