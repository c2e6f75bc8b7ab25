import { z } from "zod";
import { problemSchema } from "../contracts/control.js";
import type { Route } from "./route.js";

type Schema = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of a table of routes. */
export function openApiDocument(routes: readonly Route[]): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const methods = paths[route.path] ?? {};
    methods[route.method] = operationOf(route);
    paths[route.path] = methods;
  }
  return {
    openapi: "3.1.0",
    info: { title: "ExoArmur control plane", version: "v1", description: "spec/control-plane.md" },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Problem: schemaOf(problemSchema, "output") },
    },
  };
}

function operationOf(route: Route): Schema {
  const { id, about, roles, tenancy, body, reply } = route;
  const content =
    "media" in reply ? { [reply.media]: {} } : { "application/json": { schema: schemaOf(reply.schema, "output") } };
  return {
    operationId: id,
    summary: about,
    ...(roles === "open" ? { security: [] } : {}),
    "x-exoarmur-roles": roles,
    "x-exoarmur-tenancy": tenancy,
    parameters: [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            description: `at most ${body.maxBytes} bytes`,
            content: { "application/json": { schema: schemaOf(body.schema, "input") } },
          },
        }),
    responses: {
      "2XX": { description: "done", content },
      default: {
        description: "refused",
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

function parametersOf(schema: z.ZodType, place: "path" | "query"): Schema[] {
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    properties?: Record<string, Schema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, described]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: described,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    // Custom types stand for JSON of any content: any value, or any object when they refuse an array.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "custom" && !z.safeParse(zodSchema, []).success) jsonSchema.type = "object";
    },
  });
  return described;
}
