import { z } from "zod";
import type { ActionIntent } from "./intent.js";

/** How far an action goes, from looking to what cannot be undone. */
export const actionClasses = ["A0_observe", "A1_soft_containment", "A2_hard_containment", "A3_irreversible"] as const;

/** One action class. */
export const actionClassSchema = z.enum(actionClasses);

/** How far an action goes. */
export type ActionClass = z.infer<typeof actionClassSchema>;

/** Classes that need an operator's approval when the flag asks for it (spec/safety.md, Action classes). */
export const operatorClasses: readonly ActionClass[] = ["A2_hard_containment", "A3_irreversible"];

/**
 * The class of an intent: what `context.actionClass` says, and never less than what its function may do. A function that
 * writes counts as A2 whatever the requester calls it, and a word that is no class as A3: the requester's own word can
 * only ask for more care.
 */
export function actionClassOf(intent: Pick<ActionIntent, "context">, effects: "none" | "read" | "write"): ActionClass {
  const least: ActionClass = effects === "write" ? "A2_hard_containment" : "A0_observe";
  const { context } = intent;
  if (context === undefined || !Object.hasOwn(context, "actionClass")) return least;
  const declared = actionClassSchema.safeParse(context["actionClass"]);
  if (!declared.success) return "A3_irreversible";
  return actionClasses.indexOf(declared.data) > actionClasses.indexOf(least) ? declared.data : least;
}
