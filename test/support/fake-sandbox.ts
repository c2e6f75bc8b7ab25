import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { decodeUtf8, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { AbiValue, GuestAnswer, Performer, SandboxHost, SandboxJob, SandboxOutcome } from "../../src/ports.js";

/** A guest's view of its run, for scripts. */
export type FakeGuest = {
  /** The input, parsed as JSON. */
  readonly parameters: { readonly [name: string]: string };
  /** Makes a host call; a stop ends the script. */
  call(capability: string, request: AbiValue): Promise<{ ok?: AbiValue; error?: { code: string; message: string } }>;
};

/** What a function of a fake executor does: its output, or an outcome. */
export type Script = (guest: FakeGuest) => Promise<unknown>;

class Stopped extends Error {
  readonly answer: Extract<GuestAnswer, { kind: "stop" }>;
  constructor(answer: Extract<GuestAnswer, { kind: "stop" }>) {
    super(answer.message);
    this.answer = answer;
  }
}

/** Ends a script with any outcome. */
export class Ends extends Error {
  readonly outcome: Partial<SandboxOutcome> & Pick<SandboxOutcome, "status">;
  constructor(outcome: Partial<SandboxOutcome> & Pick<SandboxOutcome, "status">) {
    super(outcome.status);
    this.outcome = outcome;
  }
}

/** A guest that reports a failure of its own. */
export function guestError(message: string): Ends {
  return new Ends({ status: "guest_error", error: { code: "EXO_GUEST_ERROR", message } });
}

async function askOnce(guest: FakeGuest, capability: string, request: AbiValue): Promise<AbiValue> {
  const answer = await guest.call(capability, request);
  if (answer.error !== undefined) throw guestError(`${answer.error.code}: ${answer.error.message}`);
  return answer.ok ?? null;
}

/** Scripts that do what plugins/fs.wasm does. */
const fsScripts: Readonly<Record<string, Script>> = {
  read: async (guest) => {
    const path = guest.parameters["path"] ?? "";
    await askOnce(guest, "fs_read", { path });
    return { path };
  },
  write: async (guest) => {
    const path = guest.parameters["path"] ?? "";
    await askOnce(guest, "fs_write", { path, bytes: encodeUtf8(guest.parameters["text"] ?? ""), mode: "create" });
    return { path };
  },
  list: async (guest) => {
    const path = guest.parameters["path"] ?? "";
    await askOnce(guest, "fs_list", { path });
    return { path };
  },
  remove: async (guest) => {
    const path = guest.parameters["path"] ?? "";
    await askOnce(guest, "fs_remove", { path });
    return { path, removed: true };
  },
};

/** A SandboxHost without Wasm: exported functions are scripts. Counts every start. */
export class FakeSandbox implements SandboxHost {
  readonly engine = "fake";
  readonly jobs: SandboxJob[] = [];
  readonly scripts: Record<string, Script>;
  /** Aborts every run's host calls, as the wall-clock guard does. */
  readonly deadline = new AbortController();
  loadNow = { running: 0, queued: 0, size: 2, queueBound: 8 };

  constructor(scripts: Readonly<Record<string, Script>> = fsScripts) {
    this.scripts = { ...scripts };
  }

  get starts(): number {
    return this.jobs.length;
  }

  async run(job: SandboxJob): Promise<SandboxOutcome> {
    this.jobs.push(job);
    let seq = 0;
    const counts = (): Pick<SandboxOutcome, "fuelUsed" | "memoryPeakPages" | "hostCalls"> => ({
      fuelUsed: 1000 + seq,
      memoryPeakPages: 1,
      hostCalls: seq,
    });
    const guest: FakeGuest = {
      parameters: JSON.parse(decodeUtf8(job.input) ?? "{}") as FakeGuest["parameters"],
      call: async (capability, request) => {
        const fuel = 10 + seq;
        const call = { seq: seq++, capability, request: encodeAbi(request), fuel };
        const answer = await job.call(call, this.deadline.signal);
        if (answer.kind === "stop") throw new Stopped(answer);
        return decodeAbi(answer.response, { maxBytes: 1 << 26 }) as never;
      },
    };
    try {
      const script = this.scripts[job.function];
      if (script === undefined) throw new Ends({ status: "trapped", error: { code: "EXO_TRAPPED" } });
      const output = await script(guest);
      const bytes = output instanceof Uint8Array ? output : encodeUtf8(JSON.stringify(output));
      return { status: "completed", output: bytes, ...counts() };
    } catch (error) {
      if (error instanceof Ends) return { ...counts(), ...error.outcome };
      if (!(error instanceof Stopped)) throw error;
      const { status, code, message } = error.answer;
      return { status, error: { code, message }, ...counts() };
    }
  }

  load(): { running: number; queued: number; size: number; queueBound: number } {
    return this.loadNow;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Files in memory that remember what was done to them. Lives longer than a runtime, as a disk does. */
export class FakeDisk {
  readonly files = new Map<string, string>([["data/orders.csv", "a,b\n1,2\n"]]);
  readonly done: string[] = [];
  /** Replaces the answer of every write-effect. */
  onWrite: ((what: string, signal: AbortSignal) => Promise<"ok" | "error" | "unknown"> | "throw") | null = null;

  readonly performers: Readonly<Record<"fs_read" | "fs_write" | "fs_list" | "fs_remove" | "clock_now", Performer>> = {
    clock_now: { perform: () => ({ outcome: "ok", value: { ms: 1 } }) },
    fs_read: {
      perform: ({ path }) => {
        const text = this.files.get(String(path));
        if (text === undefined) return { outcome: "error", code: "EXO_FS_NOT_FOUND", message: "no such file" };
        return { outcome: "ok", value: { bytes: encodeUtf8(text), size: text.length } };
      },
    },
    fs_list: { perform: () => ({ outcome: "ok", value: { entries: [] } }) },
    fs_write: {
      perform: ({ path, bytes }, _constraints, signal) =>
        this.#write("fs_write", String(path), signal, () => {
          this.files.set(String(path), decodeUtf8(bytes as Uint8Array) ?? "");
          return { size: (bytes as Uint8Array).length };
        }),
    },
    fs_remove: {
      perform: ({ path }, _constraints, signal) =>
        this.#write("fs_remove", String(path), signal, () => {
          this.files.delete(String(path));
          return {};
        }),
    },
  };

  async #write(
    name: string,
    path: string,
    signal: AbortSignal,
    act: () => AbiValue,
  ): Promise<{ outcome: "ok"; value: AbiValue } | { outcome: "error" | "unknown"; code: string; message: string }> {
    const what = `${name} ${path}`;
    const how = this.onWrite === null ? "ok" : await this.onWrite(what, signal);
    if (how === "throw") throw new Error("disk on fire");
    if (how !== "ok") return { outcome: how, code: "EXO_FS_IO", message: "no" };
    this.done.push(what);
    return { outcome: "ok", value: act() };
  }
}
