import { digestOf } from "../../canonical/digest.js";
import { canonicalize } from "../../canonical/jcs.js";
import type { Envelope } from "../../contracts/dsse.js";
import type { ExecutorManifest } from "../../contracts/manifest.js";
import { openSignedManifest } from "../../contracts/publisher.js";
import { ok, type Result, refuse } from "../../errors.js";
import type { Home } from "../../home/open.js";
import { type AdmittedPlugin, publisherKeys } from "../../pipeline/admission.js";
import { readState } from "../../pipeline/documents.js";
import { admittedKey } from "../../pipeline/store-keys.js";
import type { HomeView } from "../home-view.js";

/** Who signed a plugin, as far as it holds in a home now; null for one that nobody signed. */
export type SignedBy = { readonly publisher: string; readonly keyIds: readonly string[] } | null;

/**
 * Judges a plugin's signature as the home's runtime would: at the place of the admission that stands, else at the end of
 * the log. EXO_PLUGIN_UNSIGNED where the home requires one; else as openSignedManifest.
 */
export function judgeSignature(
  { home, store, log }: Pick<HomeView, "home" | "store" | "log">,
  manifest: ExecutorManifest,
  envelope: Envelope | undefined,
): Result<SignedBy> {
  if (envelope === undefined) return unsigned(home, manifest.name);
  const bytes = canonicalize(manifest);
  const last = readState<AdmittedPlugin>(store, admittedKey(manifest.name));
  const stands = last?.manifestDigest === digestOf(bytes) && last.envelopeDigest === digestOf(canonicalize(envelope));
  const index = stands ? last.index : (log()?.size ?? 0);
  const { trust, resolved } = home;
  const keys = publisherKeys({ trust, tenants: resolved.tenants }, index);
  const opened = openSignedManifest(envelope, manifest, bytes, keys);
  if (!opened.ok) return opened;
  return ok({ publisher: manifest.publisher ?? "", keyIds: opened.value.map(({ keyId }) => keyId) });
}

function unsigned({ resolved }: Home, name: string): Result<SignedBy> {
  if (!resolved.requireSignatures) return ok(null);
  return refuse(
    "EXO_PLUGIN_UNSIGNED",
    `${name}: this home requires a publisher's signature; see exoarmur plugins sign`,
  );
}
