import type { ReplayReport } from "../contracts/replay-report.js";
import type { Story } from "../replay/story/step.js";
import type { VerificationReport } from "../verify/report.js";

/** From the page to its worker: the one file to check, and the trust file's bytes if one was given. */
export type CheckMessage = { readonly bundle: Uint8Array; readonly trust: Uint8Array | null };

/** What the worker saw of one host call while it re-executed. */
export type SeenStep = { readonly fuel: number; readonly memoryPages: number };

/** From the worker, in this order; `broken` may come instead of any of them and ends the rest. */
export type WorkerMessage =
  | { readonly kind: "verified"; readonly report: VerificationReport; readonly call: boolean }
  | { readonly kind: "story"; readonly story: Story | null }
  | {
      readonly kind: "replayed";
      readonly report: ReplayReport;
      readonly seen: readonly SeenStep[];
      readonly digest: string;
    }
  | { readonly kind: "broken"; readonly message: string };
