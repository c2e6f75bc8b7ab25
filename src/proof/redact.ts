import type { z } from "zod";
import { type Digest, isDigest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { bundleSchema, type MaterialRole, type Predicate, statementSchema } from "../contracts/bundle.js";
import { pointerOf } from "../contracts/common.js";
import { allRoles, coverOf, type HiddenRole, hiddenRoles } from "../contracts/redaction.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";

/** Greatest size of a bundle file, in bytes. */
const maxBundleBytes = 536_870_912;

/**
 * What to leave out: roles and digests, or every covered role but those to keep. Names are the roles of spec/bundle.md;
 * a digest, `sha256:<hex>`, stands for one material.
 */
export type RedactChoice = { readonly hide: readonly string[] } | { readonly keep: readonly string[] };

/** Something that is hidden and can still be told from what is left. */
export type Readable = {
  readonly role: MaterialRole;
  /** Roles still in the file from which it can be told. */
  readonly from: readonly MaterialRole[];
  readonly how: string;
};

/** A bundle with materials left out. */
export type RedactedBundle = {
  /** The new file: same envelope, same log proof. */
  readonly bytes: Uint8Array;
  /** Everything that it hides, with what was missing before. */
  readonly hidden: readonly HiddenRole[];
  readonly readable: readonly Readable[];
};

/**
 * Leaves materials out of a bundle (spec/bundle.md, Withholding). Nothing is signed again: the digests in the statement
 * stand for what is gone. Pure; does not verify.
 *
 * @param bytes the exact bytes of a `*.proof.json` file
 * @throws EXO_JSON_*, EXO_SCHEMA, EXO_BUNDLE for what is no bundle; EXO_REDACT for a name that is no role and no material
 *   of it, a role that must stay, and a choice that leaves nothing out
 */
export function redactBundle(bytes: Uint8Array, choice: RedactChoice): RedactedBundle {
  const bundle = parse(bundleSchema, bytes, "bundle");
  const payload = decodeBase64(bundle.envelope.payload);
  if (payload === undefined) throw new ExoArmurError("EXO_BUNDLE", "the envelope's payload is no canonical base64");
  const { predicate } = parse(statementSchema, payload, "statement");
  const gone = chosen(predicate, choice);
  const materials = Object.fromEntries(Object.entries(bundle.materials).filter(([digest]) => !gone.has(digest)));
  if (Object.keys(materials).length === Object.keys(bundle.materials).length) {
    throw new ExoArmurError("EXO_REDACT", "the bundle holds nothing of what is to be hidden");
  }
  const hidden = hiddenRoles(predicate, (digest) => Object.hasOwn(materials, digest));
  return {
    bytes: canonicalize({ ...bundle, materials }, { maxBytes: maxBundleBytes }),
    hidden,
    readable: stillReadable(predicate, hidden),
  };
}

/** Reads canonical bytes of any size a bundle may have against a contract. */
function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  const parsed = schema.safeParse(parseCanonical(bytes, { maxBytes: maxBundleBytes }));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ExoArmurError("EXO_SCHEMA", `${what}: ${pointerOf(issue?.path ?? []) || "/"}: ${issue?.message ?? ""}`);
}

/** Digests of the materials to leave out. */
function chosen({ materials }: Predicate, choice: RedactChoice): ReadonlySet<string> {
  if ("hide" in choice) {
    const names = new Set(choice.hide.map((name) => named(materials, name)));
    const entries = materials.filter(({ role, digest }) => names.has(role) || names.has(digest));
    for (const { role } of entries) requireCover(role);
    for (const name of names) if (!isDigest(name)) requireCover(name);
    return new Set(entries.map(({ digest }) => digest));
  }
  const kept = new Set(choice.keep.map((name) => named(materials, name)));
  const entries = materials.filter(({ role, digest }) => {
    const known = coverOf(role);
    return "cover" in known && known.cover !== "none" && !kept.has(role) && !kept.has(digest);
  });
  return new Set(entries.map(({ digest }) => digest));
}

function named(materials: Predicate["materials"], name: string): MaterialRole | Digest {
  const role = allRoles.find((one) => one === name);
  if (role !== undefined) return role;
  const listed = materials.find(({ digest }) => digest === name);
  if (listed !== undefined) return listed.digest;
  const expected = isDigest(name) ? "the statement names no such material" : `the roles are ${allRoles.join(", ")}`;
  throw new ExoArmurError("EXO_REDACT", `${JSON.stringify(name)} cannot be chosen: ${expected}`);
}

function requireCover(role: MaterialRole): void {
  const known = coverOf(role);
  if ("why" in known) throw new ExoArmurError("EXO_REDACT", `${role} stays in every bundle: ${known.why}`);
}

/** Ways from what is left to what is hidden; `from` are all needed. */
const ways: readonly Readable[] = [
  { role: "input", from: ["intent"], how: "it is made from the intent's parameters" },
  { role: "input", from: ["preview"], how: "it is made from the parameters that the preview shows" },
  { role: "intent", from: ["preview"], how: "the preview shows action, target and parameters" },
  { role: "intent", from: ["input"], how: "its parameters are the input" },
  { role: "preview", from: ["intent", "grants"], how: "it is made from both" },
  { role: "preview", from: ["input"], how: "its parameters are the input" },
  { role: "grants", from: ["preview"], how: "the preview shows them" },
  { role: "policy_input", from: ["event_payload"], how: "the first event names the requester as well" },
  { role: "output", from: ["input", "host_call"], how: "running the plugin again on them gives it" },
  {
    role: "host_call",
    from: ["event_payload"],
    how: "effect_started holds the bare digest of each write's request, so that a short one can be guessed",
  },
];

/** Which hidden roles can be told from what is left, or from what can be told from it. */
function stillReadable(predicate: Predicate, hidden: readonly HiddenRole[]): readonly Readable[] {
  const away = new Set<MaterialRole>(hidden.map(({ role }) => role));
  const wrote = predicate.events.some(({ eventType }) => eventType === "effect_started");
  const found = new Map<MaterialRole, Readable>();
  const isThere = (role: MaterialRole): boolean =>
    !away.has(role) && (role === "host_call" || predicate.materials.some((entry) => entry.role === role));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const way of ways) {
      if (!away.has(way.role) || found.has(way.role)) continue;
      if (way.role === "host_call" && !wrote) continue;
      // What host calls were asked is at best guessed, which gives no answers to run the plugin on.
      const known = way.from.every((role) => isThere(role) || (role !== "host_call" && found.has(role)));
      if (known) found.set(way.role, way);
    }
  }
  return [...found.values()].sort((a, b) => allRoles.indexOf(a.role) - allRoles.indexOf(b.role));
}
