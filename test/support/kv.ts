import { placeOf, spaceOf } from "../../src/capabilities/kv/places.js";
import { KeyValueView } from "../../src/capabilities/kv/view.js";
import type { CapabilityName } from "../../src/contracts/imports.js";
import type { Constraints, ManifestDraft } from "../../src/contracts/manifest.js";
import { decodeUtf8, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Deployment } from "../../src/pipeline/types.js";
import type { AbiValue, StoreReader } from "../../src/ports.js";
import { type FakeGuest, FakeSandbox, guestError, type Script } from "./fake-sandbox.js";
import { agent, openRig, type Plugin, type Rig, type RigOptions, stubModule } from "./rig.js";

/** One call of a scripted guest: `["put", key, text, expect?]`, `["get", key]`, `["fail"]`, `["write", path]` ... */
export type Op = readonly [name: string, ...rest: (string | number)[]];

const kvNames = ["kv_get", "kv_put", "kv_delete", "kv_list"] as const;

/** An executor over a stub whose functions `write`, `read` and `none` carry out a list of operations. */
export function kvPlugin(name = "kv", change: (draft: ManifestDraft) => ManifestDraft = (draft) => draft): Plugin {
  const functions = (["write", "read", "none"] as const).map((effects) => ({
    name: effects,
    action: `${name}.${effects}`,
    effects,
    target: "/path",
  }));
  return {
    manifest: change({
      schema: "exoarmur.executor/v1",
      name,
      version: "1.0.0",
      functions,
      capabilities: [...kvNames, "fs_write" as const].map((capability) => ({ name: capability })),
    }),
    wasm: stubModule(["write", "read", "none"]),
  };
}

const requests: Readonly<Record<string, (...rest: (string | number)[]) => [CapabilityName, AbiValue]>> = {
  get: (key = "") => ["kv_get", { key }],
  put: (key = "", text = "", expect) => [
    "kv_put",
    { key, value: encodeUtf8(String(text)), ...(expect === undefined ? {} : { expect }) },
  ],
  delete: (key = "", expect) => ["kv_delete", { key, ...(expect === undefined ? {} : { expect }) }],
  list: (prefix = "", after, limit) => [
    "kv_list",
    {
      prefix,
      ...(after === undefined || after === "" ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    },
  ],
  write: (path = "") => ["fs_write", { path, bytes: encodeUtf8(String(path)), mode: "replace" }],
};

/** What a guest saw of one call: the answer's ok map, with bytes as text, or its error code. */
export type Seen = { readonly [name: string]: unknown } | string;

async function carryOut(guest: FakeGuest): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const [name, ...rest] of JSON.parse(guest.parameters["ops"] ?? "[]") as Op[]) {
    if (name === "fail") throw guestError(String(rest[0] ?? "as asked"));
    const request = requests[name]?.(...rest);
    if (request === undefined) throw new Error(`no operation ${name}`);
    const { ok, error } = await guest.call(...request);
    if (error !== undefined) seen.push(error.code);
    else {
      const value = { ...(ok as { [name: string]: AbiValue }) };
      for (const [member, held] of Object.entries(value)) {
        if (held instanceof Uint8Array) value[member] = decodeUtf8(held) ?? "";
      }
      seen.push(value);
    }
  }
  return seen;
}

/** Scripts of `kvPlugin`. `before` runs at the start of every guest. */
export function kvScripts(before: (guest: FakeGuest) => Promise<void> = async () => undefined): Record<string, Script> {
  const script: Script = async (guest) => {
    await before(guest);
    return await carryOut(guest);
  };
  return { write: script, read: script, none: script };
}

/** Grants of every key, and of files under data, to these executors. */
export function kvGrants(names: readonly string[], constraints: Constraints = {}): Deployment["grants"] {
  const all = Object.fromEntries(kvNames.map((name) => [name, { prefixes: [""], ...constraints }]));
  return Object.fromEntries(names.map((name) => [name, { ...all, fs_write: { roots: ["data"] } }]));
}

/** A rig with the executors `kv` and `other`, which may do everything with their own keys. */
export async function kvRig(options: RigOptions = {}): Promise<Rig> {
  return await openRig({
    sandbox: new FakeSandbox(kvScripts()),
    plugins: [kvPlugin("kv"), kvPlugin("other")],
    grants: kvGrants(["kv", "other"]),
    rules: [{ id: "all", match: {}, verdict: "allow" }],
    ...options,
  });
}

/** An intent draft that carries these operations out. */
export function kvDraft(
  ops: readonly Op[],
  action = "kv.write",
  more: { readonly [name: string]: unknown } = {},
): never {
  const { parameters, ...rest } = more as { parameters?: object };
  return {
    actor: agent,
    action,
    parameters: { path: "data/x", ops: JSON.stringify(ops), ...parameters },
    ...rest,
  } as never;
}

/** Runs operations to their end and gives what the guest saw. */
export async function kvRun(rig: Rig, ops: readonly Op[], action?: string, more = {}): Promise<Seen[]> {
  const result = await rig.pipeline.execute(kvDraft(ops, action, more));
  if (result.status !== "executed")
    throw new Error(`${result.status} ${JSON.stringify("reason" in result && result.reason)}`);
  return result.output as Seen[];
}

/** Everything committed in a space: key, text, version. Reads the store as a run would. */
export function kvState(store: StoreReader, executor = "kv", tenantId = "default"): [string, string, number][] {
  const space = spaceOf(tenantId, executor);
  const view = new KeyValueView(store, space, { version: 0, entries: 0, bytes: 0 });
  const found: [string, string, number][] = [];
  for (let after: string | undefined; ; ) {
    const page = view.list("", after, 1000, Number.MAX_SAFE_INTEGER);
    if (page === null) throw new Error("unreachable");
    for (const { key, version } of page.entries) {
      const value = store.get(placeOf(space, encodeUtf8(key)).value) ?? new Uint8Array();
      found.push([key, decodeUtf8(value) ?? "", version]);
    }
    if (!page.more) return found;
    after = page.entries.at(-1)?.key;
  }
}

/** Every store key of the families that hold keys and values. */
export function kvKeys(store: StoreReader): string[] {
  return ["v", "w", "x"].flatMap((family) =>
    [...store.range({ gte: `${family}/`, lt: `${family}0` })].map(([key]) => key),
  );
}
