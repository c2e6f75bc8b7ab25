import type { Preview } from "../../contracts/approval.js";
import type { IntentHead } from "../../contracts/control.js";

/** A fact that a person should weigh. `grave` is what can do harm. */
export type RiskFact = { readonly grave: boolean; readonly words: string };

const effectFacts: Readonly<Record<Preview["effects"], RiskFact>> = {
  write: { grave: true, words: "It writes. What it changes is not undone by denying it afterwards." },
  read: { grave: false, words: "It reads, and changes nothing." },
  none: { grave: false, words: "It has no effect outside of its own memory." },
};

type Capability = Preview["grants"]["capabilities"][number]["name"];

/** What a capability lets a plugin do, where that is more than reading files and its own keys. */
const capabilityFacts: Readonly<Partial<Record<Capability, string>>> = {
  http_request: "It may ask other hosts over the network, as its grant says.",
  fs_write: "It may write files.",
  fs_append: "It may append to files.",
  fs_remove: "It may remove files.",
  fs_rename: "It may rename files.",
  fs_mkdir: "It may make folders.",
  kv_put: "It may write stored keys.",
  kv_delete: "It may delete stored keys.",
};

/**
 * What there is to weigh about an action: what it may do, and what came of the same actor's same action before. `before`:
 * earlier intents, newest first; `more` when there are older ones than these.
 */
export function riskFacts(
  { effects, grants }: Pick<Preview, "effects" | "grants">,
  before: readonly Pick<IntentHead, "state">[] | null,
  more = false,
): readonly RiskFact[] {
  const facts = [effectFacts[effects]];
  for (const { name } of grants.capabilities) {
    const words = capabilityFacts[name];
    if (words !== undefined) facts.push({ grave: true, words });
  }
  if (grants.capabilities.length === 0) facts.push({ grave: false, words: "It is granted no capability." });
  if (before !== null) facts.push(beforeFact(before, more));
  return facts;
}

function beforeFact(before: readonly Pick<IntentHead, "state">[], more: boolean): RiskFact {
  if (before.length === 0) return { grave: true, words: "This actor has not asked for this action before." };
  const counts = new Map<string, number>();
  for (const { state } of before) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([state, count]) => `${count} ${state.replaceAll("_", " ")}`);
  const times = before.length === 1 ? "once" : `${before.length} times`;
  return {
    grave: false,
    words: `This actor asked for this action ${more ? "at least " : ""}${times} before: ${parts.join(", ")}.`,
  };
}
