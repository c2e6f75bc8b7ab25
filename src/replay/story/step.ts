import type { Digest } from "../../canonical/digest.js";
import type { Evidence } from "../../verify/evidence.js";
import { type Blob, blobOf } from "./blob.js";

/** A labelled line of a step. */
export type Row = readonly [label: string, text: string];

/** What a step is about; each kind is drawn alike. */
export type StepKind = "intent" | "decision" | "approval" | "start" | "call" | "end" | "log";

/** One step of the story of an action, in the order in which things happened. */
export type Step = {
  readonly kind: StepKind;
  readonly title: string;
  /** A few words beside the title: a verdict, an outcome. */
  readonly summary: string;
  /** When it was recorded, RFC 3339; null where nothing records a time of its own. */
  readonly at: string | null;
  /** Number of the host call that this step is. */
  readonly seq: number | null;
  /** Fuel used up to this step, null before the plugin ran. */
  readonly fuel: number | null;
  readonly rows: readonly Row[];
  readonly blobs: readonly Blob[];
  /** Checks of the reports that are about this step. */
  readonly checks: readonly string[];
};

/** The recorded story of one action. Everything in it is text or bytes to be shown as such. */
export type Story = {
  readonly intentId: string;
  readonly action: string;
  readonly target: string | null;
  readonly actor: string;
  readonly verdict: string;
  readonly ended: string;
  readonly steps: readonly Step[];
};

/** What a teller fills in of a step. */
export type StepPart = Partial<Pick<Step, "title" | "summary" | "fuel" | "rows" | "blobs" | "checks">>;

/** A part of the story, or in words why it cannot be told. */
export function part<T>(tell: () => T): T | string {
  try {
    return tell();
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}

/** The bytes of a material, or nothing when they are not in the file. */
export function materialBlob(
  evidence: Evidence,
  label: string,
  digest: Digest,
  role: "input" | "output" | "attestation",
): Blob[] {
  const bytes = part(() => evidence.content(digest, role));
  return typeof bytes === "string" ? [] : [blobOf(label, bytes)];
}
