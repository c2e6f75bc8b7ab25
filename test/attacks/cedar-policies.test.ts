import { describe, expect, it } from "vitest";
import { isExoArmurError } from "../../src/errors.js";
import { programOf, schemaOf } from "../policy/cedar/support.js";
import { errorOf, subjectOf } from "../policy/helpers.js";

// A bundle brings its own policy, and whoever checks the bundle reads it. Cedar's reader and evaluator recurse, on a stack
// inside the module: a text nested deep enough ends the instance, and with it every later check. So what is hostile is
// refused before Cedar sees it, and what is let through is far from the edge.

const head = '@id("a") permit(principal, action, resource) when';
const plain = `${head} { true };`;

const probe = programOf(plain);

/** The engine still answers. */
function stillWorks(): void {
  expect(probe.evaluate(subjectOf()).verdict).toBe("allow");
}

/** Shapes that make something of Cedar's recurse, as deep as asked. */
const shapes: Readonly<Record<string, (depth: number) => string>> = {
  brackets: (n) => `{ ${"(".repeat(n)}true${")".repeat(n)} }`,
  sets: (n) => `{ ${"[".repeat(n)}1${"]".repeat(n)} == ${"[".repeat(n)}1${"]".repeat(n)} }`,
  records: (n) => `{ ${"{a:".repeat(n)}1${"}".repeat(n)} == ${"{a:".repeat(n)}1${"}".repeat(n)} }`,
  conjunctions: (n) =>
    `{ ${Array(n + 1)
      .fill('principal.type == "agent"')
      .join(" && ")} }`,
  disjunctions: (n) =>
    `{ ${Array(n + 1)
      .fill('principal.type == "x"')
      .join(" || ")} || true }`,
  sums: (n) =>
    `{ ${Array(n + 1)
      .fill("1")
      .join(" + ")} > 0 }`,
  products: (n) =>
    `{ ${Array(n + 1)
      .fill("1")
      .join(" * ")} > 0 }`,
  conditionals: (n) => `{ ${"if true then ".repeat(n)}true${" else false".repeat(n)} }`,
  alternatives: (n) => `{ ${'if principal.type == "x" then false else '.repeat(n)}true }`,
  conditions: (n) => Array(n).fill('{ principal.type == "agent" }').join(" when "),
};

describe("nesting beyond the bounds is refused, and the engine lives", () => {
  it.each(Object.keys(shapes).flatMap((shape) => [102, 400, 3000].map((depth) => [shape, depth] as const)))(
    "%s %i deep",
    (shape, depth) => {
      const error = errorOf(() => programOf(`${head} ${shapes[shape]?.(depth) ?? ""};`));
      expect(error.code).toBe("EXO_SCHEMA");
      expect(error.message).toMatch(/nested more than (?:32|100) deep/);
      stillWorks();
    },
  );

  it.each([
    [
      "a schema's records",
      `action "x" appliesTo { principal: Actor, resource: Cell, context: { request: Request, parameters: ${"{a: ".repeat(400)}Long${"}".repeat(400)} } };`,
    ],
    [
      "a schema's sets",
      `action "x" appliesTo { principal: Actor, resource: Cell, context: { request: Request, parameters: { a: ${"Set<".repeat(400)}Long${">".repeat(400)} } } };`,
    ],
    [
      "types that double",
      Array.from(
        { length: 40 },
        (_, at) => `type T${String(at)} = { a: T${String(at + 1)}, b: T${String(at + 1)} };`,
      ).join(""),
    ],
    [
      "a chain of groups",
      Array.from({ length: 900 }, (_, at) => `action a${String(at)} in [a${String(at + 1)}];`).join(""),
    ],
    [
      "a product of groups",
      `action ${Array.from({ length: 5000 }, (_, at) => `a${String(at)}`).join(", ")} in [b, c];`,
    ],
    [
      "a crowd of resources",
      `action "x" appliesTo { principal: Actor, resource: [${Array(2000).fill("Cell").join(", ")}], context: { request: Request, parameters: {} } };`,
    ],
  ])("%s", (_name, cedarSchema) => {
    expect(errorOf(() => programOf(plain, { cedarSchema })).code).toBe("EXO_SCHEMA");
    stillWorks();
  });

  it.each([
    ["too many policies", Array.from({ length: 1001 }, (_, at) => plain.replace('"a"', `"p${String(at)}"`)).join("")],
    ["too many signs", `${head} { ${"!".repeat(3000)}true };`],
    ["too many negations", `${head} { ${"-".repeat(3000)}1 == 1 };`],
    ["brackets behind a comment's end", `// \n${"(".repeat(3000)}`],
    [
      "brackets behind a string that looks open",
      `@id("\\\\") permit(principal, action, resource) when { ${"(".repeat(3000)}`,
    ],
  ])("%s", (_name, policies) => {
    expect(errorOf(() => programOf(policies)).code).toBe("EXO_SCHEMA");
    stillWorks();
  });

  it("policies too long for the actions they are checked for", () => {
    const actions = Array.from({ length: 400 }, (_, at) => `fs.a${String(at)}`);
    const policies = `${plain}${" ".repeat(60_000)}`;
    const error = errorOf(() => programOf(policies, { cedarSchema: schemaOf(actions) }));
    expect(error.message).toMatch(/expected at most 20000000 characters times actions/);
    stillWorks();
  });
});

describe("what is let through leaves room", () => {
  /** Depths just inside the bounds, alone and inside one another. */
  const inside: readonly (readonly [string, string])[] = [
    ...Object.entries(shapes).map(
      ([name, shape]) =>
        [
          name,
          shape(
            name === "brackets"
              ? 31
              : name === "sets" || name === "records"
                ? 30
                : name === "conditionals" || name === "alternatives"
                  ? 60
                  : 95,
          ),
        ] as const,
    ),
    ["a chain inside brackets", `{ ${"(".repeat(30)}${Array(38).fill("true").join(" && ")}${")".repeat(30)} }`],
    ["conditionals inside brackets", `{ ${"(if true then ".repeat(19)}true${" else false)".repeat(19)} }`],
    ["sums inside sets", `{ ${"[".repeat(29)}${Array(38).fill("1").join(" + ")}${"]".repeat(29)} != [] }`],
  ];
  it.each(inside)("%s", (_name, condition) => {
    const text = `${head} ${condition};`;
    try {
      expect(programOf(text).evaluate(subjectOf()).verdict).toBe("allow");
    } catch (error) {
      // Strict typing refuses some shapes; what matters is that Cedar came to an end with them.
      if (!isExoArmurError(error, "EXO_SCHEMA")) throw error;
    }
    stillWorks();
  });
});

it("the engine of these attacks was never broken", () => {
  expect(programOf(plain).evaluate(subjectOf()).verdict).toBe("allow");
});
