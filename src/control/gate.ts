import type { IncomingMessage } from "node:http";
import { Buckets } from "./buckets.js";
import { AccessDenied } from "./denied.js";
import type { Desk } from "./desk.js";
import { clientAddress, type Edge } from "./edge.js";
import { hasRole, type Principal } from "./principal.js";
import type { Route } from "./route.js";
import { TooMany } from "./too-many.js";

/** Whom an open route is asked by. */
const nobody: Principal = {
  name: "nobody",
  credential: "nobody",
  roles: new Set(),
  tenants: [],
  sessionId: null,
  agent: null,
};

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
      take(route.roles === "open" ? this.#open : this.#signed, address, route.cost, null);
      return nobody;
    }
    const proof = await this.#desk.auth.prove(incoming.headers.authorization);
    if (!proof.proven) {
      // Guessing is slowed, and not at the cost of those who share the address and have a credential.
      take(this.#failures, address, 1, null);
      throw new AccessDenied("EXO_AUTHENTICATION", proof.cause, proof.error.message, proof.credential);
    }
    const { principal } = proof;
    take(this.#principals, principal.credential, route.cost, principal);
    requireFit(route, principal);
    return principal;
  }

  /** Goes on as whom a signed body proved. EXO_RATE. */
  async as<T>(principal: Principal, cost: number, work: () => Promise<T>): Promise<T> {
    take(this.#principals, principal.credential, cost, principal);
    const leave = this.enter(principal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /**
   * Counts one of a principal's requests as under way until the returned function is called. EXO_RATE when there are too
   * many.
   */
  enter(principal: Principal): () => void {
    const { credential } = principal;
    if (credential === nobody.credential) return () => undefined;
    const { inFlight } = this.#desk.limits;
    const now = this.#inFlight.get(credential) ?? 0;
    if (now >= inFlight) {
      const message = `at most ${inFlight} requests of one credential are under way at once`;
      throw new TooMany(1, "under_way", principal, message);
    }
    this.#inFlight.set(credential, now + 1);
    return () => {
      const left = (this.#inFlight.get(credential) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(credential);
      else this.#inFlight.set(credential, left);
    };
  }
}

/** Refuses a principal whose roles or tenants are not those of a route. EXO_FORBIDDEN. */
export function requireFit({ roles, tenancy }: Pick<Route, "roles" | "tenancy">, principal: Principal): void {
  const { credential } = principal;
  if (typeof roles !== "string" && !hasRole(principal, roles)) {
    throw new AccessDenied("EXO_FORBIDDEN", "role", `expected the role ${roles.join(" or ")}`, credential);
  }
  if (tenancy === "cell" && principal.tenants !== null) {
    throw new AccessDenied("EXO_FORBIDDEN", "tenant", "expected a credential of the whole cell", credential);
  }
}

function take(buckets: Buckets, name: string, cost: number, principal: Principal | null): void {
  if (cost === 0) return;
  const seconds = buckets.take(name, cost);
  if (seconds > 0) throw new TooMany(seconds, "rate", principal, `too many requests; try again in ${seconds} s`);
}
