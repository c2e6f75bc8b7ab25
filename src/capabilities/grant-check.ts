import { isUnder, parseAliasPath } from "../contracts/alias-path.js";
import { alwaysGranted, type CapabilityName, capabilityNames } from "../contracts/imports.js";
import type { Constraints, Grants } from "../contracts/manifest.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { ok, type Result, refuse } from "../errors.js";
import { combineConstraints } from "../policy/narrow.js";
import { effectiveMaxBytes, effectiveMaxEntries } from "./bounds.js";
import { checkHttp } from "./http-request.js";
import { type CapabilityRequest, textOf } from "./schemas.js";

/** Capabilities that reach into root directories, and so need `roots`. */
export const rooted: ReadonlySet<CapabilityName> = new Set(capabilityNames.filter((name) => name.startsWith("fs_")));

/** Members of a request that are root-alias paths; each must be inside the grant. */
const pathMembers: Readonly<Partial<Record<CapabilityName, readonly string[]>>> = { fs_rename: ["path", "to"] };

function pathsOf(capability: CapabilityName, request: CapabilityRequest): readonly string[] {
  return (pathMembers[capability] ?? ["path"]).map((member) => textOf(request, member));
}

/**
 * Is this request inside the grant? Gives the constraints for the performer, `maxBytes` always set, and `maxEntries`
 * for those that reach into directories. Outside it:
 * EXO_CAPABILITY_DENIED, or EXO_FS_PATH for a path that is no root-alias path. Where a grant of the deployment is
 * missing the message holds the line for config.json. A capability granted twice is granted where both allow.
 *
 * @param executor name of the executor for that line
 */
export function checkGrant(
  grants: Grants,
  capability: CapabilityName,
  request: CapabilityRequest,
  executor: string,
): Result<Constraints> {
  const granted = grants.capabilities.filter((grant) => grant.name === capability);
  if (granted.length === 0 && !alwaysGranted.includes(capability)) {
    const needed = capability === "http_request" ? { allow: [] } : {};
    const keyed = capability.startsWith("kv_") ? { prefixes: [""] } : needed;
    const constraints = rooted.has(capability) ? { roots: firstSegments(pathsOf(capability, request)) } : keyed;
    const line = JSON.stringify({ [executor]: { [capability]: constraints } });
    return denied(
      `${capability} is not granted; its manifest must list it and config.json must grant it: "grants": ${line}`,
    );
  }
  const constraints = combineConstraints(
    capability,
    granted.map((grant) => grant.constraints ?? {}),
  );
  const maxBytes = effectiveMaxBytes(constraints.maxBytes);
  const size = checkSize(capability, request, maxBytes);
  if (!size.ok) return size;
  const reached = checkReach(capability, constraints, request, executor);
  if (!reached.ok) return reached;
  const maxEntries = effectiveMaxEntries(constraints.maxEntries);
  return ok({ ...constraints, maxBytes, ...(rooted.has(capability) ? { maxEntries } : {}) });
}

/** Does the grant reach what the request is about: its URL, its key, all of its paths? */
function checkReach(
  capability: CapabilityName,
  constraints: Constraints,
  request: CapabilityRequest,
  executor: string,
): Result<unknown> {
  if (capability === "http_request") return checkHttp(constraints, request, executor);
  if (capability.startsWith("kv_")) return checkKeys(capability, constraints, request, executor);
  if (!rooted.has(capability)) return ok(true);
  for (const path of pathsOf(capability, request)) {
    const reached = checkPath(capability, constraints, path, executor);
    if (!reached.ok) return reached;
  }
  return ok(true);
}

function checkPath(capability: CapabilityName, constraints: Constraints, path: string, executor: string): Result<true> {
  const segments = parseAliasPath(path);
  if (segments === null) {
    return refuse("EXO_FS_PATH", `${capability} expects a root-alias path such as data/orders.csv`);
  }
  const root = segments[0] ?? "";
  if (!(constraints.roots ?? []).includes(root)) {
    // A guest's own words are repeated only when they are a well-formed alias.
    const name = aliasForm.test(root) ? JSON.stringify(root) : "the path's first segment";
    const line = `add ${name} to grants.${executor}.${capability}.roots in config.json`;
    return denied(`${capability} is not granted for root ${name}; ${line}`);
  }
  if (constraints.paths !== undefined && !constraints.paths.some((base) => isUnder(path, base))) {
    return denied(`${capability} is not granted for this path; the grant names narrower paths`);
  }
  return ok(true);
}

/** A key, or all keys of a listing, must begin with one of the grant's prefixes. What the guest wrote is not repeated. */
function checkKeys(
  capability: CapabilityName,
  constraints: Constraints,
  request: CapabilityRequest,
  executor: string,
): Result<true> {
  const [what, text] =
    capability === "kv_list" ? ["prefix", textOf(request, "prefix")] : ["key", textOf(request, "key")];
  if ((constraints.prefixes ?? []).some((prefix) => text.startsWith(prefix))) return ok(true);
  const line = `add what it begins with to grants.${executor}.${capability}.prefixes in config.json`;
  return denied(`${capability} is not granted for this ${what}; ${line}`);
}

/** Bytes the request asks for or carries must fit the grant; a read without a length is cut by its performer. */
function checkSize(capability: CapabilityName, request: CapabilityRequest, maxBytes: number): Result<true> {
  const { bytes, body, value, message, length } = request;
  let asked = typeof length === "number" ? length : 0;
  for (const content of [bytes, body, value]) if (content instanceof Uint8Array) asked = content.length;
  if (typeof message === "string") asked = encodeUtf8(message).length;
  return asked <= maxBytes ? ok(true) : denied(`${capability} is granted for at most ${maxBytes} bytes a call`);
}

/** Aliases to name in a grant that is missing: those of the paths, as far as they are well formed. */
function firstSegments(paths: readonly string[]): readonly string[] {
  const named = paths.map((path) => parseAliasPath(path)?.[0] ?? "").filter((segment) => aliasForm.test(segment));
  return named.length > 0 ? [...new Set(named)] : ["data"];
}

const aliasForm = /^[a-z0-9][a-z0-9_-]{0,99}$/;

function denied(message: string): Result<never> {
  return refuse("EXO_CAPABILITY_DENIED", message);
}
