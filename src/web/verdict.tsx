import { formatCount } from "../replay/story/format.js";
import type { CheckResult, CheckState } from "../verify/report.js";
import { type Findings, type Outcome, outcomeOf } from "./outcome.js";

const words: Readonly<Record<Outcome, string>> = { checking: "Checking", pass: "Pass", fail: "Fail", unable: "Unable" };

const stateWords: Readonly<Record<CheckState, string>> = {
  pass: "pass",
  fail: "fail",
  unable: "unable",
  not_applicable: "n/a",
};

/** The result in one word, in one sentence, whose keys were used, and what a pass does not prove. */
export function Verdict({ findings, onStop }: { readonly findings: Findings; readonly onStop: () => void }) {
  const outcome = outcomeOf(findings);
  const { verified, digest } = findings;
  const mode = findings.trustName === null ? "Self-check only" : "Pinned keys";
  return (
    <section class={`verdict ${outcome}`} aria-labelledby="verdict">
      <div role="status">
        <h1 id="verdict">{words[outcome]}</h1>
        <p class="sentence">{sentence(outcome, findings)}</p>
      </div>
      {outcome === "checking" && (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      )}
      <p class="mode">
        <strong>{mode}</strong> {modeWords(findings)}
      </p>
      {verified !== null && (
        <ul class="limits">
          {verified.limits
            .filter((limit) => !limit.startsWith("No trust file"))
            .map((limit) => (
              <li key={limit}>{limit}</li>
            ))}
        </ul>
      )}
      <dl class="facts">
        <dt>file</dt>
        <dd>
          {findings.name}, {formatCount(findings.bytes)} bytes
        </dd>
        {verified?.bundleDigest && <Digest label="bundle" text={verified.bundleDigest} />}
        {digest !== null && <Digest label="result" text={digest} />}
      </dl>
    </section>
  );
}

function Digest({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <>
      <dt>{label}</dt>
      <dd class="digest">{text}</dd>
    </>
  );
}

function modeWords({ trustName, call }: Findings): string {
  if (trustName !== null) return `Signatures count only by the keys of ${trustName}.`;
  return call
    ? "No trust file was given: nothing shows whose this is."
    : "The keys are the bundle's own. This shows that it is whole, not who made it: anybody could have.";
}

function sentence(outcome: Outcome, { verified, replayed, broken, call }: Findings): string {
  const wrong = verified?.checks.find(({ state }) => state === "fail");
  if (outcome === "fail") {
    const found = wrong?.message ?? replayed?.divergence?.actual ?? "";
    return wrong === undefined
      ? `The re-execution differs: ${replayed?.divergence?.step ?? ""}.`
      : `${wrong.title}: ${found}`;
  }
  if (broken !== null) return `It could not be checked to the end: ${broken}.`;
  if (outcome === "checking") {
    return verified === null
      ? "Reading and verifying the file."
      : "Verified. The plugin runs again, on its recorded answers.";
  }
  if (outcome === "unable") {
    const open =
      verified?.checks.find(({ state }) => state === "unable") ??
      replayed?.checks.find(({ state }) => state === "unable");
    return `Nothing contradicts the record, but not everything could be checked. ${open === undefined ? "" : `${open.title}: ${open.message}`}`;
  }
  if (call) return "The disclosed call is what the runtime recorded.";
  return replayed?.executions.length === 0
    ? "Every check that applies holds. Nothing was executed, so there was nothing to run again."
    : "Every check that applies holds, and the plugin, run again here, ended the same to the last unit of fuel.";
}

/** Every check with its state and what it found; those that do not hold come first. */
export function Checks({ findings }: { readonly findings: Findings }) {
  const { verified, replayed } = findings;
  if (verified === null) return null;
  const again = replayed?.checks.filter(({ id }) => id === "re-execution") ?? [];
  const all: readonly CheckResult[] = [...verified.checks, ...(again as readonly CheckResult[])];
  const open = all.filter(({ state }) => state === "fail" || state === "unable");
  const rest = all.filter(({ state }) => state === "pass");
  const others = all.filter(({ state }) => state === "not_applicable");
  return (
    <section aria-labelledby="checks">
      <h2 id="checks">
        Checks <span class="quiet">{counts(open, rest)}</span>
      </h2>
      <List checks={open.toSorted((a, b) => rank(a) - rank(b))} />
      {open.length === 0 ? <List checks={rest} /> : <Folded words={`${rest.length} hold`} checks={rest} />}
      <Folded words={`${others.length} not applicable`} checks={others} />
      {verified.hidden.length > 0 && (
        <p class="quiet">
          Withheld from this file: {verified.hidden.map(({ role, count }) => `${role} ${count}`).join(", ")}.
        </p>
      )}
    </section>
  );
}

function List({ checks }: { readonly checks: readonly CheckResult[] }) {
  return (
    <ul class="checks">
      {checks.map((check) => (
        <Check key={check.id} check={check} />
      ))}
    </ul>
  );
}

function Folded({ words, checks }: { readonly words: string; readonly checks: readonly CheckResult[] }) {
  if (checks.length === 0) return null;
  return (
    <details>
      <summary>{words}</summary>
      <List checks={checks} />
    </details>
  );
}

const rank = ({ state }: CheckResult): number => (state === "fail" ? 0 : 1);

function counts(open: readonly CheckResult[], rest: readonly CheckResult[]): string {
  const failed = open.filter(({ state }) => state === "fail").length;
  const parts = [`${rest.length} hold`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (open.length > failed) parts.push(`${open.length - failed} could not be made`);
  return parts.join(", ");
}

function Check({ check: { state, title, code, message } }: { readonly check: CheckResult }) {
  return (
    <li class={state}>
      <span class="state">{stateWords[state]}</span>
      <span class="title">{title}</span>
      <span class="found">
        {message}
        {code !== undefined && <span class="code"> {code}</span>}
      </span>
    </li>
  );
}
