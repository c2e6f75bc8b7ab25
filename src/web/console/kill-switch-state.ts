import type { z } from "zod";
import type { replies } from "../../contracts/control.js";
import { visible } from "../visible.js";

/** The kill switches as the control plane shows them. */
export type KillSwitchView = z.infer<typeof replies.killSwitch>;

/** Why nothing starts, or not in some tenants, in one sentence; null while no switch is on that the viewer sees. */
export function stopWords({ global, tenants, killFile }: KillSwitchView): string | null {
  const stopped = Object.keys(tenants).filter((tenantId) => tenants[tenantId]);
  if (killFile && global) return "The KILL file stands and the kill switch is on: nothing starts.";
  if (killFile) return "The KILL file stands in the home: nothing starts.";
  if (global) return "The kill switch is on for every tenant: nothing starts.";
  if (stopped.length === 0) return null;
  const names = stopped.slice(0, 5).map((tenantId) => visible(tenantId));
  const more = stopped.length > names.length ? ` and ${stopped.length - names.length} more` : "";
  return `The kill switch is on for ${names.join(", ")}${more}: nothing starts there.`;
}
