import { z } from "zod";
import { challengeSchema } from "../contracts/access.js";
import { approvalRequestSchema, previewSchema } from "../contracts/approval.js";
import { problemSchema, replies } from "../contracts/control.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { eventSchema } from "../contracts/event.js";
import { executionRecordSchema } from "../contracts/execution.js";
import { decisionSchema } from "../contracts/policy.js";
import { anyPolicySchema } from "../contracts/policy-cedar.js";
import { safetyVerdictSchema } from "../contracts/safety.js";
import type { Route } from "./route.js";

type Schema = Readonly<Record<string, unknown>>;

/** Named schemas met so far. */
type Schemas = Record<string, unknown>;

/** Contracts that the document names instead of repeating them. */
const named = z.registry<{ id: string }>();
for (const [id, schema] of Object.entries({
  ApprovalRequest: approvalRequestSchema,
  CanonicalEvent: eventSchema,
  Challenge: challengeSchema,
  Envelope: envelopeSchema,
  ExecutionRecord: executionRecordSchema,
  PolicyDecision: decisionSchema,
  PolicyDocument: anyPolicySchema,
  Preview: previewSchema,
  Problem: problemSchema,
  Result: replies.result,
  SafetyVerdict: safetyVerdictSchema,
})) {
  named.add(schema, { id });
}

/** The OpenAPI 3.1 document of a table of routes. */
export function openApiDocument(routes: readonly Route[]): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Schemas = {};
  for (const route of routes) {
    const methods = paths[route.path] ?? {};
    methods[route.method] = operationOf(route, schemas);
    paths[route.path] = methods;
  }
  return {
    openapi: "3.1.0",
    info: { title: "ExoArmur control plane", version: "v1", description: "spec/control-plane.md" },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

function operationOf(route: Route, schemas: Schemas): Schema {
  const { id, about, roles, tenancy, body, reply } = route;
  const content =
    "media" in reply
      ? { [reply.media]: {} }
      : { "application/json": { schema: schemaOf(reply.schema, "output", schemas) } };
  return {
    operationId: id,
    summary: about,
    ...(roles === "open" || roles === "signed" ? { security: [] } : {}),
    "x-exoarmur-roles": roles,
    "x-exoarmur-tenancy": tenancy,
    parameters: [...parametersOf(route.params, "path", schemas), ...parametersOf(route.query, "query", schemas)],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            description: `at most ${body.maxBytes} bytes`,
            content: { "application/json": { schema: schemaOf(body.schema, "input", schemas) } },
          },
        }),
    responses: {
      "2XX": { description: "done", content },
      default: {
        description: "refused",
        content: { "application/problem+json": { schema: schemaOf(problemSchema, "output", schemas) } },
      },
    },
  };
}

function parametersOf(schema: z.ZodType, place: "path" | "query", schemas: Schemas): Schema[] {
  const { properties = {}, required = [] } = schemaOf(schema, "input", schemas) as {
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

/** A contract as a JSON Schema; what it is named in it goes to `schemas`. */
function schemaOf(schema: z.ZodType, io: "input" | "output", schemas: Schemas): Schema {
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, {
    io,
    metadata: named,
    unrepresentable: "any",
    // Custom types stand for JSON of any content: any value, or any object when they refuse an array.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "custom" && !z.safeParse(zodSchema, []).success) jsonSchema.type = "object";
    },
  });
  const text = JSON.stringify(described).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/');
  const { $defs = {}, id, ...rest } = JSON.parse(text) as { $defs?: Schemas; id?: string };
  Object.assign(schemas, $defs);
  if (id === undefined) return rest;
  schemas[id] = rest;
  return { $ref: `#/components/schemas/${id}` };
}
