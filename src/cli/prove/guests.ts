import { canonicalize } from "../../canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../contracts/dsse.js";
import { type ManifestDraft, manifestDraftSchema } from "../../contracts/manifest.js";
import { resolveManifest } from "../../contracts/manifest-draft.js";
import { decodeHex } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import type { BundledPlugin } from "../../home/create.js";
import { parseDocument } from "../../home/document.js";
import type { Signer } from "../../ports.js";
import { readPackagePlugins } from "../bundled-plugins.js";

/** Actions of the guests, which no other executor has. */
export const scratchActions = {
  idle: "exoarmur_prove.idle",
  ask: "exoarmur_prove.ask",
  spin: "exoarmur_prove.spin",
  grow: "exoarmur_prove.grow",
  read: "exoarmur_prove.read",
  append: "exoarmur_prove.append",
  list: "exoarmur_prove.list",
  get: "exoarmur_prove.get",
  getNear: "exoarmur_prove.get_near",
  /** What no rule names: it lies outside of the others' name space. */
  unnamed: "exoarmur_prove_unnamed.idle",
  /** What no executor offers. */
  unknown: "exoarmur_prove_unknown.idle",
} as const;

/** Names of the guests, and of the root and the publisher that the scratch home has for them. */
export const scratchNames = {
  root: "exoarmur-prove",
  publisher: "exoarmur-prove",
  inert: "exoarmur-prove-inert",
  files: "exoarmur-prove-files",
  http: "exoarmur-prove-http",
  near: "exoarmur-prove-near",
} as const;

/**
 * A module with three functions () -> i32: `idle` returns 0; `spin` is (loop (br 0)); `grow` is
 * (loop (if (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)) (then unreachable)) (br 0)).
 */
const inertModule =
  decodeHex(
    [
      "0061736d01000000",
      "0105016000017f",
      "030403000000",
      "0503010001",
      "071603",
      "0469646c650000",
      "047370696e0001",
      "0467726f770002",
      "0a2303",
      "040041000b",
      "080003400c000b000b",
      "13000340410140004100480440000b0c000b",
      "000b",
    ].join(""),
  ) ?? new Uint8Array(0);

/** A guest of a scratch home. */
export type Guest = { readonly wasm: Uint8Array; readonly manifest: ManifestDraft };

/** A guest that does nothing, under a name and an action of a rule's. Its target is the parameter `path`. */
export function standIn(name: string, action: string): Guest {
  return { wasm: inertModule, manifest: draft(name, [{ ...idle, action, effects: "write", target: "/path" }]) };
}

const idle = { name: "idle", output: "text" } as const;

function draft(name: string, functions: ManifestDraft["functions"]): ManifestDraft {
  const limits = { fuel: 5_000_000, memoryPages: 64 };
  return { schema: "exoarmur.executor/v1", name, version: "1.0.0", functions, limits };
}

function inert(): Guest {
  const { idle: nothing, ask, spin, grow, unnamed } = scratchActions;
  const functions: ManifestDraft["functions"] = [
    { ...idle, action: nothing },
    { ...idle, action: ask, effects: "write", target: "/path" },
    { ...idle, action: unnamed },
    { name: "spin", output: "text", action: spin },
    { name: "grow", output: "text", action: grow },
  ];
  return { wasm: inertModule, manifest: draft(scratchNames.inert, functions) };
}

/** Every guest that is tried with: the inert one, and executors of the package under names and actions of their own. */
export async function readGuests(): Promise<Guest[]> {
  const { read, append, list, get, getNear } = scratchActions;
  const [files, http] = await readPackagePlugins(["fs", "http"]);
  if (files === undefined || http === undefined) throw new ExoArmurError("EXO_INTERNAL", "the package has no guests");
  return [
    inert(),
    await renamed(files, scratchNames.files, { read, append, list }),
    await renamed(http, scratchNames.http, { get }),
    await renamed(http, scratchNames.near, { get: getNear }),
  ];
}

async function renamed(plugin: BundledPlugin, name: string, actions: Readonly<Record<string, string>>): Promise<Guest> {
  const kind = { schema: manifestDraftSchema, version: "exoarmur.executor/v1" };
  const manifest = await parseDocument(plugin.manifest, `${plugin.name}.json`, kind);
  const functions = manifest.functions.flatMap((fn) => {
    const action = actions[fn.name];
    return action === undefined ? [] : [{ ...fn, action }];
  });
  return { wasm: plugin.wasm, manifest: { ...manifest, name, functions } };
}

/** The files of a guest in a plugins folder, by name; `signer` signs it as a publisher would. */
export async function guestFiles(guest: Guest, signer: Signer | null): Promise<Record<string, string | Uint8Array>> {
  const { wasm } = guest;
  const manifest = signer === null ? guest.manifest : { ...guest.manifest, publisher: scratchNames.publisher };
  const files = { [`${manifest.name}.wasm`]: wasm, [`${manifest.name}.json`]: JSON.stringify(manifest) };
  if (signer === null) return files;
  const resolved = resolveManifest(manifest, wasm);
  if (!resolved.ok) throw new ExoArmurError("EXO_INTERNAL", resolved.error.message);
  const envelope = await signEnvelope(payloadTypes.manifest, canonicalize(resolved.value), signer);
  return { ...files, [`${manifest.name}.signed.json`]: JSON.stringify(envelope) };
}
