import { argument, type CommandRow, home, json, option } from "./command-row.js";

/** The commands on keys, in the order of the help. */
export const keyRows: readonly CommandRow[] = [
  {
    path: ["keys", "new"],
    about: "make a key pair for one role",
    args: [],
    options: [
      () => option("--role <role>", "what it may sign, such as publisher or approver")().makeOptionMandatory(),
      () => option("--id <id>", "whose key it is; a publisher's is what manifests name")().makeOptionMandatory(),
      () => option("-o, --out <file>", "the key file to make")().makeOptionMandatory(),
      option("--trust <file>", "a trust file to add the public half to"),
      json,
    ],
    example: "exoarmur keys new --role publisher --id acme -o publisher.key --trust .exoarmur/trust.json",
    load: async () => (await import("./commands/keys-new.js")).newKey,
  },
  {
    path: ["keys", "list"],
    about: "list a home's key files: role, key id, permissions, and where trust.json names them",
    args: [],
    options: [home, json],
    example: "exoarmur keys list",
    load: async () => (await import("./commands/keys-list.js")).listHomeKeys,
  },
  {
    path: ["keys", "export"],
    about: "print the public half of a key: trust.json entry, verifier key, PEM, raw",
    args: [argument("<key>", "a role, for the home's key of it, or a key file")],
    options: [
      () => option("--as <form>", "print this form alone")().choices(["entry", "vkey", "pem", "raw"]).conflicts("json"),
      home,
      json,
    ],
    example: "exoarmur keys export log --as vkey",
    load: async () => (await import("./commands/keys-export.js")).exportKey,
  },
  {
    path: ["keys", "rotate"],
    about: "put a new key in the place of one, from the present end of the log on; recorded in the log",
    args: [argument("<key>", "a role, for the home's key of it, or a key file")],
    options: [home, json],
    example: "exoarmur keys rotate runtime",
    load: async () => (await import("./commands/keys-rotate.js")).rotateHomeKey,
  },
  {
    path: ["keys", "revoke"],
    about: "end a key at a log index, which may lie in the past; recorded in the log",
    args: [argument("<key-id>", "32 hexadecimal digits, as keys list shows them")],
    options: [
      option("--from <index>", "the first log index at which it counts no more; default the present end of the log"),
      option("--role <role>", "which role of the key, where it has several"),
      option("--reason <text>", "why; kept in trust.json and recorded in the log"),
      home,
      json,
    ],
    example: "exoarmur keys revoke 0123456789abcdef0123456789abcdef --from 120",
    load: async () => (await import("./commands/keys-rotate.js")).revokeKey,
  },
  {
    path: ["keys", "trust"],
    about: "judge a trust file and print it; add a key, or end one at a log index",
    args: [
      argument("[change]", "add or end; default: change nothing"),
      argument("[what]", "add: a file with one entry, or -; end: the key id"),
    ],
    options: [
      option("--at <index>", "end: the first log index at which the key counts no more"),
      option("--role <role>", "end: which role of the key, where it has several"),
      option("--reason <text>", "end: why; kept in the trust file and recorded in the log"),
      option("--trust <file>", "the trust file; default trust.json of the home"),
      home,
      json,
    ],
    example: "exoarmur keys trust end 0123456789abcdef0123456789abcdef --at 120",
    load: async () => (await import("./commands/keys-trust.js")).trustKeys,
  },
];
