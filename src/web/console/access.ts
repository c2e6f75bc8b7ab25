import type { ControlRole } from "../../contracts/access.js";

/** Whether the control plane would answer a route of these roles: what it would refuse is not offered. */
export function may(me: { readonly roles: readonly ControlRole[] }, ...roles: readonly ControlRole[]): boolean {
  return me.roles.some((role) => roles.includes(role));
}
