import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { CanonicalEvent } from "../../src/contracts/event.js";

/** One message of a live stream, as it came. */
export type Message = { readonly event: string; readonly id: number | undefined; readonly data: unknown };

/** What a reader is told to send. */
export type Follow = {
  readonly token?: string | undefined;
  /** Sent as Last-Event-ID. */
  readonly last?: string | number;
  readonly query?: string;
};

/** A raw reader of a live stream over a socket of its own: takes the text apart as the SSE standard says. */
export class LiveReader {
  readonly messages: Message[] = [];
  /** Last id seen, of messages and of beats. */
  last: number | undefined;
  beats = 0;
  ended = false;
  readonly #sent: ClientRequest;
  #response: IncomingMessage | undefined;
  #text = "";
  readonly #sleepers = new Set<() => void>();

  constructor(port: number, { token, last, query = "" }: Follow) {
    this.#sent = httpRequest({
      ...{ host: "127.0.0.1", port, path: `/v1/live${query}`, agent: false },
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(last === undefined ? {} : { "last-event-id": String(last) }),
      },
    });
    this.#sent.on("error", () => this.#end());
    this.#sent.on("response", (response) => {
      this.#response = response;
      response.on("error", () => this.#end()).on("close", () => this.#end());
      response.setEncoding("utf8").on("data", (part: string) => this.#take(part));
    });
    this.#sent.end();
  }

  get status(): number | undefined {
    return this.#response?.statusCode;
  }

  get headers(): IncomingMessage["headers"] {
    return this.#response?.headers ?? {};
  }

  /** The recorded events that came. */
  get events(): CanonicalEvent[] {
    return this.messages.filter(({ event }) => event === "recorded").map(({ data }) => data as CanonicalEvent);
  }

  get ids(): (number | undefined)[] {
    return this.messages.filter(({ event }) => event === "recorded").map(({ id }) => id);
  }

  /** Waits until something holds of what came. */
  async until(holds: (reader: this) => boolean): Promise<this> {
    while (!holds(this)) {
      if (this.ended) throw new Error(`the stream ended: ${JSON.stringify(this.messages.at(-1))} ${this.#text}`);
      await new Promise<void>((resolve) => this.#sleepers.add(resolve));
      this.#sleepers.clear();
    }
    return this;
  }

  /** Waits until the connection is gone. */
  async end(): Promise<this> {
    while (!this.ended) await new Promise<void>((resolve) => this.#sleepers.add(resolve));
    return this;
  }

  /** Takes nothing more from the socket. */
  pause(): void {
    this.#response?.pause();
  }

  close(): void {
    this.#sent.destroy();
  }

  #take(part: string): void {
    this.#text += part;
    if (this.status !== 200) return;
    const blocks = this.#text.split("\n\n");
    this.#text = blocks.pop() ?? "";
    for (const block of blocks) this.#read(block);
    this.#wake();
  }

  #read(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      fields.set(line.slice(0, at), line.slice(at + 1).trim());
    }
    const id = fields.get("id");
    if (id !== undefined) this.last = Number(id);
    if (fields.has("")) this.beats += 1;
    const data = fields.get("data");
    if (data === undefined) return;
    const event = fields.get("event") ?? "message";
    this.messages.push({ event, id: id === undefined ? undefined : Number(id), data: JSON.parse(data) });
  }

  #end(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#sleepers) wake();
    this.#sleepers.clear();
  }
}
