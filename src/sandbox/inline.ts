import type { GuestAnswer, GuestCall, SandboxHost, SandboxJob, SandboxOutcome } from "../ports.js";
import { compileGuest } from "./extism.js";
import { guestState, memoryOf } from "./imports/guest-state.js";
import { describeGuest, runGuest } from "./run.js";
import { extismVersion } from "./settings.js";

/** A call of a run and how many pages of memory the guest had when it made it. */
export type SeenCall = { readonly call: GuestCall; readonly memoryPages: number };

/** How an inline sandbox tells of a run. */
export type InlineOptions = {
  /** Names the platform, for reports only. */
  readonly platform: string;
  /** Told of every call before it is answered. */
  readonly onCall?: (seen: SeenCall) => void;
};

const pageBytes = 65_536;

/**
 * A sandbox that runs guests in the calling thread, for a worker of a browser, whose page cannot be waited for. It is
 * for replays: calls must be answered at once, and a job whose answer is a promise ends as a host fault. The deadline of
 * a job is for whoever can end this thread. Where the thread's native stack is too small for a guest that stays inside
 * its counted one, the run ends as a host fault as well (spec/sandbox.md, Browsers).
 */
export function createInlineSandbox({ platform, onCall }: InlineOptions): SandboxHost {
  let running = 0;
  const run = async (job: SandboxJob): Promise<SandboxOutcome> => {
    running++;
    try {
      const guest = describeGuest(await compileGuest(job.module.bytes));
      return await runGuest(guest, job, (call) => {
        onCall?.({ call, memoryPages: memoryOf(guestState()).byteLength / pageBytes });
        return answerNow(job, call);
      });
    } finally {
      running--;
    }
  };
  return {
    run,
    load: () => ({ running, queued: 0, size: 1, queueBound: 0 }),
    engine: `extism ${extismVersion}, ${platform}`,
    close: () => Promise.resolve(),
  };
}

function answerNow(job: SandboxJob, call: GuestCall): GuestAnswer {
  const answer = job.call(call, new AbortController().signal);
  return answer instanceof Promise
    ? { kind: "stop", status: "host_fault", code: "EXO_HOST_FAULT", message: "the answer did not come at once" }
    : answer;
}
