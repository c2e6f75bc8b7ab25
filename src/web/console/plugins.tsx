import type { z } from "zod";
import { replies } from "../../contracts/control.js";
import { may } from "./access.js";
import { useAnswer, useTick } from "./live.js";
import { Failure, Given } from "./shown.js";
import type { ViewProps } from "./view.js";

type PluginsView = z.infer<typeof replies.plugins>;

/** The executors of the cell: what each may do, who published it, and why one was refused. */
export function Plugins({ api, me }: ViewProps) {
  const tick = useTick();
  const viewer = may(me, "viewer");
  const { value, error } = useAnswer(
    async (signal) => (viewer ? await api.get(replies.plugins, "/v1/plugins", signal) : null),
    tick,
  );
  return (
    <section aria-labelledby="plugins-title">
      <h1 id="plugins-title">Plugins</h1>
      {!viewer && <p class="quiet">Plugins are shown to viewers of the cell.</p>}
      <Failure error={error} />
      {value !== null && (
        <>
          {value.refused.length > 0 && <Refused refused={value.refused} />}
          {value.items.length === 0 && <p class="quiet">None is installed.</p>}
          {value.items.map((plugin) => (
            <Plugin key={plugin.name} plugin={plugin} />
          ))}
        </>
      )}
    </section>
  );
}

function Plugin({ plugin }: { readonly plugin: PluginsView["items"][number] }) {
  const { name, version, publisher, signed, pluginDigest, manifestDigest, functions } = plugin;
  return (
    <article class="card">
      <h2>
        <Given text={name} short />{" "}
        <span class="quiet">
          <Given text={version} short />
        </span>
      </h2>
      <dl class="facts">
        <dt>publisher</dt>
        <dd>
          {publisher === null ? "none" : <Given text={publisher} />}
          {signed ? ", manifest signed" : ", manifest not signed"}
        </dd>
        <dt>module</dt>
        <dd class="digest">{pluginDigest}</dd>
        <dt>manifest</dt>
        <dd class="digest">{manifestDigest}</dd>
      </dl>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">action</th>
              <th scope="col">function</th>
              <th scope="col">effects</th>
            </tr>
          </thead>
          <tbody>
            {functions.map((one) => (
              <tr key={one.name}>
                <td>
                  <Given text={one.action} short />
                </td>
                <td>
                  <Given text={one.name} short />
                </td>
                <td class={one.effects === "write" ? "effect write" : "effect"}>
                  <Given text={one.effects} short />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </article>
  );
}

function Refused({ refused }: { readonly refused: PluginsView["refused"] }) {
  return (
    <>
      <h2>Refused</h2>
      <ul class="refused">
        {refused.map(({ name, code, message }) => (
          <li key={name} class="problem">
            <strong>
              <Given text={name} short />
            </strong>{" "}
            <code>{code}</code> <Given text={message} />
          </li>
        ))}
      </ul>
    </>
  );
}
