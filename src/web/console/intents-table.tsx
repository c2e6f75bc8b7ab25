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
            <th scope="col">recorded</th>
            <th scope="col">state</th>
            <th scope="col">action</th>
            <th scope="col">target</th>
            <th scope="col">by</th>
            {many && <th scope="col">tenant</th>}
          </tr>
        </thead>
        <tbody>
          {intents.map(({ intentId, receivedAt, state, action, target, actor, tenantId }) => (
            <tr key={intentId}>
              <td>
                <Moment time={receivedAt} />
              </td>
              <td>
                <State state={state} />
              </td>
              <td>
                <a href={`#/intents/${intentId}`}>{action === null ? "dropped" : <Given text={action} short />}</a>
              </td>
              <td>{target === null ? <span class="quiet">none</span> : <Given text={target} short />}</td>
              <td>
                <Given text={actor.id} short />
              </td>
              {many && (
                <td>
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
