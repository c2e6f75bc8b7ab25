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
];
