import type { CanonicalEvent } from "../../contracts/event.js";
import { tellEvent } from "./intent-events.js";
import { Document, Given, Moment } from "./shown.js";

type EventListProps = {
  readonly events: readonly CanonicalEvent[];
  readonly label: string;
  /** They are of many intents: each says of which, and of which tenant. */
  readonly mixed?: boolean;
};

/** Events in rows: when, what, in a few words; each opens to its payload. */
export function EventList({ events, label, mixed = false }: EventListProps) {
  if (events.length === 0) return <p class="quiet">None.</p>;
  return (
    <ol class="events" aria-label={label}>
      {events.map((event) => (
        <li key={event.eventId}>
          <details>
            <summary>
              <Moment time={event.recordedAt} brief />{" "}
              <span class="title">
                <Given text={event.eventType.replaceAll("_", " ")} short />
              </span>{" "}
              <span class="telling">
                <bdi>{tellEvent(event)}</bdi>
              </span>
            </summary>
            {mixed && (
              <p class="quiet">
                Tenant <Given text={event.tenantId} short />
                {event.intentId === null ? ", of no intent" : ", of "}
                {event.intentId !== null && <a href={`#/intents/${event.intentId}`}>its intent</a>}
              </p>
            )}
            <Document value={event.payload} />
          </details>
        </li>
      ))}
    </ol>
  );
}
