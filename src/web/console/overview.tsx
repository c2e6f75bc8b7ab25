import type { ViewProps } from "./view.js";

/** What runs, what waits, and whether anything may. */
export function Overview({ me }: ViewProps) {
  return (
    <section aria-labelledby="overview-title">
      <h1 id="overview-title">Cell {me.cellId}</h1>
    </section>
  );
}
