import { clipText } from "../../canonical/clip-text.js";
import { isDigest } from "../../canonical/digest.js";
import type { JsonValue } from "../../canonical/jcs.js";
import { parseAliasPath } from "../../contracts/alias-path.js";
import type { AttestationFacts } from "../../contracts/attestation.js";
import { isPathPrefix, splitUrl } from "../../contracts/url.js";
import type { PolicySubject } from "../match.js";
import type { CedarRequest, Entity, EntityId } from "./instance.js";

/** What of a request is handed to Cedar at most (spec/policy-cedar.md, The request). */
const requestBounds = { depth: 32, values: 10_000, ancestors: 256, attestations: 1000 } as const;

/** Names with which Cedar's JSON writes what is no record. */
const escapes: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr"]);

type Json = { readonly [key: string]: JsonValue };

/** Why a request cannot be put to Cedar, in words that are the same everywhere. */
class Unmappable extends Error {}

/** The document's entities by type and id. */
export type KnownEntities = ReadonlyMap<string, Entity>;

/** The key of an entity in {@link KnownEntities}. */
export function entityKey({ type, id }: EntityId): string {
  return `${type}:${id}`;
}

/**
 * A subject as Cedar is asked about it, or why it cannot be: nothing is left out, rounded or converted in silence. Keys
 * of the parameters are in the order of the document, which changes nothing.
 */
export function requestOf(subject: PolicySubject, known: KnownEntities): CedarRequest | string {
  try {
    const { intent, requester, effects, attestations = [] } = subject;
    const principal = { type: "Actor", id: intent.actor.id };
    const resource =
      intent.target === undefined ? { type: "Cell", id: intent.cellId } : { type: "Target", id: intent.target };
    const { executor } = intent;
    const request: Json = {
      tenant: intent.tenantId,
      cell: intent.cellId,
      requester: requester.principal,
      method: requester.method,
      ...(requester.onBehalfOf === undefined ? {} : { onBehalfOf: requester.onBehalfOf }),
      ...(effects === null ? {} : { effects }),
      ...(executor === undefined ? {} : { executor: executor.name }),
      ...(executor?.function === undefined ? {} : { function: executor.function }),
      ...attested(attestations),
    };
    const actor = {
      uid: principal,
      attrs: { type: intent.actor.type },
      parents: known.get(entityKey(principal))?.parents ?? [],
    };
    const others = [...known.values()].filter(({ uid }) => uid.type !== "Actor" || uid.id !== principal.id);
    return {
      principal,
      action: { type: "Action", id: intent.action },
      resource,
      context: { request, parameters: parametersOf(intent.parameters) },
      entities: [...others.map(withType), actor, ...targetEntity(intent.target)],
    };
  } catch (error) {
    if (error instanceof Unmappable) return error.message;
    throw error;
  }
}

/** An actor that is not the one who asks: its type is not known, and no policy is asked about it. */
export function withType(entity: Entity): Entity {
  return entity.uid.type === "Actor" ? { ...entity, attrs: { type: "" } } : entity;
}

function targetEntity(target: string | undefined): Entity[] {
  if (target === undefined) return [];
  const url = splitUrl(target);
  const ids = url === null ? pathsAbove(target) : urlsAbove(target, url.path);
  if (ids.length > requestBounds.ancestors) {
    throw new Unmappable(`the target lies under more than ${requestBounds.ancestors} places`);
  }
  const { port, ...parts } = url ?? { port: null };
  return [
    {
      uid: { type: "Target", id: target },
      attrs: { text: target, ...parts, ...(port === null ? {} : { port }) },
      parents: ids.map((id) => ({ type: "Target", id })),
    },
  ];
}

/** The places a root-alias path lies under, itself apart; none for what is no such path. */
function pathsAbove(target: string): string[] {
  const segments = parseAliasPath(target) ?? [];
  return segments.slice(1).map((_, at) => segments.slice(0, at + 1).join("/"));
}

/** The URLs whose path is a prefix, at a segment boundary, of this one's. */
function urlsAbove(target: string, path: string): string[] {
  const origin = target.slice(0, target.indexOf("/", target.indexOf("://") + 3));
  const found: string[] = [];
  for (let end = 1; end <= path.length; end++) {
    const prefix = path.slice(0, end);
    const ends = end === path.length || prefix.endsWith("/") || path.charAt(end) === "/";
    if (ends && isPathPrefix(path, prefix)) found.push(origin + prefix);
  }
  return found.filter((id) => id !== target);
}

/** Attestations flattened, since Cedar asks whether a set contains exactly this: one record for each attester and subject. */
function attested(facts: readonly AttestationFacts[]): Json {
  const pairs: Json[] = [];
  const triples: Json[] = [];
  for (const { predicateType, signers, subjects } of facts) {
    for (const { attester } of signers) {
      pairs.push({ predicateType, attester });
      for (const { digest } of subjects)
        if (isDigest(digest)) triples.push({ predicateType, attester, subject: digest });
      if (triples.length > requestBounds.attestations) {
        throw new Unmappable(`the attestations name more than ${requestBounds.attestations} subjects`);
      }
    }
  }
  return { attested: pairs, attestations: triples };
}

function parametersOf(parameters: Json): Json {
  let values = 0;
  const check = (value: JsonValue, depth: number, at: string): void => {
    if (++values > requestBounds.values) {
      throw new Unmappable(`the parameters have more than ${requestBounds.values} values`);
    }
    if (value === null) throw new Unmappable(`${at} is null, which Cedar does not have`);
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new Unmappable(`${at} is a number that is not whole; write it as text for a decimal`);
    }
    if (typeof value !== "object") return;
    if (depth === requestBounds.depth) {
      throw new Unmappable(`the parameters are nested more than ${requestBounds.depth} deep`);
    }
    for (const [key, one] of Object.entries(value)) {
      if (escapes.has(key)) throw new Unmappable(`${at} has the name ${key}, which Cedar's JSON reserves`);
      check(one, depth + 1, `${at}/${shortened(key)}`);
    }
  };
  check(parameters, 0, "/parameters");
  return parameters;
}

/** A name as a JSON pointer writes it, cut so that a message stays short and whole. */
function shortened(key: string): string {
  const text = key.replaceAll("~", "~0").replaceAll("/", "~1");
  return text.length > 60 ? `${clipText(text, 40)}...` : text;
}
