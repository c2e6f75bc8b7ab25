import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A shipment as the API was asked for it. */
export type Shipment = { readonly order: string; readonly effectId: string };

/** Where a request for a shipment has come to. */
export type Moment = "asked" | "shipped" | "answered";

/** An API that ships orders: `GET /v1/orders`, `POST /v1/shipments`. It does twice what it is asked twice. */
export class OrdersApi {
  readonly shipments: Shipment[] = [];
  /** Milliseconds before and after a shipment is made, so that a caller can die on either side of it. */
  pauseMs = 0;
  /** Told of every request before its shipment is made, after that, and after it was answered. */
  onMoment: (moment: Moment) => void = () => undefined;
  readonly #orders: readonly string[];
  readonly #server: Server;
  #busy = 0;

  constructor(orders: readonly string[]) {
    this.#orders = orders;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      this.#busy += 1;
      response.once("close", () => (this.#busy -= 1));
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => void this.#answer(request, Buffer.concat(chunks).toString("utf8"), response));
    });
  }

  async #answer({ method, url, headers }: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
    const answer = (status: number, document: object): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));
    };
    if (method === "GET" && url === "/v1/orders") return answer(200, { orders: this.#orders });
    if (method !== "POST" || url !== "/v1/shipments") return answer(404, {});
    const { order } = JSON.parse(body) as { order: string };
    this.onMoment("asked");
    await sleep(this.pauseMs);
    this.shipments.push({ order, effectId: String(headers["idempotency-key"]) });
    this.onMoment("shipped");
    await sleep(this.pauseMs);
    answer(201, { order, shipment: `shipment-${order}` });
    this.onMoment("answered");
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Waits until nothing that was asked is still being done. */
  async quiet(): Promise<void> {
    for (let still = 0; still < 3; still = this.#busy === 0 ? still + 1 : 0) await sleep(20);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
