import { type ChildProcess, spawn } from "node:child_process";
import { admitPublicKey } from "../crypto/ed25519.js";
import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { errnoOf } from "./paths.js";
import { type Answer, createLineReader, readAnswer, readHello } from "./signer-lines.js";

/** How a signer program is started. */
export type SignerLaunch = {
  /** What the program signs for, in messages. */
  readonly role: string;
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Longest wait for each answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest wait for the first line. Default `timeoutMs`. */
  readonly startMs?: number;
  /** Ends the program at once, in its start as well. */
  readonly signal?: AbortSignal;
};

type Pending = { readonly resolve: (answer: Answer) => void; readonly reject: (error: ExoArmurError) => void };

/** How long a program may take to end by itself after its standard input has. */
const farewellMs = 1000;

/**
 * One run of a signer program (spec/keys.md, Signer programs). Whatever it says that is not the protocol, and every answer
 * that comes too late, ends it: nothing of it is believed after that.
 */
export class SignerChild {
  readonly #launch: SignerLaunch;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #greet: ((publicKey: Uint8Array | ExoArmurError) => void) | undefined;
  #next = 1;
  #ended: ExoArmurError | undefined;

  constructor(launch: SignerLaunch) {
    this.#launch = launch;
    const [program = "", ...args] = launch.command;
    // A group of its own: Ctrl-C at the terminal is for the runtime, which still has to record what it does.
    this.#child = spawn(program, args, {
      cwd: launch.cwd,
      env: { ...launch.env },
      stdio: ["pipe", "pipe", "inherit"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    this.#exited = new Promise((resolve) => {
      // Not close, which waits for whatever the program left behind with its pipes.
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
    this.#listen();
    const stop = (): void => void this.#fail("was interrupted", true);
    if (launch.signal?.aborted === true) stop();
    else launch.signal?.addEventListener("abort", stop, { once: true });
  }

  /** True until the program ended, was ended, or broke the protocol. */
  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  /** The public key the program announces in its first line, admitted. EXO_SIGNER. */
  async greeting(): Promise<Uint8Array> {
    const said = await this.#within(
      "its public key",
      new Promise<Uint8Array | ExoArmurError>((resolve) => {
        if (this.#ended === undefined) this.#greet = resolve;
        else resolve(this.#ended);
      }),
      this.#launch.startMs,
    );
    if (said instanceof ExoArmurError) throw said;
    return said;
  }

  /** The program's answer to one message. EXO_SIGNER when there is none. */
  async ask(message: Uint8Array): Promise<Answer> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#next++;
    const asked = new Promise<Answer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#child.stdin?.write(`${JSON.stringify({ id, sign: encodeBase64(message) })}\n`);
    return await this.#within("a signature", asked);
  }

  /** Ends the program; whatever waits for it is refused with `why`. Resolves when it is gone. */
  async end(why: string): Promise<void> {
    this.#fail(why, false);
    const timer = setTimeout(() => this.#kill(), farewellMs);
    await this.#exited;
    clearTimeout(timer);
    this.#child.stdout?.destroy();
  }

  /** Refuses what waits, and everything later, at once and for good. */
  fail(why: string): ExoArmurError {
    return this.#fail(why, true);
  }

  #fail(why: string, kill: boolean): ExoArmurError {
    if (this.#ended !== undefined) return this.#ended;
    const error = new ExoArmurError("EXO_SIGNER", `the signer of the role ${this.#launch.role} ${why}`);
    this.#ended = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#greet?.(error);
    this.#child.stdin?.end();
    if (kill) this.#kill();
    return error;
  }

  /** The whole group, so that nothing the program started is left holding a key. */
  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (process.platform === "win32") this.#child.kill("SIGKILL");
      else process.kill(-pid, "SIGKILL");
    } catch (error) {
      if (errnoOf(error) !== "ESRCH") throw error;
    }
  }

  #listen(): void {
    const { stdin, stdout } = this.#child;
    const lines = createLineReader();
    this.#child.on("error", (error) => this.#fail(`could not be started: ${errnoOf(error) ?? error.message}`, true));
    this.#child.on("close", (code, signal) => this.#fail(`ended (${signal ?? `exit code ${code}`})`, false));
    stdin?.on("error", () => this.#fail("no longer reads", true));
    stdout?.on("data", (chunk: Uint8Array) => {
      const whole = lines.take(chunk);
      if (whole === undefined) this.#fail("sent a line that is too long", true);
      for (const line of whole ?? []) this.#hear(line);
    });
  }

  #hear(line: Uint8Array): void {
    if (this.#ended !== undefined) return;
    if (this.#greet !== undefined) {
      const raw = decodeBase64(readHello(line)?.publicKey ?? "");
      const admitted = raw === undefined ? undefined : admitPublicKey(raw);
      if (admitted?.ok !== true) {
        this.#fail("did not begin with a public key that is admitted", true);
        return;
      }
      this.#greet(admitted.value);
      this.#greet = undefined;
      return;
    }
    const answer = readAnswer(line);
    const pending = answer === undefined ? undefined : this.#pending.get(answer.id);
    if (answer === undefined || pending === undefined) {
      this.#fail(answer === undefined ? "sent a line that is no answer" : "answered what was not asked", true);
      return;
    }
    this.#pending.delete(answer.id);
    pending.resolve(answer);
  }

  async #within<T>(what: string, answer: Promise<T>, ms = this.#launch.timeoutMs): Promise<T> {
    const timer = setTimeout(() => this.#fail(`gave no answer within ${ms} ms: expected ${what}`, true), ms);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }
}
