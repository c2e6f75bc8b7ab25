import { canonicalize } from "../../src/canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { SandboxHost } from "../../src/ports.js";
import { cedarOf, engine, schemaOf } from "../policy/cedar/support.js";
import { draft, openRig, pluginAt, type Rig } from "../support/rig.js";
import { keys } from "../support/world.js";

/** Loads the engine of the tests. */
export const loadCedar = () => Promise.resolve(engine);

/**
 * A bundle whose decision was made under Cedar, by the real runtime. Its policy is as deep as one may be: the stack that
 * this takes in a browser's worker is another than Node's.
 */
export async function makeCedarBundle(sandbox: SandboxHost): Promise<{ rig: Rig; bytes: Uint8Array }> {
  const rig = await openRig({ sandbox, cedar: loadCedar, plugins: [pluginAt("plugins/fs")] });
  const deep = `${"(".repeat(31)}${Array(30).fill('principal.type == "agent"').join(" && ")} && false${")".repeat(31)}`;
  const policy = cedarOf(
    `@id("read") permit(principal, action == Action::"fs.read", resource in Target::"data") when { context.parameters.path like "*.csv" };
     @id("deep") forbid(principal, action, resource) when { ${deep} || principal.type == "nobody" };`,
    { version: 2, cedarSchema: schemaOf(["fs.read"], "path: String") },
  );
  await rig.pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, canonicalize(policy), keys.author));
  const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
  return { rig, bytes: rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array() };
}
