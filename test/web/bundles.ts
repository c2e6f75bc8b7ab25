import type { PolicyRule } from "../../src/contracts/policy.js";
import type { SandboxHost, SandboxOutcome } from "../../src/ports.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { draft, openRig, type Plugin, pluginAt, type Rig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const rules: readonly PolicyRule[] = [
  { id: "any-test", match: { action: ["demo.*", "test.*"] }, verdict: "allow" },
  {
    id: "remove-needs-a-person",
    match: { action: "fs.remove" },
    verdict: "require_approval",
    rationale: "deleting cannot be undone",
  },
  { id: "files", match: { action: ["fs.*", "table.*"], target: { under: "data" } }, verdict: "allow" },
];

const bounded = (path: string, fuel: number): Plugin =>
  pluginAt(path, (manifest) => ({ ...manifest, limits: { fuel } }));

type Action = readonly [action: string, path: string, parameters?: object];

/** Actions of the test bundles by name. */
const actions = {
  executed: ["fs.read", "data/orders.csv"],
  written: ["fs.write", "data/new.txt", { text: "hello" }],
  stats: ["table.stats", "data/orders.csv"],
  guestError: ["test.guest-error", "x"],
  trapped: ["test.trap", "x"],
  looped: ["test.loop", "x"],
  grown: ["test.memory-bomb", "x"],
  called: ["test.many-calls", "x"],
  nan: ["test.nan", "x"],
  echoed: ["test.echo", "x"],
  denied: ["fs.read", "secrets/x"],
} as const satisfies Record<string, Action>;

export type BundleName = keyof typeof actions | "approved";

/** Bundles that the real runtime made, with real workers, by name. The same in every run. */
export async function makeWebBundles(sandbox: SandboxHost): Promise<{ rig: Rig; bytes: Map<BundleName, Uint8Array> }> {
  const disk = new FakeDisk();
  const rig = await openRig({
    sandbox,
    rules,
    disk,
    performers: { ...disk.performers, log: { perform: () => ({ outcome: "ok", value: {} }) } },
    plugins: [
      pluginAt("plugins/fs"),
      pluginAt("plugins/table-stats"),
      bounded("test/fixtures/guest-error", 1_000_000),
      bounded("test/fixtures/trap", 1_000_000),
      bounded("test/fixtures/loop", 200_000_000),
      bounded("test/fixtures/memory-bomb", 500_000_000),
      bounded("test/fixtures/many-calls", 10_000_000),
      bounded("test/fixtures/nan", 1_000_000),
      bounded("test/fixtures/echo", 1_000_000),
    ],
    grants: {
      fs: {
        fs_read: { roots: ["data"] },
        fs_write: { roots: ["data"] },
        fs_list: { roots: ["data"] },
        fs_remove: { roots: ["data"] },
      },
      "table-stats": { fs_read: { roots: ["data"] } },
      "many-calls": { log: {} },
    },
  });
  rig.disk.files.set("data/orders.csv", "order,region,amount\n1,north,10.5\n2,south,20\n3,north,7\n4,east,1\n");
  const bytes = new Map<BundleName, Uint8Array>();
  for (const [name, [action, path, parameters]] of Object.entries(actions) as [BundleName, Action][]) {
    rig.clock.advance(1000);
    const result = await rig.pipeline.execute(
      draft(action, path, { parameters: parameters ?? {}, correlationId: name }),
    );
    bytes.set(name, bundleOf(rig, result.intentId));
  }
  const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { correlationId: "approved" }));
  rig.clock.advance(60_000);
  await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
  bytes.set("approved", bundleOf(rig, pending.intentId));
  return { rig, bytes };
}

function bundleOf(rig: Rig, intentId: string): Uint8Array {
  const bundle = rig.pipeline.bundle(intentId);
  if (bundle === undefined) throw new Error(`intent ${intentId} has no bundle`);
  return bundle.bytes();
}

/** A bundle of a runtime that lies: it never ran its plugin and says how it ended. */
export async function claimed(
  plugin: Plugin,
  action: string,
  outcome: SandboxOutcome,
  path = "x",
): Promise<Uint8Array> {
  const sandbox: SandboxHost = {
    run: () => Promise.resolve(outcome),
    load: () => ({ running: 0, queued: 0, size: 1, queueBound: 1 }),
    engine: "none",
    close: () => Promise.resolve(),
  };
  const rig = await openRig({ sandbox, rules, plugins: [plugin] });
  const result = await rig.pipeline.execute(draft(action, path));
  return bundleOf(rig, result.intentId);
}

/** Names of the test bundles. */
export const bundleNames: readonly BundleName[] = [...(Object.keys(actions) as (keyof typeof actions)[]), "approved"];

/** What a page that takes text for HTML would run. */
export const scriptText = `"><script>alert(1)</script><img src=https://exo.invalid/x onerror=alert(2)>`;

/** A bundle with such text wherever a bundle can hold words. */
export async function scriptedBundle(sandbox: SandboxHost): Promise<Uint8Array> {
  const rig = await openRig({
    sandbox,
    rules: [
      {
        id: `rule ${scriptText}`,
        match: { action: "fs.read" },
        verdict: "require_approval",
        rationale: scriptText,
      },
    ],
    plugins: [pluginAt("plugins/fs")],
  });
  const path = `data/${scriptText.replaceAll("/", "\u2215")}`;
  rig.disk.files.set(path, scriptText);
  const pending = await rig.pipeline.execute(
    draft("fs.read", path, {
      actor: { id: scriptText, type: "agent" },
      correlationId: scriptText,
      idempotencyKey: scriptText,
      context: { [scriptText]: scriptText },
    }),
  );
  await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice, { reason: scriptText }));
  return bundleOf(rig, pending.intentId);
}
