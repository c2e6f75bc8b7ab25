import { beforeEach, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { resolveManifest } from "../../src/contracts/manifest-draft.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import { draft, endOf, fsPlugin, openRig, type Plugin, type Rig, signedPlugin } from "../support/rig.js";
import { keys, trusted, usualKeys } from "../support/world.js";

const old = keys.publisher;
const read = draft("fs.read", "data/orders.csv");

const codeOf = async (rig: Rig, plugin: Plugin): Promise<string> => {
  const added = await rig.add(plugin);
  return added.ok ? "admitted" : `${added.error.code}: ${added.error.message}`;
};

const admissions = (rig: Rig): unknown[] =>
  storedEvents(rig.store, "default", "system")
    .map(readEvent)
    .filter(({ eventType }) => eventType === "plugin_admitted");

describe("plugins where signatures are required", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig({
      trustKeys: [
        ...usualKeys,
        trusted("publisher", "acme", old),
        trusted("approver", "acme", keys.mallory),
        trusted("publisher", "other", keys.bob),
      ],
      requireSignatures: true,
      plugins: [],
    });
  });

  const wrong: readonly (readonly [what: string, code: RegExp, make: () => Promise<Plugin> | Plugin])[] = [
    ["without a signature", /^EXO_PLUGIN_UNSIGNED: fs: .*exoarmur plugins sign$/, () => fsPlugin()],
    [
      "that names a publisher and is not signed",
      /^EXO_PLUGIN_UNSIGNED/,
      () => ({ ...fsPlugin(), manifest: { ...fsPlugin().manifest, publisher: "acme" } }),
    ],
    ["signed by nobody known", /^EXO_TRUST: .*no trusted key has the id/, () => signedPlugin(fsPlugin(), keys.carol)],
    [
      "signed by an approver who has the publisher's name",
      /^EXO_TRUST: .*no trusted key has the id/,
      () => signedPlugin(fsPlugin(), keys.mallory),
    ],
    [
      "signed by another publisher",
      /^EXO_TRUST: .*no trusted key has the id/,
      () => signedPlugin(fsPlugin(), keys.bob),
    ],
    [
      "of a publisher without a key",
      /^EXO_TRUST: fs: no key of the publisher nobody is trusted now$/,
      () => signedPlugin(fsPlugin(), old, "nobody"),
    ],
    [
      "whose manifest was changed after signing",
      /^EXO_PLUGIN_SIGNATURE: fs: the manifest signed is sha256:.*, this is sha256:/,
      async () => {
        const plugin = await signedPlugin(fsPlugin(), old);
        return { ...plugin, manifest: { ...plugin.manifest, limits: { fuel: 2_000_000_000 } } };
      },
    ],
    [
      "whose module was changed after signing",
      /^EXO_PLUGIN_SIGNATURE: fs: the module signed is sha256:.*, this is sha256:/,
      async () => ({ ...(await signedPlugin(fsPlugin(), old)), wasm: fsPlugin({ filler: 1 }).wasm }),
    ],
    [
      "with the signature of another plugin",
      /^EXO_PLUGIN_SIGNATURE: fs: the signature is of kv$/,
      async () => {
        const { manifest, wasm } = fsPlugin();
        const other = await signedPlugin({ manifest: { ...manifest, name: "kv" }, wasm }, old);
        return { ...(await signedPlugin(fsPlugin(), old)), signed: other.signed as Envelope };
      },
    ],
    [
      "signed twice by one key",
      /^EXO_ENVELOPE: fs: key [0-9a-f]{32} signs twice$/,
      async () => {
        const plugin = await signedPlugin(fsPlugin(), old);
        const signed = plugin.signed as Envelope;
        return { ...plugin, signed: { ...signed, signatures: [...signed.signatures, ...signed.signatures] } };
      },
    ],
    [
      "signed as something else",
      /^EXO_ENVELOPE: fs: expected payload type application\/vnd\.exoarmur\.executor\+json/,
      async () => {
        const plugin = await signedPlugin(fsPlugin(), old);
        const resolved = resolveManifest(plugin.manifest, plugin.wasm);
        if (!resolved.ok) throw new Error("no manifest");
        return { ...plugin, signed: await signEnvelope(payloadTypes.policy, canonicalize(resolved.value), old) };
      },
    ],
    [
      "whose signature is of other bytes",
      /^EXO_SIGNATURE: fs: the signature by key/,
      async () => {
        const plugin = await signedPlugin(fsPlugin(), old);
        const other = await signEnvelope(payloadTypes.manifest, canonicalize({}), old);
        return { ...plugin, signed: { ...(plugin.signed as Envelope), signatures: other.signatures } };
      },
    ],
    [
      "signed, by a manifest that names no publisher",
      /^EXO_PLUGIN_SIGNATURE: fs: it is signed, and its manifest names no publisher$/,
      async () => {
        const { manifest, wasm } = fsPlugin();
        const resolved = resolveManifest(manifest, wasm);
        if (!resolved.ok) throw new Error("no manifest");
        return { manifest, wasm, signed: await signEnvelope(payloadTypes.manifest, canonicalize(resolved.value), old) };
      },
    ],
  ];
  it.each(wrong)("a plugin %s is refused, runs nothing and leaves no admission", async (_, code, make) => {
    expect(await codeOf(rig, await make())).toMatch(code);
    expect(endOf(await rig.pipeline.execute(read))).toBe("denied EXO_EXECUTOR_UNKNOWN");
    expect(endOf(await rig.pipeline.execute({ ...(read as object), executor: "fs" } as never))).toBe(
      "denied EXO_PLUGIN_REFUSED",
    );
    expect(admissions(rig)).toEqual([]);
  });
});
