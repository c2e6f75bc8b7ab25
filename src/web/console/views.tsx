import { Overview } from "./overview.js";
import type { View } from "./view.js";

/** The navigation, in its order. The first is shown where the address names none. */
export const views: readonly View[] = [
  { name: "overview", title: "Overview", show: (props) => <Overview {...props} /> },
];
