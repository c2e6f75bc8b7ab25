import type { IncomingMessage } from "node:http";
import { ExoArmurError } from "../errors.js";
import { Buckets } from "./buckets.js";
import { AccessDenied } from "./denied.js";
import type { Desk } from "./desk.js";
import { clientAddress, type Edge } from "./edge.js";
import { hasRole, type Principal } from "./principal.js";
import type { Route } from "./route.js";

/** Whom an open route is asked by. */
const nobody: Principal = {
  name: "nobody",
  credential: "nobody",
  roles: new Set(),
  tenants: [],
  sessionId: null,
  agent: null,
};

/** Too many requests. `seconds` is after how long the next is worth a try. */
export class TooMany extends ExoArmurError {
  readonly seconds: number;

  constructor(seconds: number, message: string) {
    super("EXO_RATE", message);
    this.name = "TooMany";
    this.seconds = seconds;
  }
}

/** Lets requests in: whose they are, how many, and in which role (spec/control-plane.md, Roles and Limits). */
export class Gate {
  readonly #desk: Desk;
  readonly #edge: Edge;
  readonly #principals: Buckets;
  readonly #open: Buckets;
  readonly #signed: Buckets;
  readonly #failures: Buckets;
  readonly #inFlight = new Map<string, number>();

  constructor(desk: Desk, edge: Edge) {
    const { clock, limits } = desk;
    this.#desk = desk;
    this.#edge = edge;
    this.#principals = new Buckets(clock, limits.principal);
    this.#open = new Buckets(clock, limits.address);
    this.#signed = new Buckets(clock, limits.principal);
    this.#failures = new Buckets(clock, limits.address);
  }

  /** Who a request is by, once it may go on. EXO_AUTHENTICATION, EXO_FORBIDDEN, EXO_RATE. */
  async admit(route: Route, incoming: IncomingMessage): Promise<Principal> {
    const address = clientAddress(this.#edge, incoming);
    if (route.roles === "open" || route.roles === "signed") {
      take(route.roles === "open" ? this.#open : this.#signed, address, route.cost);
      return nobody;
    }
    const proof = await this.#desk.auth.prove(incoming.headers.authorization);
    if (!proof.proven) {
      // Guessing is slowed, and not at the cost of those who share the address and have a credential.
      take(this.#failures, address, 1);
      throw new AccessDenied("EXO_AUTHENTICATION", proof.cause, proof.error.message, proof.credential);
    }
    const { principal } = proof;
    const { credential } = principal;
    take(this.#principals, credential, route.cost);
    if (!hasRole(principal, route.roles)) {
      const needed = route.roles.join(" or ");
      throw new AccessDenied("EXO_FORBIDDEN", "role", `expected the role ${needed}`, credential);
    }
    if (route.tenancy === "cell" && principal.tenants !== null) {
      throw new AccessDenied("EXO_FORBIDDEN", "tenant", "expected a credential of the whole cell", credential);
    }
    return principal;
  }

  /** Goes on as whom a signed body proved. EXO_RATE. */
  async as<T>(principal: Principal, cost: number, work: () => Promise<T>): Promise<T> {
    take(this.#principals, principal.credential, cost);
    return await this.during(principal, work);
  }

  /** Does `work` as one of a principal's requests that are under way. EXO_RATE when there are too many. */
  async during<T>({ credential }: Principal, work: () => Promise<T> | T): Promise<T> {
    if (credential === nobody.credential) return await work();
    const { inFlight } = this.#desk.limits;
    const now = this.#inFlight.get(credential) ?? 0;
    if (now >= inFlight) throw new TooMany(1, `at most ${inFlight} requests of one credential are under way at once`);
    this.#inFlight.set(credential, now + 1);
    try {
      return await work();
    } finally {
      const left = (this.#inFlight.get(credential) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(credential);
      else this.#inFlight.set(credential, left);
    }
  }
}

function take(buckets: Buckets, name: string, cost: number): void {
  if (cost === 0) return;
  const seconds = buckets.take(name, cost);
  if (seconds > 0) throw new TooMany(seconds, `too many requests; try again in ${seconds} s`);
}
