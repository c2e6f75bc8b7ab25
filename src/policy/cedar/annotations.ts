import type { z } from "zod";
import { readJson } from "../../canonical/read.js";
import { nameSchema } from "../../contracts/common.js";
import { decisionSchema, type Obligations, policyVerdictSchema } from "../../contracts/policy.js";
import { encodeUtf8 } from "../../crypto/encoding.js";
import { isExoArmurError } from "../../errors.js";
import { checkNarrow } from "../compile.js";

/** What one Cedar policy says when it decides. */
export type CedarRule = {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly verdict: "allow" | "require_approval" | "defer" | "deny";
  readonly rationale?: string;
  readonly obligations: Obligations;
};

const obligations = decisionSchema.shape.obligations.shape;

/** How each annotation is read, and on which policies it may stand (spec/policy-cedar.md, Annotations). */
const known: Readonly<Record<string, { readonly read: (text: string) => unknown; readonly on: readonly string[] }>> = {
  id: { read: readId, on: ["allow", "require_approval", "defer", "deny"] },
  rationale: { read: readRationale, on: ["allow", "require_approval", "defer", "deny"] },
  verdict: { read: readVerdict, on: ["allow", "require_approval", "defer"] },
  approvals: { read: (text) => valid(obligations.approvals, readCount(text)), on: ["require_approval"] },
  roles: { read: (text) => valid(obligations.roles, text.split(",").map(trimmed)), on: ["require_approval"] },
  expires_in_seconds: {
    read: (text) => valid(obligations.expiresInSeconds, readCount(text)),
    on: ["require_approval"],
  },
  hold_seconds: { read: (text) => valid(obligations.holdSeconds, readCount(text)), on: ["require_approval"] },
  narrow: { read: readNarrow, on: ["allow", "require_approval"] },
};

/**
 * Reads the annotations of one policy. Returns what is wrong with them: none named `id`, one that is not known (a misspelt
 * obligation must not vanish), one that means nothing under the policy's verdict, a malformed value.
 */
export function readAnnotations(
  effect: "permit" | "forbid",
  annotations: Readonly<Record<string, string | null>>,
): CedarRule | string {
  if (!Object.hasOwn(annotations, "id")) return "a policy has no @id";
  const name = JSON.stringify((annotations["id"] ?? "").slice(0, 200));
  const values: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(annotations)) {
    const row = Object.hasOwn(known, key) ? known[key] : undefined;
    if (row === undefined) return `policy ${name}: the annotation @${key} is not known`;
    const value = row.read(text ?? "");
    if (value === undefined) return `policy ${name}: @${key} is malformed`;
    values[key] = value;
  }
  const verdict = effect === "forbid" ? "deny" : ((values["verdict"] as CedarRule["verdict"] | undefined) ?? "allow");
  const stray = Object.keys(annotations).find((key) => !known[key]?.on.includes(verdict));
  if (stray !== undefined) return `policy ${name}: @${stray} means nothing on a policy whose verdict is ${verdict}`;
  const {
    id,
    rationale,
    verdict: _verdict,
    expires_in_seconds: expiresInSeconds,
    hold_seconds: holdSeconds,
    ...rest
  } = values;
  return {
    id: id as string,
    effect,
    verdict,
    ...(rationale === undefined ? {} : { rationale: rationale as string }),
    obligations: {
      ...rest,
      ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
      ...(holdSeconds === undefined ? {} : { holdSeconds }),
    } as Obligations,
  };
}

function readId(text: string): string | undefined {
  return text === "default" ? undefined : valid(nameSchema.max(190), text);
}

function readRationale(text: string): string | undefined {
  return text === "" || text.length > 2000 ? undefined : text;
}

function readVerdict(text: string): string | undefined {
  return text === "deny" ? undefined : valid(policyVerdictSchema, text);
}

function readCount(text: string): number | undefined {
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : undefined;
}

function readNarrow(text: string): Obligations["narrow"] {
  try {
    const narrow = valid(obligations.narrow, readJson(encodeUtf8(text), { maxBytes: 65_536 }));
    if (narrow !== undefined) checkNarrow(narrow, []);
    return narrow;
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}

function trimmed(text: string): string {
  return text.replace(/^ +| +$/g, "");
}

function valid<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
