import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine, type WasmModule } from "./engine.js";
import { importNames, MockHost } from "./mock-host.js";

// The programs in the SDK's README, compiled as they stand there and run.

const readme = readFileSync(new URL("../../plugins/sdk/README.md", import.meta.url), "utf8");
const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, program = ""]) => program);
let module: WasmModule;

beforeAll(async () => {
  const { compilePlugin } = (await import("../../scripts/build-plugins.mjs" as string)) as {
    compilePlugin: (entry: string, text: string) => Promise<Uint8Array>;
  };
  // One module for both, since the compiler takes long: the lines that import, each once, and then the rest.
  const lines = programs.join("").split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  const rest = lines.filter((line) => !line.startsWith("import "));
  const text = [...new Set(imports), ...rest].join("\n");
  module = new engine.Module(await compilePlugin("plugins/readme/assembly/index.ts", text));
}, 120_000);

describe("plugins/sdk/README.md", () => {
  test("has two programs, which import the capabilities they use", () => {
    expect(programs).toHaveLength(2);
    expect(importNames(module).filter((name) => name.startsWith("extism:host/user/"))).toEqual([
      "extism:host/user/fs_read",
      "extism:host/user/http_request",
    ]);
  });

  test("size", () => {
    const host = new MockHost();
    host.files.set("data/a", new Uint8Array(7));
    const run = (input: string): unknown => host.run(module, "size", input);
    expect(run('{"path":"data/a"}')).toMatchObject({ code: 0, text: '{"size":7}' });
    expect(run("{}")).toMatchObject({ code: 1, error: 'parameter "path" is missing' });
    expect(run('{"path":"data/b"}')).toMatchObject({ code: 1, error: "EXO_FS_NOT_FOUND: There is no such file." });
  });

  test("post", () => {
    let status = 201;
    const host = new MockHost({
      http_request: ({ body }) => ({ status, headers: {}, body: body as Uint8Array }),
    });
    const run = (): unknown => host.run(module, "post", '{"url":"https://a.example/","order":{"b":1,"a":2}}');
    expect(run()).toMatchObject({ code: 0, text: '{"a":2,"b":1}' });
    expect(host.calls[0]?.request).toMatchObject({
      method: "POST",
      headers: { authorization: "Bearer {{secret:ORDERS_TOKEN}}", "content-type": "application/json" },
    });
    status = 500;
    expect(run()).toMatchObject({ code: 1, error: "expected status 201 and JSON, got status 500" });
  });
});
