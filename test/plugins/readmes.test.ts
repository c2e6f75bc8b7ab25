import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { decodeUtf8, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Deployment, ExecutionResult } from "../../src/pipeline/types.js";
import type { Performer } from "../../src/ports.js";
import { realPool } from "../support/real.js";
import { openRig, pluginAt, type Rig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

// The example of every executor's README: its grants and policy are good, and its intents give the outputs written below them.

const root = fileURLToPath(new URL("../../plugins/", import.meta.url));
/** Those in AssemblyScript, without the one that is for demonstrations. */
const executors = Object.keys(JSON.parse(readFileSync(join(root, "digests.json"), "utf8")) as object)
  .map((file) => file.replace(".wasm", ""))
  .filter((name) => name !== "spin");

const sandbox = realPool({ size: 1 });
const base = realpathSync(mkdtempSync(join(tmpdir(), "exo-readmes-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Stands for the API of an example: it keeps one order, and does as an endpoint API is told. */
const http_request: Performer = {
  perform: ({ method, url, body }) => {
    const sent = JSON.parse(decodeUtf8(body as Uint8Array) || "null") as Record<string, unknown> | null;
    const isolation = { endpoint: sent?.["endpoint"], isolated: (url as string).endsWith("/isolate") };
    const order = method === "GET" ? [{ id: 1, total: 19.9 }] : { id: 2, ...sent };
    const answer = (url as string).includes("/endpoints/") ? isolation : order;
    const status = answer !== isolation && method === "POST" ? 201 : 200;
    const headers = { "content-type": "application/json" };
    return { outcome: "ok", value: { status, headers, body: encodeUtf8(JSON.stringify(answer)) } };
  },
};

type Intent = { readonly action: string; readonly parameters: object };
type Example = { grants: Deployment["grants"]; rules: PolicyRule[]; files: string[]; steps: [Intent, unknown][] };

/** The blocks of a README: grants, rules, a file, and intents each with the output that follows. */
function exampleOf(name: string): Example {
  const text = readFileSync(join(root, name, "README.md"), "utf8");
  const example: Example = { grants: {}, rules: [], files: [], steps: [] };
  let intent: Intent | undefined;
  for (const [, kind, block = ""] of text.matchAll(/^```(json|csv)\n([\s\S]*?)^```$/gm)) {
    if (kind === "csv") example.files.push(block);
    else {
      const value = JSON.parse(block) as Record<string, unknown>;
      if ("grants" in value) example.grants = value["grants"] as Deployment["grants"];
      else if ("rules" in value) example.rules = value["rules"] as PolicyRule[];
      else if (intent !== undefined) {
        example.steps.push([intent, value]);
        intent = undefined;
      } else intent = value as unknown as Intent;
    }
  }
  expect([name, intent]).toEqual([name, undefined]);
  return example;
}

async function carryOut(rig: Rig, intent: Intent): Promise<ExecutionResult> {
  const result = await rig.pipeline.execute(intent as never);
  if (result.status !== "approval_pending") return result;
  return await rig.pipeline.decide(await grant(requestOf(result), "alice", keys.alice));
}

describe.each(executors)("plugins/%s/README.md", (name) => {
  test("its example is true", async () => {
    const { grants, rules, files, steps } = exampleOf(name);
    const data = join(base, name);
    mkdirSync(data);
    for (const text of files) writeFileSync(join(data, "orders.csv"), text);
    const performers = { http_request, ...createFsPerformers({ data: { path: data, access: "write" } }) };
    const rig = await openRig({ sandbox, performers, plugins: [pluginAt(`plugins/${name}`)], grants, rules });
    expect(steps.length).toBeGreaterThan(0);
    for (const [intent, output] of steps) {
      const result = await carryOut(rig, intent);
      expect([intent, "output" in result ? result.output : result]).toEqual([intent, output]);
    }
  });

  test("names every action of its manifest", () => {
    const text = readFileSync(join(root, name, "README.md"), "utf8");
    for (const { action } of pluginAt(`plugins/${name}`).manifest.functions) expect(text).toContain(`\`${action}\``);
  });
});
