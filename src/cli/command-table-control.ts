import { argument, type CommandRow, collect, home, json, option } from "./command-row.js";

/** The commands of the control plane, in the order of the help. */
export const controlRows: readonly CommandRow[] = [
  {
    path: ["serve"],
    about: "run a home and its control plane, an HTTP API for agents and operators; needs the V2 flags",
    args: [],
    options: [
      option("--port <port>", "default 7411; 0 takes a free one"),
      option("--host <address>", "default 127.0.0.1; another needs TLS, or a proxy in front"),
      option("--origin <url>", "the https address by which others reach it"),
      option("--tls-cert <file>", "certificate chain, PEM"),
      option("--tls-key <file>", "its private key, PEM"),
      option("--trust-proxy", "a proxy at --origin ends TLS in front, and names clients in X-Forwarded-For"),
      home,
      json,
    ],
    example: "EXOARMUR_FLAG_V2_FEDERATION_ENABLED=1 EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED=1 exoarmur serve",
    load: async () => (await import("./commands/serve.js")).serve,
  },
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
          .conflicts(["viewer", "monitor"]),
      () => option("--viewer", "for reading alone, instead of --actor and --action")().conflicts(["actor", "type"]),
      () =>
        option("--monitor", "for the metrics alone, as Prometheus asks for them")().conflicts([
          "actor",
          "type",
          "viewer",
        ]),
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
