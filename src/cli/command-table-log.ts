import { argument, type CommandRow, collect, home, json, option, trust } from "./command-row.js";

const vkey = () =>
  option("--vkey <key>", "verifier key of a log, name+hash+key; can be given again")().argParser(collect);

const dir = (about: string) => () => option("--dir <dir>", about)().conflicts("home");

const dirTrust = option("--trust <file>", "trust file: the keys of logs and witnesses, for --dir");

/** The commands on logs, in the order of the help. */
export const logRows: readonly CommandRow[] = [
  {
    path: ["log", "check"],
    about: "audit the whole store against its log, or an export of a log without its store",
    args: [],
    options: [
      home,
      dir("audit what log export wrote instead of a home"),
      option("--since <file>", "an earlier checkpoint that the log must begin with"),
      vkey,
      dirTrust,
      json,
    ],
    example: "exoarmur log check --since checkpoint.txt",
    load: async () => (await import("./commands/log-check.js")).checkLog,
  },
  {
    path: ["log", "checkpoint"],
    about: "print the newest signed checkpoint",
    args: [],
    options: [home, json],
    example: "exoarmur log checkpoint > checkpoint.txt",
    load: async () => (await import("./commands/log-checkpoint.js")).printCheckpoint,
  },
  {
    path: ["log", "consistency"],
    about: "prove that the log of NEW entries begins with that of OLD",
    args: [argument("<old>", "number of entries, from 1"), argument("<new>", "number of entries, up to the log's")],
    options: [
      home,
      dir("prove it from what log export or log import wrote instead of a home"),
      vkey,
      dirTrust,
      option("-o, --out <file>", "write the proof here instead of to standard output"),
      json,
    ],
    example: "exoarmur log consistency 4 12 > proof.txt",
    load: async () => (await import("./commands/log-consistency.js")).proveConsistency,
  },
  {
    path: ["log", "export"],
    about: "write the log as static tiles, entries and checkpoint, or bring an earlier export up to date",
    args: [argument("<dir>", "the folder; made when it is not there")],
    options: [home, json],
    example: "exoarmur log export public/log",
    load: async () => (await import("./commands/log-export.js")).exportTiles,
  },
  {
    path: ["log", "import"],
    about: "take a log that somebody exported into a mirror, if it is what the mirror has, grown",
    args: [argument("<dir>", "the folder that log export wrote")],
    options: [
      () => option("--into <mirror>", "the folder of the mirror; made when it is not there")().makeOptionMandatory(),
      vkey,
      trust,
      json,
    ],
    example: "exoarmur log import downloads/log --into mirror --trust trust.json",
    load: async () => (await import("./commands/log-import.js")).importTiles,
  },
  {
    path: ["log", "prove"],
    about: "prove one entry of the log or a bundle anew, or disclose one host call of a run without the others",
    args: [argument("<entry>", "number of a log entry, or an intent's id")],
    options: [
      home,
      dir("prove an entry from what log export or log import wrote instead of a home"),
      vkey,
      dirTrust,
      option("--call <seq>", "disclose this host call of the intent, numbered from 0"),
      option("-o, --out <file>", "write the proof here instead of to standard output"),
      json,
    ],
    example: "exoarmur log prove 01KA4X6F7J2Z8Q0V5N3T9RBCDE --call 0 -o call.json",
    load: async () => (await import("./commands/log-prove.js")).proveLog,
  },
  {
    path: ["log", "witness"],
    about: "cosign another log's checkpoint, if it is the one cosigned before, grown; with --serve by HTTP",
    args: [argument("[checkpoint]", "the log's signed checkpoint, or - for standard input")],
    options: [
      () => option("--key <file>", "witness key; its id is the witness's name")().makeOptionMandatory(),
      () =>
        option(
          "--state <file>",
          "the last checkpoint cosigned of this log; with --serve a folder of them",
        )().makeOptionMandatory(),
      option("--first", "begin to witness this log: there is no state file yet"),
      option("--serve", "answer logs by the C2SP witness protocol until Ctrl-C"),
      option("--port <n>", "with --serve: the port; default any that is free"),
      option("--host <address>", "with --serve: the address; default 127.0.0.1, this machine alone"),
      option("--proof <file>", "what log consistency printed, from the last checkpoint to this one"),
      vkey,
      trust,
      option("-o, --out <file>", "write the cosigned checkpoint here instead of to standard output"),
      json,
    ],
    example:
      "exoarmur log witness checkpoint.txt --key witness.key --state log.state --proof proof.txt --trust trust.json",
    load: async () => (await import("./commands/log-witness.js")).witnessLog,
  },
];
