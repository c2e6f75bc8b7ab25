import type { IntentHead } from "../../contracts/control.js";
import { Given, Moment, State } from "./shown.js";
import type { Me } from "./view.js";

type TableProps = { readonly intents: readonly IntentHead[]; readonly me: Pick<Me, "tenants"> };

/** Intents in rows, each with a link to its own view. */
export function IntentTable({ intents, me }: TableProps) {
  if (intents.length === 0) return <p class="quiet">None.</p>;
  // Whoever has one tenant needs no column that says so.
  const many = me.tenants === null || me.tenants.length > 1;
  return (
    <div class="wide">
      <table class="intents">
        <thead>
          <tr>
            <th scope="col" class="at">
              recorded (UTC)
            </th>
            <th scope="col" class="is">
              state
            </th>
            <th scope="col">action and target</th>
            <th scope="col" class="by">
              by
            </th>
            {many && (
              <th scope="col" class="by">
                tenant
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {intents.map(({ intentId, receivedAt, state, action, target, actor, tenantId }) => (
            <tr key={intentId}>
              <td>
                <Moment time={receivedAt} brief />
              </td>
              <td>
                <State state={state} />
              </td>
              <td>
                <a href={`#/intents/${intentId}`}>{action === null ? "dropped" : <Given text={action} short />}</a>{" "}
                {target !== null && <Given text={target} short />}
              </td>
              <td class="by">
                <Given text={actor.id} short />
              </td>
              {many && (
                <td class="by">
                  <Given text={tenantId} short />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
