import { ExoArmurError } from "../../errors.js";
import type { GuestAnswer, SandboxJob, SandboxOutcome } from "../../ports.js";
import type { WorkerEvents } from "../worker-link.js";
import type { Frame } from "./frames.js";
import { type ChildHead, guestEnds, readChildHead } from "./protocol.js";

/** What a child must find of its own confinement. */
export type Confinement = { readonly uid: number; readonly gid: number };

type Turn = {
  readonly run: number;
  readonly job: SandboxJob;
  begun: boolean;
  /** The child waits for the answer to its last call. */
  calling: boolean;
  calls: number;
  fuel: number;
  stop: Extract<GuestAnswer, { kind: "stop" }> | undefined;
};

type Head<K extends ChildHead["kind"]> = Extract<ChildHead, { kind: K }>;

/**
 * The host's side of its talk with one child process, which is not trusted: every frame is held against what may come
 * now (spec/sandbox.md, Isolation). What may not throws, and the child is then to be killed.
 */
export class Conversation {
  readonly #events: WorkerEvents;
  readonly #confinement: Confinement;
  #ready = false;
  #turn: Turn | undefined;

  constructor(confinement: Confinement, events: WorkerEvents) {
    this.#confinement = confinement;
    this.#events = events;
  }

  /** True when the child may speak. While a call is answered and between runs it must not. */
  get listening(): boolean {
    return !this.#ready || (this.#turn !== undefined && !this.#turn.calling);
  }

  /** Most bytes of the body of the next frame. */
  get mostBody(): number {
    const limits = this.#ready ? this.#turn?.job.limits : undefined;
    return limits === undefined ? 0 : Math.max(limits.kernelBytes, limits.outputBytes);
  }

  /** A run was sent. */
  sent(run: number, job: SandboxJob): void {
    this.#turn = { run, job, begun: false, calling: false, calls: 0, fuel: 0, stop: undefined };
  }

  /** The call was answered: the child may speak again. */
  answered(answer: GuestAnswer): void {
    if (this.#turn !== undefined) {
      this.#turn.calling = false;
      this.#turn.stop = answer.kind === "stop" ? answer : undefined;
    }
  }

  /** Takes a frame, told whether more bytes came behind it. Throws for what may not come now or does not say what it may. */
  receive({ head, body }: Frame, more: boolean): void {
    const said = readChildHead(head);
    if (said.kind === "ready") {
      this.#beReady(said, body);
      return;
    }
    const turn = this.#turn;
    expect(this.#ready && turn !== undefined && !turn.calling, `nothing, got ${said.kind}`);
    expect(said.run === turn.run, `run ${turn.run}, got run ${said.run}`);
    expect(turn.begun === (said.kind !== "begun"), `another message than ${said.kind}`);
    expect(!more || said.kind === "begun", "nothing before the host has spoken");
    if (said.kind === "begun") {
      expect(body.byteLength === 0, "no bytes");
      turn.begun = true;
      this.#events.begun(turn.run);
    } else if (said.kind === "call") {
      this.#takeCall(turn, said, body);
    } else {
      this.#takeEnd(turn, said, body);
    }
  }

  #beReady(said: Head<"ready">, body: Uint8Array): void {
    expect(!this.#ready && body.byteLength === 0, "a child is ready once");
    const { uid, gid } = this.#confinement;
    expect(said.uid === uid && said.gid === gid, `user ${uid} and group ${gid}, got ${said.uid} and ${said.gid}`);
    expect(said.variables === 0, `an empty environment, got ${said.variables} variables`);
    expect(said.strangers === 0, `no inherited files, got ${said.strangers}`);
    expect(said.restricted, "Node's permission model in force");
    this.#ready = true;
    this.#events.ready();
  }

  #takeCall(turn: Turn, { seq, capability, fuel }: Head<"call">, body: Uint8Array): void {
    const { limits } = turn.job;
    expect(turn.stop === undefined, "no call after a stop");
    expect(
      seq === turn.calls && seq < limits.hostCalls,
      `call ${turn.calls}, of at most ${limits.hostCalls}, got ${seq}`,
    );
    expect(fuel >= turn.fuel && fuel <= limits.fuel, `fuel from ${turn.fuel} to ${limits.fuel}, got ${fuel}`);
    expect(body.byteLength <= limits.kernelBytes, `a request of at most ${limits.kernelBytes} bytes`);
    turn.calls++;
    turn.fuel = fuel;
    turn.calling = true;
    this.#events.called(turn.run, { seq, capability, request: body, fuel });
  }

  #takeEnd(turn: Turn, said: Head<"end">, body: Uint8Array): void {
    const { limits } = turn.job;
    const { fuelUsed, memoryPeakPages, hostCalls } = said;
    expect(
      fuelUsed >= turn.fuel && fuelUsed <= limits.fuel,
      `fuel from ${turn.fuel} to ${limits.fuel}, got ${fuelUsed}`,
    );
    expect(hostCalls === turn.calls, `${turn.calls} calls, got ${hostCalls}`);
    const counts = { fuelUsed, memoryPeakPages, hostCalls };
    const outcome = { ...endOf(turn, said, body), ...counts };
    this.#turn = undefined;
    this.#events.ended(turn.run, outcome, said.fault);
  }
}

function endOf(
  { stop, job }: Turn,
  { status, code, message }: Head<"end">,
  body: Uint8Array,
): Pick<SandboxOutcome, "status" | "output" | "error"> {
  if (status === "completed") {
    const { outputBytes } = job.limits;
    expect(stop === undefined && code === undefined && message === undefined, "no error of a completed run");
    expect(body.byteLength <= outputBytes, `an output of at most ${outputBytes} bytes, got ${body.byteLength}`);
    return { status, output: body };
  }
  expect(body.byteLength === 0, "no output of a run that failed");
  if (stop !== undefined && status === stop.status && code === stop.code) {
    return { status, error: { code, message: stop.message } };
  }
  const known = guestEnds[status]?.find((name) => name === code);
  expect(known !== undefined, `an end a guest can have, got ${status} ${code}`);
  expect(message === undefined || status === "guest_error", `no message with ${status}`);
  return { status, error: message === undefined ? { code: known } : { code: known, message } };
}

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new ExoArmurError("EXO_SCHEMA", `expected ${what}`);
  }
}
