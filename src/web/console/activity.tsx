import { replies } from "../../contracts/control.js";
import { eventPayloads } from "../../contracts/event.js";
import { may } from "./access.js";
import { EventList } from "./activity-list.js";
import { Pages, pageItems } from "./list-pages.js";
import type { ViewProps } from "./view.js";

const eventTypes = Object.keys(eventPayloads).sort();

/** Everything that was recorded and the viewer may see, newest first: of intents, and of the cell itself. */
export function Activity({ api, me, path }: ViewProps) {
  const type = eventTypes.find((one) => one === path[0]);
  const query = new URLSearchParams({ limit: String(pageItems), ...(type === undefined ? {} : { eventType: type }) });
  return (
    <section aria-labelledby="activity-title">
      <h1 id="activity-title">Activity</h1>
      {may(me, "viewer") ? (
        <>
          <div class="filters">
            <div class="field">
              <label for="event-type">Event</label>
              <select
                id="event-type"
                value={type ?? ""}
                onChange={(event) => {
                  location.hash = `#/activity/${event.currentTarget.value}`;
                }}
              >
                <option value="">any</option>
                {eventTypes.map((one) => (
                  <option key={one} value={one}>
                    {one.replaceAll("_", " ")}
                  </option>
                ))}
              </select>
            </div>
          </div>
          <Pages
            key={type ?? ""}
            api={api}
            schema={replies.events}
            path={`/v1/events?${query}`}
            say={({ eventType }) => eventType.replaceAll("_", " ")}
            show={(events) => <EventList events={events} label="Events, newest first" mixed />}
          />
        </>
      ) : (
        <p class="quiet">Activity is shown to viewers.</p>
      )}
    </section>
  );
}
