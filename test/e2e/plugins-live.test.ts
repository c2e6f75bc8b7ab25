import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withHomeView } from "../../src/cli/home-view.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import type { Runtime } from "../../src/runtime.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { near, ROOT, removeIntent, Shell, statsIntent } from "./cli.js";
import { built } from "./support/built.js";

let made: Shell;
let shell: Shell;
let runtime: Runtime;
let base: string;
/** Requests that wait for an answer. */
const held: ServerResponse[] = [];
const server = createServer((_request, response) => held.push(response));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  base = `http://127.0.0.1:${port}`;
  made = new Shell();
  await near(made, ["init"]);
  const allow = [
    { scheme: "http", host: "127.0.0.1", port, methods: ["GET"], pathPrefix: "/", networks: ["loopback"] },
  ];
  made.edit(".exoarmur/config.json", (config) => ({
    ...config,
    grants: { ...(config["grants"] as object), http: { http_request: { allow } } },
  }));
  made.edit(".exoarmur/policy.json", (policy) => ({
    ...policy,
    rules: [...(policy["rules"] as object[]), { id: "get", match: { action: "http.get" }, verdict: "allow" }],
  }));
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  made.remove();
});

beforeEach(async () => {
  shell = new Shell(made);
  runtime = await built.createRuntime({ home: shell.path(".exoarmur") });
});
afterEach(async () => {
  await runtime.close();
  shell.remove();
});

/** A folder with one of the shipped executors, under another version and, with `salt`, other bytes. */
function plugin(name: string, version: string, salt = false): string {
  rmSync(shell.path("next"), { recursive: true, force: true });
  cpSync(`${ROOT}/plugins/${name}.json`, shell.path("next", `${name}.json`));
  shell.edit(`next/${name}.json`, (manifest) => ({ ...manifest, version }));
  const wasm = readFileSync(`${ROOT}/plugins/${name}.wasm`);
  // A custom section: the same program, another digest.
  shell.write(`next/${name}.wasm`, salt ? Buffer.concat([wasm, Buffer.from([0, 2, 1, version.charCodeAt(0)])]) : wasm);
  return "next";
}

async function add(name: string, version: string, salt = false): Promise<void> {
  const ended = await near(shell, ["plugins", "add", plugin(name, version, salt)]);
  if (ended.code !== 0) throw new Error(ended.stderr);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const versionOf = (name: string): string | undefined =>
  runtime.pipeline.executors.list().find(({ manifest }) => manifest.name === name)?.manifest.version;

/** What a home's log says was admitted, in order. */
const admitted = async (): Promise<string[]> =>
  await withHomeView(shell.path(".exoarmur"), ({ store }) =>
    storedEvents(store, "default", "system")
      .map(readEvent)
      .filter(({ eventType }) => eventType === "plugin_admitted")
      .map(({ payload }) => `${String(payload["name"])}@${String(payload["version"])}`),
  );

/** Version of the executor that a bundle says ran, once the bundle has passed every check. */
function ranIn(result: ExecutionResult): string {
  if (result.status !== "executed") throw new Error(JSON.stringify(result));
  const report = verifyBundle(result.bundle.bytes(), { trust: runtime.trust });
  if (report.result !== "pass") throw new Error(JSON.stringify(report.checks.filter(({ state }) => state !== "pass")));
  return report.checks.find(({ id }) => id === "plugin")?.message.split(" ")[0] ?? "";
}

describe("the plugins folder of a running home", () => {
  it("takes up what is added, replaced and taken away, without a restart, and every admission is in the log", async () => {
    const get = { actor: "me", action: "http.get", parameters: { url: `${base}/x` } };
    expect(await runtime.execute(get)).toMatchObject({ status: "denied", reason: { code: "EXO_EXECUTOR_UNKNOWN" } });
    await add("http", "1.0.0");
    await until(() => versionOf("http") === "1.0.0");
    const first = runtime.execute(get);
    await until(() => held.length > 0);
    held.pop()?.end("one");
    expect(ranIn(await first)).toBe("http@1.0.0");

    await add("http", "2.0.0", true);
    await until(() => versionOf("http") === "2.0.0");
    const second = runtime.execute(get);
    await until(() => held.length > 0);
    held.pop()?.end("two");
    const ran = await second;
    expect(ranIn(ran)).toBe("http@2.0.0");

    rmSync(shell.path(".exoarmur/plugins/http.wasm"));
    rmSync(shell.path(".exoarmur/plugins/http.json"));
    await until(() => versionOf("http") === undefined);
    expect(await runtime.execute(get)).toMatchObject({ status: "denied", reason: { code: "EXO_EXECUTOR_UNKNOWN" } });
    expect(await runtime.execute(statsIntent)).toMatchObject({ status: "executed" });
    expect(await admitted()).toEqual(["fs@1.0.0", "table-stats@1.0.0", "http@1.0.0", "http@2.0.0"]);
    if (ran.status === "executed") expect((await runtime.replay(ran.bundle)).result).toBe("success");
  });

  it("a run that is under way keeps the version it started with, replaced or taken away", async () => {
    await add("http", "1.0.0");
    await until(() => versionOf("http") === "1.0.0");
    const get = { actor: "me", action: "http.get", parameters: { url: `${base}/slow` } };
    const before = runtime.execute(get);
    await until(() => held.length === 1);
    await add("http", "2.0.0", true);
    await until(() => versionOf("http") === "2.0.0");
    const after = runtime.execute(get);
    await until(() => held.length === 2);
    rmSync(shell.path(".exoarmur/plugins/http.json"));
    rmSync(shell.path(".exoarmur/plugins/http.wasm"));
    await until(() => versionOf("http") === undefined);
    for (const response of held.splice(0)) response.end("late");
    expect([ranIn(await before), ranIn(await after)]).toEqual(["http@1.0.0", "http@2.0.0"]);
  });

  it("what waits for a person is not run by another version", async () => {
    const asked = await runtime.execute(removeIntent);
    if (asked.status !== "approval_pending") return expect.fail(asked.status);
    await add("fs", "1.0.1", true);
    await until(() => versionOf("fs") === "1.0.1");
    const approved = await near(shell, ["approvals", "approve", asked.approval.requestId, "--yes", "--json"]);
    expect(approved.code).toBe(3);
    expect(JSON.parse(approved.stdout)).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_STALE" } });
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
  });

  it("a plugin that is not whole, or none, leaves the others alone and is told to intents that name it", async () => {
    shell.write(".exoarmur/plugins/table-stats.wasm", "no module");
    await until(() => versionOf("table-stats") === undefined);
    const named = await runtime.execute({ ...statsIntent, executor: "table-stats" });
    expect(named).toMatchObject({ status: "denied", reason: { code: "EXO_PLUGIN_REFUSED" } });
    expect(versionOf("fs")).toBe("1.0.0");
    await near(shell, ["plugins", "add", `${ROOT}/plugins/table-stats.json`]);
    await until(() => versionOf("table-stats") === "1.0.0");
    expect(await runtime.execute(statsIntent)).toMatchObject({ status: "executed" });
    // It came back as it was: nothing new was admitted.
    expect(await admitted()).toEqual(["fs@1.0.0", "table-stats@1.0.0"]);
  });

  it("closes with changes under way", async () => {
    await add("http", "1.0.0");
    await runtime.close();
    await expect(runtime.execute(statsIntent)).rejects.toMatchObject({ code: "EXO_CLOSED" });
  });
});
