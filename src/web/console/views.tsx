import { Activity } from "./activity.js";
import { Approval } from "./approval.js";
import { Approvals } from "./approvals.js";
import { InDoubt } from "./in-doubt.js";
import { Intent } from "./intent.js";
import { Intents } from "./intents.js";
import { KillSwitch } from "./kill-switch.js";
import { Overview } from "./overview.js";
import { Plugins } from "./plugins.js";
import { Policies } from "./policies.js";
import { ProposalView } from "./policies-proposal.js";
import type { View } from "./view.js";

const isId = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The navigation, in its order. The first is shown where the address names none. */
export const views: readonly View[] = [
  { name: "overview", title: "Overview", show: (props) => <Overview {...props} /> },
  {
    name: "approvals",
    title: "Approvals",
    show: (props) =>
      isId.test(props.path[0] ?? "") ? <Approval key={props.path[0]} {...props} /> : <Approvals {...props} />,
  },
  {
    name: "intents",
    title: "Intents",
    show: (props) =>
      isId.test(props.path[0] ?? "") ? <Intent key={props.path[0]} {...props} /> : <Intents {...props} />,
  },
  { name: "in-doubt", title: "In doubt", show: (props) => <InDoubt {...props} /> },
  { name: "activity", title: "Activity", show: (props) => <Activity {...props} /> },
  {
    name: "policies",
    title: "Policies",
    show: (props) =>
      props.path[0] === undefined ? <Policies {...props} /> : <ProposalView key={props.path[0]} {...props} />,
  },
  { name: "plugins", title: "Plugins", show: (props) => <Plugins {...props} /> },
  { name: "kill-switch", title: "Kill switch", show: (props) => <KillSwitch {...props} /> },
];
