import { argument, type CommandRow, home, json, option } from "./command-row.js";

/** The commands about policies: what one says, said, or would have said. */
export const policyRows: readonly CommandRow[] = [
  {
    path: ["policy", "explain"],
    about: "how every rule answers for a recorded intent or a draft, and which one decides",
    args: [argument("<intent>", "id of a recorded intent, an intent file, or - for standard input")],
    options: [home, option("--policy <file>", "another policy than the recorded one, or the home's"), json],
    example: "exoarmur policy explain 01KA4X6F7J2Z8Q0V5N3T9RBCDE",
    load: async () => (await import("./commands/policy-explain.js")).explain,
  },
  {
    path: ["policy", "diff"],
    about: "whether a policy allows anything that another did not, with a request that shows it",
    args: [argument("<old>", "the policy as it is"), argument("<new>", "the policy as it would be")],
    options: [json],
    example: "exoarmur policy diff .exoarmur/policy.json next.yaml",
    load: async () => (await import("./commands/policy-diff.js")).diff,
  },
  {
    path: ["policy", "shadow"],
    about: "what the candidate of shadow mode said beside the policy in force, and where it would have differed",
    args: [],
    options: [
      option("--since <time>", "decisions from this day or time on, UTC"),
      option("--until <time>", "decisions before this day or time, UTC"),
      option("--tenant <id>", "one tenant only"),
      option("--fail-on-flip", "end with 1 when the candidate would have decided otherwise"),
      home,
      json,
    ],
    example: "exoarmur policy shadow --since 2026-01-01 --fail-on-flip",
    load: async () => (await import("./commands/policy-shadow.js")).shadow,
  },
  {
    path: ["policy", "test"],
    about: "run the cases beside a policy: which request must get which verdict",
    args: [argument("<path...>", "*.cases.json files, or folders with them")],
    options: [option("--policy <file>", "the policy; default the policy.json, .yaml or .yml beside the cases"), json],
    example: "exoarmur policy test policies --policy .exoarmur/policy.json",
    load: async () => (await import("./commands/policy-test.js")).testPolicy,
  },
  {
    path: ["backtest"],
    about:
      "every recorded policy decision under a candidate policy: what would have been decided otherwise, by which rule",
    args: [],
    options: [
      option("--policy <file>", "the candidate, JSON or YAML"),
      option("--plugin <file>", "instead: a module NAME.wasm for every recorded run of the executor NAME"),
      option("--since <time>", "decisions from this day or time on, UTC"),
      option("--until <time>", "decisions before this day or time, UTC"),
      option("--tenant <id>", "one tenant only"),
      option("--fail-on-flip", "end with 1 when a decision would have been another"),
      home,
      json,
    ],
    example: "exoarmur backtest --policy next.yaml --since 2026-01-01 --fail-on-flip",
    load: async () => (await import("./commands/backtest.js")).backtest,
  },
];
