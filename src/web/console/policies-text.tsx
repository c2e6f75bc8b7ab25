import { type AnyPolicy, isCedar } from "../../contracts/policy-cedar.js";
import { formatCount } from "../../replay/story/format.js";
import { visible } from "../visible.js";
import { ruleRow } from "./policies-rules.js";
import { Document, State } from "./shown.js";

/** Rules shown as rows; the document has all. */
const shownRules = 500;

/** A policy for reading: its rules as a table, or Cedar's own text; and the document itself. */
export function PolicyText({ policy }: { readonly policy: AnyPolicy }) {
  return (
    <>
      {isCedar(policy) ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
        <pre tabIndex={0}>{visible(policy.policies, true)}</pre>
      ) : (
        <Rules rules={policy.rules} />
      )}
      <details>
        <summary>The document</summary>
        <Document value={policy} />
      </details>
    </>
  );
}

function Rules({ rules }: { readonly rules: Parameters<typeof ruleRow>[0][] }) {
  return (
    <div class="wide">
      <table class="rules">
        <thead>
          <tr>
            <th scope="col">rule and verdict</th>
            <th scope="col">where</th>
            <th scope="col">asks for</th>
          </tr>
        </thead>
        <tbody>
          {rules.slice(0, shownRules).map((rule) => {
            const { id, verdict, conditions, obligations, rationale } = ruleRow(rule);
            return (
              <tr key={rule.id}>
                <th scope="row">
                  <bdi>{id}</bdi>
                  <br />
                  <State state={verdict} />
                </th>
                <td>
                  <Lines lines={conditions} empty="anything" />
                </td>
                <td>
                  <Lines lines={obligations} empty="" />
                  {rationale !== "" && (
                    <p class="quiet">
                      <bdi>{rationale}</bdi>
                    </p>
                  )}
                </td>
              </tr>
            );
          })}
          <tr>
            <th scope="row">
              default
              <br />
              <State state="deny" />
            </th>
            <td>whatever no rule above matches</td>
            <td />
          </tr>
        </tbody>
      </table>
      {rules.length > shownRules && <p class="quiet">The first of {formatCount(rules.length)} rules.</p>}
    </div>
  );
}

function Lines({ lines, empty }: { readonly lines: readonly string[]; readonly empty: string }) {
  if (lines.length === 0) return <span class="quiet">{empty}</span>;
  return (
    <ul>
      {lines.map((line) => (
        <li key={line}>
          <bdi>{line}</bdi>
        </li>
      ))}
    </ul>
  );
}
