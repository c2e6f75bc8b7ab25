import { argument, type CommandRow, collect, home, json, option } from "./command-row.js";

/** The commands of the control plane, in the order of the help. */
export const controlRows: readonly CommandRow[] = [
  {
    path: ["tokens", "new"],
    about: "make a bearer token for the control plane; printed once, kept as a digest",
    args: [],
    options: [
      option("--actor <id>", "the agent whose intents it hands in"),
      option("--type <type>", "what sort of actor that is; default agent"),
      () =>
        option("--action <action>", "an action it may ask for, such as fs.read or fs.*; can be given again")()
          .argParser(collect)
          .conflicts("viewer"),
      () => option("--viewer", "for reading alone, instead of --actor and --action")().conflicts(["actor", "type"]),
      option("--tenant <id>", "the one tenant it is for; default the home's"),
      option("--days <n>", "how long it counts, 1 to 366; default 30"),
      home,
      json,
    ],
    example: "exoarmur tokens new --actor report-agent --action 'table.*' --days 7",
    load: async () => (await import("./commands/tokens.js")).newToken,
  },
  {
    path: ["tokens", "list"],
    about: "list tokens: whose, for which tenant and actions, and until when; never a secret",
    args: [],
    options: [home, json],
    example: "exoarmur tokens list",
    load: async () => (await import("./commands/tokens.js")).showTokens,
  },
  {
    path: ["tokens", "revoke"],
    about: "end a token at once, also at a control plane that runs",
    args: [argument("<token>", "id of the token")],
    options: [home, json],
    example: "exoarmur tokens revoke 01KA4X6F7J2Z8Q0V5N3T9RBCDE",
    load: async () => (await import("./commands/tokens.js")).endToken,
  },
];
