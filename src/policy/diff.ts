import { canonicalText } from "../canonical/jcs.js";
import type { IntentDraft } from "../contracts/intent.js";
import type { PolicyDocument, PolicyRule, PolicyVerdict } from "../contracts/policy.js";
import { type AnyPolicy, isCedar } from "../contracts/policy-cedar.js";
import type { Change } from "./change.js";
import { compareDecisions, permits } from "./compare.js";
import { type CompiledPolicy, type CompiledRule, compilePolicy } from "./compile.js";
import { type Assignment, assignments, openAtoms, parametersOf, withAssignment } from "./diff-atoms.js";
import { costOf, targetCost } from "./diff-cost.js";
import { listOf } from "./diff-literals.js";
import { targetsOf } from "./diff-targets.js";
import { draftSubject } from "./draft.js";
import { evaluatePolicy, type PolicyOutcome } from "./evaluate.js";
import { Evaluation, type PolicySubject } from "./match.js";

/** In which respect a policy allows something that another did not (spec/what-if.md, Policy diff). */
export type WideningClass =
  | "new_action"
  | "new_caller"
  | "new_target"
  | "new_parameters"
  | "new_grant"
  | "fewer_approvals"
  | "other_approvers"
  | "longer_to_approve"
  | "shorter_hold";

type Side = { readonly verdict: PolicyVerdict; readonly ruleIds: readonly string[] };

/** A request that the new policy permits further than the old one did, shown by evaluating both. */
export type Widening = {
  readonly class: WideningClass;
  readonly about: string;
  readonly before: Side;
  readonly after: Side;
  /** The request, as a draft that `policy explain` takes. */
  readonly witness: IntentDraft;
};

/**
 * `same_or_narrower` is proven: no request at all is allowed further. `undecided` says what was not decided; `widens` may
 * have such places as well.
 */
export type PolicyDiff = {
  readonly result: "same_or_narrower" | "widens" | "undecided";
  readonly widenings: readonly Widening[];
  readonly undecided: readonly string[];
  /** Requests that were tried on both policies. */
  readonly tried: number;
};

/** Requests that are tried at most, and questions about parameters that are combined at most at one place. */
const bounds = { tried: 200_000, atoms: 6, parameters: 500, shown: 100 };

/** Tenant and cell of a witness where no rule asks for one. */
const defaults = { tenantId: "default", cellId: "local" };

/** As diffPolicies for policies in either language. What Cedar policies allow is not compared: `undecided` says so. */
export function diffAny(before: AnyPolicy, after: AnyPolicy): PolicyDiff {
  if (!isCedar(before) && !isCedar(after)) return diffPolicies(before, after);
  const same = canonicalText(before) === canonicalText(after);
  const [result, undecided] = same ? (["same_or_narrower", []] as const) : (["undecided", [notCompared]] as const);
  return { result, widenings: [], undecided, tried: 0 };
}

const notCompared =
  "a policy in Cedar is compared with none but itself; backtest shows what recorded history it changes";

/**
 * Whether `after` allows anything that `before` did not. Pure, and the same for the same two documents and budget.
 *
 * @param budget steps to spend at most (see `costOf`); what lies beyond is undecided. Default: no bound but that of requests.
 */
export function diffPolicies(
  before: PolicyDocument,
  after: PolicyDocument,
  budget = Number.POSITIVE_INFINITY,
): PolicyDiff {
  // Compiling is work as well, most of it that of patterns.
  const cost = costOf([...before.rules, ...after.rules].map((rule) => ({ rule })));
  if (cost > budget) return { result: "undecided", widenings: [], undecided: [beyond(budget)], tried: 0 };
  return new Differ(compilePolicy(before), compilePolicy(after), budget).run();
}

/** How a rule asks for a name. */
type ReadNames = (rule: PolicyRule) => string | readonly string[] | undefined;

/** The members of a request that are compared with names alone, and how a rule asks for them. */
const nameMembers: readonly (readonly [keyof Names, ReadNames])[] = [
  ["tenant", ({ match }) => match.tenant],
  ["actorId", ({ match }) => match.actor?.id],
  ["actorType", ({ match }) => match.actor?.type],
  ["executor", ({ match }) => match.executor],
];

type Names = {
  readonly tenant?: string;
  readonly actorId?: string;
  readonly actorType?: string;
  readonly executor?: string;
};
type Found = {
  readonly change: Change;
  readonly draft: IntentDraft;
  readonly before: PolicyOutcome;
  readonly after: PolicyOutcome;
};

class Differ {
  readonly #old: CompiledPolicy;
  readonly #new: CompiledPolicy;
  readonly #assignment: Assignment = new Map();
  readonly #assumed: readonly [CompiledPolicy, CompiledPolicy];
  readonly #widenings = new Map<string, Widening>();
  readonly #undecided = new Set<string>();
  readonly #nobodies = new Map<ReadNames, string | undefined>();
  #tried = 0;
  readonly #budget: number;
  #spent = 0;
  /** Of the action under way: what was found, and what the old policy permits at all. */
  #found: Found[] = [];
  #permitted = { callers: new Set<string>(), targets: new Set<string>() };

  constructor(before: CompiledPolicy, after: CompiledPolicy, budget: number) {
    this.#budget = budget;
    this.#old = before;
    this.#new = after;
    this.#assumed = [withAssignment(before, this.#assignment), withAssignment(after, this.#assignment)];
  }

  run(): PolicyDiff {
    const { rules: old } = this.#old;
    const { rules: now } = this.#new;
    this.#spend(costOf(old) + costOf(now));
    for (const action of this.#over() ? [] : this.#actions()) {
      this.#spend(old.length + now.length);
      if (this.#over()) break;
      this.#found = [];
      this.#permitted = { callers: new Set(), targets: new Set() };
      this.#split(action, [...this.#old.rulesFor(action)], [...this.#new.rulesFor(action)], {}, 0);
      for (const found of this.#found) this.#keep(found);
      if (this.#tried >= bounds.tried) {
        this.#undecided.add(`more than ${bounds.tried} different requests; the rest was not tried`);
        break;
      }
    }
    if (this.#spent > this.#budget) this.#undecided.add(beyond(this.#budget));
    const widenings = [...this.#widenings.values()];
    const undecided = [...this.#undecided];
    const result = widenings.length > 0 ? "widens" : undecided.length > 0 ? "undecided" : "same_or_narrower";
    return { result, widenings, undecided: undecided.slice(0, bounds.shown), tried: this.#tried };
  }

  #spend(steps: number): void {
    this.#spent += steps;
  }

  #over(): boolean {
    return this.#tried >= bounds.tried || this.#spent > this.#budget;
  }

  /** Every action that is named, and one that is not, at the end and under each pattern. */
  #actions(): string[] {
    const patterns = [this.#old, this.#new].flatMap(({ document }) =>
      document.rules.flatMap(({ match }) => (match.action === undefined ? [] : listOf(match.action))),
    );
    const other = freshName((name) => patterns.some((pattern) => pattern.includes(name)));
    const open = patterns.flatMap((pattern) => (pattern.endsWith(".*") ? [pattern.slice(0, -1) + other] : []));
    for (const action of open)
      if (action.length > 200) this.#undecided.add(`actions under ${action.slice(0, -other.length)}`);
    const named = patterns.filter((pattern) => !pattern.endsWith("*"));
    return [...new Set([...named, ...open.filter((action) => action.length <= 200), `${other}.${other}`])].sort();
  }

  /** Splits by one name after the other; only rules that can still match are looked at further. */
  #split(action: string, old: CompiledRule[], now: CompiledRule[], names: Names, at: number): void {
    this.#spend(old.length + now.length);
    if (this.#over()) return;
    if (sameRules(old, now)) {
      // Nothing to find here; but the action is not new to a policy that permits it to these callers.
      if (old.some(({ rule }) => permits(rule))) this.#permitted.callers.add("");
      return;
    }
    const member = nameMembers[at];
    if (member === undefined) {
      this.#tryTargets(action, old, now, names);
      return;
    }
    const [name, read] = member;
    const asked = [...old, ...now].flatMap(({ rule }) => listOf(read(rule)));
    for (const value of [...new Set(asked), undefined]) {
      // Every rule is looked at for every name, which is cheaper than asking one.
      this.#spend(Math.ceil((old.length + now.length) / 16));
      if (this.#over()) return;
      const fits = ({ rule }: CompiledRule): boolean => {
        const wanted = read(rule);
        return wanted === undefined || (value !== undefined && listOf(wanted).includes(value));
      };
      // Nobody's name: one that no rule of either policy asks for.
      const chosen = value ?? (name === "executor" ? undefined : this.#nobody(read));
      const next = chosen === undefined ? names : { ...names, [name]: chosen };
      this.#split(action, old.filter(fits), now.filter(fits), next, at + 1);
    }
  }

  /** A name that no rule of either policy asks for, or undefined when none asks for any. */
  #nobody(read: ReadNames): string | undefined {
    if (!this.#nobodies.has(read)) {
      const known = new Set(
        [this.#old, this.#new].flatMap(({ document }) => document.rules.flatMap((rule) => listOf(read(rule)))),
      );
      this.#nobodies.set(read, known.size === 0 ? undefined : freshName((name) => known.has(name)));
    }
    return this.#nobodies.get(read);
  }

  #tryTargets(action: string, old: readonly CompiledRule[], now: readonly CompiledRule[], names: Names): void {
    const all = [...old, ...now];
    const cost = costOf(all);
    // Texts of targets are compared with each other.
    this.#spend(cost + targetCost(all));
    if (this.#over()) return;
    const { targets, gaps } = targetsOf(all.map(({ rule }) => rule));
    for (const gap of gaps) this.#undecided.add(`${action}: ${gap}`);
    for (const target of targets) {
      this.#spend(cost);
      if (this.#over()) return;
      const draft: IntentDraft = {
        ...(names.tenant === undefined ? {} : { tenantId: names.tenant }),
        actor: { id: names.actorId ?? "anybody", type: names.actorType ?? "agent" },
        action,
        ...(target === undefined ? {} : { target }),
        ...(names.executor === undefined ? {} : { executor: names.executor }),
        parameters: {},
      };
      const evaluation = new Evaluation(draftSubject(draft, defaults), this.#old.pointers);
      const atoms = [
        ...openAtoms(old, evaluation),
        ...openAtoms(now, new Evaluation(draftSubject(draft, defaults), this.#new.pointers)),
      ];
      this.#tryOne(draft, all, [...new Set(atoms)]);
    }
  }

  #tryOne(draft: IntentDraft, rules: readonly CompiledRule[], atoms: readonly string[]): void {
    if (atoms.length === 0) {
      this.#compare(draft, rules);
      return;
    }
    // First the cheap proof: if no answers at all widen, no parameters do.
    const why = this.#couldWiden(draft, rules, atoms);
    const before = this.#found.length;
    for (const parameters of parametersOf(
      rules.map(({ rule }) => rule),
      bounds.parameters,
    ))
      this.#compare({ ...draft, parameters }, rules);
    if (why !== null && this.#found.length === before) this.#undecided.add(`${draft.action}: ${why}`);
  }

  #couldWiden(draft: IntentDraft, rules: readonly CompiledRule[], atoms: readonly string[]): string | null {
    if (atoms.length > bounds.atoms)
      return `more than ${bounds.atoms} predicates on parameters and attestations at once`;
    const subject = draftSubject(draft, defaults);
    this.#assignment.clear();
    const cost = costOf(rules);
    for (const _ of assignments(atoms, this.#assignment)) {
      this.#spend(cost);
      if (this.#over()) return null;
      const [before, after] = this.#assumed.map((policy) => evaluatePolicy(policy, subject)) as [
        PolicyOutcome,
        PolicyOutcome,
      ];
      const open = compareDecisions(before, after, draft.target).find(({ direction }) => direction !== "narrows");
      if (open !== undefined) {
        const rules = `${before.ruleIds.join(", ")} -> ${after.ruleIds.join(", ")}`;
        return `${rules} depends on parameters or attestations`;
      }
    }
    return null;
  }

  /** Judges one whole request under both policies. */
  #compare(draft: IntentDraft, rules: readonly CompiledRule[]): void {
    this.#spend(costOf(rules));
    if (this.#over()) return;
    this.#tried++;
    const subject = draftSubject(draft, defaults);
    const before = evaluatePolicy(this.#old, subject);
    const after = evaluatePolicy(this.#new, subject);
    if (permits(before)) {
      this.#permitted.callers.add(callerOf(subject));
      this.#permitted.targets.add(placeOf(subject));
    }
    for (const change of compareDecisions(before, after, draft.target)) {
      if (change.direction === "widens") this.#found.push({ change, draft, before, after });
      if (change.direction === "unknown") {
        this.#undecided.add(
          `${draft.action}: ${change.about} under ${before.ruleIds.join(", ")} -> ${after.ruleIds.join(", ")}`,
        );
      }
    }
  }

  #keep({ change, draft, before, after }: Found): void {
    const kind = change.class === "permission" ? this.#permissionClass(draft) : classes[change.class];
    const key = canonicalText([kind, draft.action, change.about, before.ruleIds, after.ruleIds]);
    if (this.#widenings.has(key) || this.#widenings.size >= bounds.shown) return;
    const side = ({ verdict, ruleIds }: PolicyOutcome): Side => ({ verdict, ruleIds });
    this.#widenings.set(key, {
      class: kind,
      about: change.about,
      before: side(before),
      after: side(after),
      witness: draft,
    });
  }

  /** What is new about a request that the old policy denied: the first of action, caller, target, parameters. */
  #permissionClass(draft: IntentDraft): WideningClass {
    const subject = draftSubject(draft, defaults);
    const { callers, targets } = this.#permitted;
    if (callers.size === 0) return "new_action";
    if (!callers.has(callerOf(subject))) return "new_caller";
    return targets.has(placeOf(subject)) ? "new_parameters" : "new_target";
  }
}

const classes: Readonly<Record<Exclude<Change["class"], "permission">, WideningClass>> = {
  approvals: "fewer_approvals",
  approvers: "other_approvers",
  expiry: "longer_to_approve",
  hold: "shorter_hold",
  grant: "new_grant",
};

function callerOf({ intent }: PolicySubject): string {
  return canonicalText([intent.tenantId, intent.actor, intent.executor?.name ?? null]);
}

function placeOf(subject: PolicySubject): string {
  return canonicalText([callerOf(subject), subject.intent.target ?? null]);
}

function beyond(budget: number): string {
  return `more than ${budget} steps; the rest was not tried`;
}

/** Rules that decide alike, whatever they are called. */
function sameRules(old: readonly CompiledRule[], now: readonly CompiledRule[]): boolean {
  return old.length === now.length && old.every((rule, at) => textOf(rule) === textOf(now[at]));
}

const texts = new WeakMap<PolicyRule, string>();

function textOf(compiled: CompiledRule | undefined): string {
  if (compiled === undefined) return "";
  const { rule } = compiled;
  const known = texts.get(rule);
  if (known !== undefined) return known;
  const text = canonicalText({ match: rule.match, verdict: rule.verdict, obligations: rule.obligations ?? {} });
  texts.set(rule, text);
  return text;
}

function freshName(taken: (name: string) => boolean): string {
  for (let n = 0; ; n++) {
    const name = n === 0 ? "other" : `other-${n}`;
    if (!taken(name)) return name;
  }
}
