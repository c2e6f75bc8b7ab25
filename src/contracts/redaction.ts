import type { Digest } from "../canonical/digest.js";
import { type MaterialRole, materialRoles, type Predicate } from "./bundle.js";

/**
 * What keeps a material that was left out from being guessed by its digest (spec/bundle.md, Withholding): `salt` is 32
 * bytes in front of it, `inside` the salt that the document itself carries; `none` is public by nature, and left out to
 * save room.
 */
export type Cover = "salt" | "inside" | "none";

/** Materials of one role that the statement names and the file does not hold. */
export type HiddenRole = {
  readonly role: MaterialRole;
  readonly cover: Cover;
  readonly count: number;
  /** In the statement's order. */
  readonly digests: readonly Digest[];
};

/** What covers each role, or why it must stay in the file. */
const unsalted: Readonly<Partial<Record<MaterialRole, Cover | { readonly why: string }>>> = {
  intent: "inside",
  policy: "none",
  plugin: "none",
  policy_envelope: { why: "it is the author's signature, and says nothing that the policy does not" },
  approval_request: { why: "what the approvers signed names it, and it holds digests and names alone" },
  approval_grant: { why: "it is an approver's signature" },
  manifest: { why: "it is public and small, and most checks read it" },
  manifest_envelope: { why: "it is the publisher's signature, and says nothing that the manifest does not" },
  plugin_admission: { why: "it shows when a signed plugin was admitted, and holds digests alone" },
  event: { why: "headers hold no content, and the walk through the intent's life is read from them" },
  resolution: { why: "it is the operator's signature over how a doubt was closed" },
};

/** What covers a role whose materials may be left out; else why they must stay. */
export function coverOf(role: MaterialRole): { readonly cover: Cover } | { readonly why: string } {
  const entry = materialRoles[role].salted ? "salt" : (unsalted[role] ?? { why: "its digest could be guessed" });
  return typeof entry === "string" ? { cover: entry } : entry;
}

/** Every role, in the order of spec/bundle.md. */
export const allRoles = Object.keys(materialRoles) as readonly MaterialRole[];

/**
 * What a file hides of its statement's materials, role by role in the order of spec/bundle.md. A role that must not be
 * left out is listed as well when it is missing, with the cover `none`.
 */
export function hiddenRoles(
  { materials }: Pick<Predicate, "materials">,
  holds: (digest: Digest) => boolean,
): readonly HiddenRole[] {
  return allRoles.flatMap((role) => {
    const digests = materials
      .filter((entry) => entry.role === role && !holds(entry.digest))
      .map(({ digest }) => digest);
    const known = coverOf(role);
    const cover = "cover" in known ? known.cover : "none";
    return digests.length === 0 ? [] : [{ role, cover, count: digests.length, digests }];
  });
}
