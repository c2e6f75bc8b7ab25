import type { ControlRole } from "../../contracts/access.js";
import type { Me } from "./view.js";

/** Whether the control plane would answer a route of these roles: what it would refuse is not offered. */
export function may(me: Pick<Me, "roles">, ...roles: readonly ControlRole[]): boolean {
  return me.roles.some((role) => roles.includes(role));
}
