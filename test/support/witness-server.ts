import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import { formatNote, parseNote } from "../../src/crypto/note.js";
import { formatVkey, noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { readCheckpoint } from "../../src/log/checkpoint.js";
import { witnessCheckpoint } from "../../src/log/witness.js";

/** What a witness was asked. */
export type Asked = { readonly old: number; readonly size: number; readonly proof: number };

/** Answers in the place of an honest witness; false lets it answer. */
export type Behaviour = (asked: Asked, response: ServerResponse) => boolean | Promise<boolean>;

/** A real witness of one log by c2sp.org/tlog-witness on a port of this machine, which can be told to behave badly. */
export class WitnessServer {
  readonly name: string;
  readonly vkey: string;
  readonly asked: Asked[] = [];
  /** Requests being answered now, and the most there were at once. */
  inFlight = 0;
  most = 0;
  /** Seconds it puts on cosignatures. */
  seconds = 1_770_000_000;
  last: string | undefined;
  misbehave: Behaviour = () => false;
  readonly #seed: Uint8Array;
  readonly #logVkey: string;
  #server: Server | undefined;

  constructor(name: string, logVkey: string, seed = 77) {
    this.name = name;
    this.#seed = new Uint8Array(32).fill(seed);
    this.#logVkey = logVkey;
    this.vkey = formatVkey(noteKey(name, signerFromSeed(this.#seed).publicKey, 4));
  }

  get url(): string {
    const address = this.#server?.address() as AddressInfo | undefined;
    return `http://127.0.0.1:${address?.port ?? 0}/w`;
  }

  async open(): Promise<this> {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  /** The lines an honest witness adds to a checkpoint that follows on its last, which it then keeps. */
  async cosign(note: string, proof: readonly Uint8Array[]): Promise<string> {
    const logKeys = [parseVkey(this.#logVkey)];
    const signer = signerFromSeed(this.#seed);
    const by = { name: this.name, signer, seconds: this.seconds };
    const cosigned = await witnessCheckpoint({ note, logKeys, last: this.last, proof }, by);
    this.last = cosigned;
    const { text, signatures } = parseNote(cosigned);
    return formatNote(text, signatures.slice(-1)).slice(text.length + 1);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.inFlight += 1;
    this.most = Math.max(this.most, this.inFlight);
    response.on("close", () => (this.inFlight -= 1));
    let body = "";
    for await (const part of request) body += String(part);
    const split = body.indexOf("\n\n");
    const [first = "", ...lines] = body.slice(0, split).split("\n");
    const note = body.slice(split + 2);
    const { size } = readCheckpoint(note);
    const old = Number(/^old (0|[1-9][0-9]*)$/.exec(first)?.[1] ?? Number.NaN);
    const asked = { old, size, proof: lines.length };
    this.asked.push(asked);
    if (request.method !== "POST" || request.url !== "/w/add-checkpoint") return void response.writeHead(404).end();
    if (await this.misbehave(asked, response)) return;
    const known = this.last === undefined ? undefined : readCheckpoint(this.last);
    if (old !== (known?.size ?? 0)) {
      response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${known?.size ?? 0}\n`);
      return;
    }
    try {
      response.end(
        await this.cosign(
          note,
          lines.map((line) => decodeBase64(line) ?? new Uint8Array()),
        ),
      );
    } catch {
      if (old === size) response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${old}\n`);
      else response.writeHead(422).end();
    }
  }
}
