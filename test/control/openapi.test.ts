import { describe, expect, it } from "vitest";
import { openApi, routes } from "../../src/control/routes.js";

type Operation = {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: object;
};

const document = openApi() as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

describe("the OpenAPI document", () => {
  it("has every route once, its path's parameters, its body, and no security where it is open", () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(routes.map(({ id }) => id).sort());
    for (const { path, method, operation } of operations) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(operation.requestBody !== undefined).toBe(method === "post");
      const roles = routes.find(({ id }) => id === operation.operationId)?.roles;
      expect(operation.security).toEqual(typeof roles === "string" ? [] : undefined);
    }
  });

  it("every name in it is one of its own", () => {
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(routes.length);
    for (const name of new Set(names)) {
      expect(Object.keys(document.components.schemas)).toContain(name.replace("#/components/schemas/", ""));
    }
  });
});
