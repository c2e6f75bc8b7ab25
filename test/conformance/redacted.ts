import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { type RedactChoice, redactBundle } from "../../src/proof/redact.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { Forge, repack } from "../support/forge.js";
import type { Case } from "./vector.js";

type Cases = Readonly<Record<string, Case>>;

const missing = { check: "materials", code: "EXO_MATERIAL_MISSING" } as const;

/** Nothing wrong, and more than one role away: `indeterminate.ts` has each role alone. */
const choices: readonly (readonly [of: string, what: string, choice: RedactChoice])[] = [
  ["denied", "everything that may be", { keep: [] }],
  ["executed", "everything that may be", { keep: [] }],
  ["executed", "everything but the intent", { keep: ["intent"] }],
  ["executed", "everything but the one host call", { keep: ["host_call"] }],
  ["executed", "what was worked on: intent, input, output", { hide: ["intent", "input", "output"] }],
  ["executed", "plugin and policy, a thin bundle", { hide: ["plugin", "policy"] }],
  ["written", "input and host calls", { hide: ["input", "host_call"] }],
  ["approved", "everything that may be", { keep: [] }],
  ["approved", "what the approvers saw", { hide: ["preview"] }],
  ["attested", "everything but the policy's input", { keep: ["policy_input"] }],
  ["resolved", "everything that may be", { keep: [] }],
  ["published", "everything but the plugin", { keep: ["plugin"] }],
];

const emptied = (bytes: Uint8Array): Uint8Array => redactBundle(bytes, { keep: [] }).bytes;

/** A redacted bundle with something put back, under the digest of a hidden material of a role. */
function putBack(bytes: Uint8Array, role: "output" | "input" | "intent", content: string): Uint8Array {
  const [digest = ""] = new Forge(bytes).digests(role);
  return repack(emptied(bytes), (bundle) => (bundle.materials[digest] = encodeBase64(encodeUtf8(content))));
}

/**
 * Forgeries of which enough is left to prove them wrong when everything that may be hidden is: of each check and code
 * the first. What is hidden may leave further checks unable; it must not turn a proof into a doubt.
 */
function forgedCases(forged: readonly Case[]): Case[] {
  const seen = new Set<string>();
  return forged.flatMap((one) => {
    const name = `${one.wrong?.check} ${one.wrong?.code}`;
    // Under another trust file than its twin's it would be two changes away.
    if (one.wrong === undefined || seen.has(name) || one.trust !== one.twin?.trust) return [];
    let bytes: Uint8Array;
    try {
      bytes = emptied(one.bytes);
    } catch {
      // No bundle any more, or nothing to hide.
      return [];
    }
    const { result, checks } = verifyBundle(bytes, { trust: one.trust });
    const still = checks.some(
      ({ id, state, code }) => id === one.wrong?.check && state === "fail" && code === one.wrong.code,
    );
    if (result !== "fail" || !still) return [];
    seen.add(name);
    return [{ ...one, about: `redacted, ${one.about}`, bytes }];
  });
}

/**
 * Redacted bundles (spec/bundle.md, Withholding), of honest ones and of forgeries. None is accepted, so the twin of each
 * is the honest bundle whole.
 */
export function redactedCases(honest: Cases, forged: readonly Case[]): Case[] {
  const twinOf = (name: string): Case => {
    const twin = honest[name];
    if (twin === undefined) throw new Error(`no honest ${name}`);
    return twin;
  };
  const hidden = choices.map(([of, what, choice]): Case => {
    const twin = twinOf(of);
    const { bytes } = redactBundle(twin.bytes, choice);
    return { about: `redacted: ${of}, without ${what}`, bytes, trust: twin.trust, wrong: missing, twin };
  });
  const twin = twinOf("executed");
  const wrong = { check: "materials", code: "EXO_MATERIAL_DIGEST" } as const;
  const swapped = (["output", "input", "intent"] as const).map(
    (role): Case => ({
      about: `redacted: executed, other bytes put back as its ${role}`,
      bytes: putBack(twin.bytes, role, role === "intent" ? "{}" : "x".repeat(40)),
      trust: twin.trust,
      wrong,
      twin,
    }),
  );
  return [...hidden, ...swapped, ...forgedCases(forged)];
}
