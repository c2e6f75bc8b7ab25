import { useState } from "preact/hooks";
import type { z } from "zod";
import type { Flip } from "../../contracts/backtest.js";
import { policyReplies } from "../../contracts/control-policies.js";
import { formatCount } from "../../replay/story/format.js";
import type { Api } from "./api.js";
import { Failure, Given, State } from "./shown.js";

/** What came of a backtest. */
export type Backtested = z.infer<typeof policyReplies.backtest>;

type BacktestProps = {
  readonly api: Api;
  readonly digest: string;
  readonly result: Backtested | null;
  readonly onResult: (result: Backtested) => void;
};

/** Recorded decisions judged again under a proposed policy. Nothing is recorded by it. */
export function BacktestOf({ api, digest, result, onResult }: BacktestProps) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const run = (): void => {
    setBusy(true);
    setError(null);
    api
      .post(policyReplies.backtest, `/v1/policies/${encodeURIComponent(digest)}/backtest`, {})
      .then(onResult, setError)
      .finally(() => setBusy(false));
  };
  return (
    <>
      <h2 id="backtest">Backtest</h2>
      <p class="quiet">The decisions that were recorded, judged again under this policy.</p>
      <div class="buttons backtest">
        <button type="button" disabled={busy} onClick={run}>
          {busy ? "Judging again" : result === null ? "Run the backtest" : "Run it again"}
        </button>
      </div>
      <Failure error={error} />
      <div role="status">{result !== null && <p class="standing">{backtestWords(result)}</p>}</div>
      {result !== null && result.backtest.flips.length > 0 && <Flips flips={result.backtest.flips} />}
      {result !== null && result.backtest.notCheckable.length > 0 && (
        <details>
          <summary>{formatCount(result.backtest.counts.notCheckable)} could not be judged</summary>
          <ul class="rows">
            {result.backtest.notCheckable.map(({ intentId, code, message }) => (
              <li key={intentId}>
                <a href={`#/intents/${intentId}`}>{intentId}</a> <code>{code}</code> <Given text={message} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** A backtest in one sentence, with what it did not look at. */
export function backtestWords({ backtest: { counts }, complete }: Backtested): string {
  const { decisions, flips, notCheckable } = counts;
  const flipped = flips === 0 ? "none would have been another" : `${formatCount(flips)} would have been another`;
  const open = notCheckable === 0 ? "" : `, ${formatCount(notCheckable)} could not be judged`;
  const rest = complete ? "" : " Older decisions were not looked at.";
  return `Of ${formatCount(decisions)} decisions ${flipped}${open}.${rest}`;
}

function Flips({ flips }: { readonly flips: readonly Flip[] }) {
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">action and target</th>
            <th scope="col">by</th>
            <th scope="col">was</th>
            <th scope="col">would be</th>
          </tr>
        </thead>
        <tbody>
          {flips.map(({ intentId, action, target, actor, recorded, candidate }, index) => (
            // An intent that waited was decided twice.
            <tr key={`${intentId} ${index}`}>
              <td>
                <a href={`#/intents/${intentId}`}>
                  <Given text={action} short />
                </a>{" "}
                {target !== null && <Given text={target} short />}
              </td>
              <td>
                <Given text={actor} short />
              </td>
              <td>
                <Side {...recorded} />
              </td>
              <td>
                <Side {...candidate} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A verdict and the rules that gave it. */
export function Side({ verdict, ruleIds }: { readonly verdict: string; readonly ruleIds: readonly string[] }) {
  return (
    <>
      <State state={verdict} />{" "}
      <span class="quiet">
        by <Given text={ruleIds.join(", ")} short />
      </span>
    </>
  );
}
