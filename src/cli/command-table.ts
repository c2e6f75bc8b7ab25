import { argument, type CommandRow, collect, home, json, noBrowser, open, option, trust } from "./command-row.js";
import { controlRows } from "./command-table-control.js";
import { keyRows } from "./command-table-keys.js";
import { logRows } from "./command-table-log.js";
import { policyRows } from "./command-table-policy.js";
import { replayRow } from "./command-table-replay.js";

/** What the groups of commands are about. */
export const groups: Readonly<Record<string, string>> = {
  approvals: "what waits for a person, and decisions on it",
  keys: "key pairs and what they are for",
  killswitch: "stops everything, or one tenant, and lets it go on",
  log: "the append-only log of a home",
  policy: "what a policy says, said, or would have said",
  plugins: "executors: write, build, test, sign and install them",
  secrets: "values that executors may use and never see",
  tokens: "credentials of agents and readers at the control plane",
};

const yes = option("--yes", "do not ask");
const request = argument("<id>", "id of the request or of its intent");
const approverKey = option("--key <file>", "approver key; default keys/approver.key of the home");
const operatorKey = option("--key <file>", "operator key; default keys/operator.key of the home");
const signerProgram = [
  () =>
    option(
      "--signer <command>",
      "a signer program that holds the key instead; its words are split, no shell reads it",
    )().conflicts("key"),
  () =>
    option("--signer-env <name>", "a variable the signer program gets as well; can be given again")().argParser(
      collect,
    ),
  option("--signer-timeout <seconds>", "how long the signer program may take for an answer; default 60"),
];
const secretName = argument("<name>", "name of the secret, such as API_KEY");
const tenant = option("--tenant <id>", "one tenant only");
const manifest = option("--manifest <file>", "a manifest: its capabilities, caps, digest and functions count");

const pluginFolder = argument("[plugin]", "a plugin's folder, its .wasm or .json file; default the current folder");
const grant = () =>
  option(
    "--grant <grant>",
    "fs=[ALIAS=]FOLDER[:ro|:rw], http=URL, kv, clock or random; can be given again",
  )().argParser(collect);

const demoHome = option("--home <dir>", "make the demo's home there instead of in a temporary folder");

/** Every command, in the order of the help. */
export const commandRows: readonly CommandRow[] = [
  {
    path: ["demo"],
    about: "the whole story on real files: allowed, denied, approved, out of fuel, verified, replayed, tampered",
    args: [],
    options: [demoHome, json],
    example: "exoarmur demo",
    load: async () => (await import("./commands/demo.js")).demo,
  },
  {
    path: ["demo", "truth-reconstruction"],
    about: "an agent asks to delete a file outside its root; the denial is replayed and the file is still there",
    args: [],
    options: [demoHome, json],
    example: "exoarmur demo truth-reconstruction",
    load: async () => (await import("./commands/demo.js")).truthReconstruction,
  },
  {
    path: ["demo", "restrained-autonomy"],
    about: "malware on an endpoint: its containment waits for an operator, then really calls it; needs the V2 flags",
    args: [],
    options: [
      option("--home <dir>", "the demo's home; default ./.exoarmur/demo, made afresh unless --replay"),
      () =>
        option("--operator-decision <decision>", "what the operator signs; default: nothing, until it expires")()
          .choices(["approve", "deny"])
          .conflicts("replay"),
      option("--replay <id>", "verify and re-execute the audit stream of an earlier run, changing nothing"),
      json,
    ],
    example: "exoarmur demo restrained-autonomy --operator-decision approve",
    load: async () => (await import("./commands/demo-restrained.js")).restrainedAutonomy,
  },
  {
    path: ["init"],
    about: "make a home: configuration, starter policy, keys, executors",
    args: [argument("[dir]", "the home; default $EXOARMUR_HOME, then ./.exoarmur")],
    options: [json],
    example: "exoarmur init",
    load: async () => (await import("./commands/init.js")).init,
  },
  {
    path: ["run"],
    about: "take one intent through policy, safety, approval and sandbox",
    args: [argument("<intent>", "intent file, or - for standard input")],
    options: [
      home,
      () =>
        option(
          "--attestation <file>",
          "DSSE envelope of an in-toto statement that came with the intent; can be given again",
        )().argParser(collect),
      option("--out <file>", "write the bundle here as well"),
      json,
    ],
    example: `echo '{"actor":"me","action":"table.stats","parameters":{"path":"data/orders.csv"}}' | exoarmur run -`,
    load: async () => (await import("./commands/run.js")).run,
  },
  {
    path: ["approvals", "list"],
    about: "list approval requests, oldest first",
    args: [],
    options: [home, option("--all", "also those that are decided"), json],
    example: "exoarmur approvals list",
    load: async () => (await import("./commands/approvals.js")).listApprovals,
  },
  {
    path: ["approvals", "show"],
    about: "show one request: what would run, who may decide, what was decided",
    args: [request],
    options: [home, json],
    example: "exoarmur approvals show 01KA4X6F7J2Z8Q0V5N3T9RBCDE",
    load: async () => (await import("./commands/approvals.js")).showApproval,
  },
  {
    path: ["approvals", "approve"],
    about: "approve a request; the approval that completes it starts the run",
    args: [request],
    options: [home, approverKey, ...signerProgram, option("--reason <text>", "why"), yes, json],
    example: "exoarmur approvals approve 01KA4X6F7J2Z8Q0V5N3T9RBCDE --key .exoarmur/keys/approver.key",
    load: async () => (await import("./commands/decide.js")).approve,
  },
  {
    path: ["approvals", "deny"],
    about: "deny a request, which closes it",
    args: [request],
    options: [
      home,
      approverKey,
      ...signerProgram,
      () => option("--reason <text>", "why")().makeOptionMandatory(),
      yes,
      json,
    ],
    example: 'exoarmur approvals deny 01KA4X6F7J2Z8Q0V5N3T9RBCDE --reason "not before the audit"',
    load: async () => (await import("./commands/decide.js")).deny,
  },
  {
    path: ["approvals", "submit"],
    about: "hand in a decision that was signed elsewhere, such as by a console opened from a file",
    args: [argument("[file]", "the signed decision, DSSE as JSON; - reads it from standard input")],
    options: [home, json],
    example: "exoarmur approvals submit 01KA4X6F7J2Z8Q0V5N3T9RBCDE.approve.json",
    load: async () => (await import("./commands/decide.js")).submit,
  },
  {
    path: ["verify"],
    about: "verify a bundle or a disclosed call, offline: every check, one line each; or many: one line for each",
    args: [
      argument("<bundle...>", "*.proof.json files, what log prove --call wrote, folders, or - for standard input"),
    ],
    options: [
      trust,
      option("--jobs <n>", "threads for many bundles; default one for each processor"),
      open,
      noBrowser,
      json,
    ],
    example: "exoarmur verify 01KA4X6F7J2Z8Q0V5N3T9RBCDE.proof.json --trust trust.json",
    load: async () => (await import("./commands/verify.js")).verify,
  },
  {
    path: ["redact"],
    about: "leave materials out of a bundle; what remains still verifies, and the report says what is hidden",
    args: [argument("<bundle>", "a *.proof.json file, or - for standard input")],
    options: [
      () => option("-o, --out <file>", "write it here, or to standard output for -")().makeOptionMandatory(),
      () =>
        option("--hide <role>", "role or sha256: digest of what to leave out; can be given again")().argParser(collect),
      () =>
        option("--keep <role>", "leave out every salted material but this role or digest; can be given again")()
          .argParser(collect)
          .conflicts("hide"),
      json,
    ],
    example: "exoarmur redact 01KA4X6F7J2Z8Q0V5N3T9RBCDE.proof.json -o redacted.proof.json --hide intent --hide input",
    load: async () => (await import("./commands/redact.js")).redact,
  },
  replayRow,
  {
    path: ["inspect"],
    about: "what a module imports, exports and needs, and whether it is admitted",
    args: [argument("<module>", "a .wasm file, or - for standard input")],
    options: [manifest, json],
    example: "exoarmur inspect plugins/fs.wasm",
    load: async () => (await import("./commands/inspect.js")).inspect,
  },
  {
    path: ["meter"],
    about: "write the sealed module: the metered form that is run, for others to run as well",
    args: [argument("<module>", "a .wasm file, or - for standard input")],
    options: [
      () => option("-o, --out <file>", "write it here, or to standard output for -")().makeOptionMandatory(),
      manifest,
      () => option("--capability <name>", "grant it; can be given again")().argParser(collect),
      option("--memory-pages <n>", "cap of the memory, in 64 KiB pages; default the manifest's, then 256"),
      option("--table-elements <n>", "cap of all tables together; default the manifest's, then 10000"),
      json,
    ],
    example: "exoarmur meter plugins/fs.wasm -o fs.sealed.wasm --manifest plugins/fs.json",
    load: async () => (await import("./commands/meter.js")).meter,
  },
  {
    path: ["plugins", "new"],
    about: "make a folder with an executor that builds, tests and runs at once",
    args: [argument("<name>", "its name, lower-case")],
    options: [option("--lang <language>", "assemblyscript, rust or c; default assemblyscript"), json],
    example: "exoarmur plugins new word-count --lang rust",
    load: async () => (await import("./commands/plugins-new.js")).newPlugin,
  },
  {
    path: ["plugins", "build"],
    about: "compile an executor's source and judge the module under its manifest",
    args: [pluginFolder],
    options: [json],
    example: "exoarmur plugins build word-count",
    load: async () => (await import("./commands/plugins-build.js")).buildPlugin,
  },
  {
    path: ["plugins", "test"],
    about: "run an executor's cases",
    args: [pluginFolder],
    options: [json],
    example: "exoarmur plugins test word-count",
    load: async () => (await import("./commands/plugins-test.js")).testPlugin,
  },
  {
    path: ["plugins", "run"],
    about: "try one call in the real sandbox, without a home; nothing is recorded",
    args: [argument("[plugin]", "a folder, a .wasm or .json file, or the name of an installed one")],
    options: [
      option("--function <name>", "which function; needed when there are several"),
      option(
        "--input <file>",
        "a JSON file of parameters, - for standard input, or the JSON object itself; default {}",
      ),
      grant,
      home,
      json,
    ],
    example: "exoarmur plugins run word-count --function count --input x.json --grant fs=./data",
    load: async () => (await import("./commands/plugins-run.js")).runPlugin,
  },
  {
    path: ["plugins", "sign"],
    about: "sign an executor's manifest, which names its module, as its publisher",
    args: [pluginFolder],
    options: [option("--key <file>", "publisher key; default keys/publisher.key of the home"), json],
    example: "exoarmur plugins sign word-count --key publisher.key",
    load: async () => (await import("./commands/plugins-sign.js")).signPlugin,
  },
  {
    path: ["plugins", "add"],
    about: "put an executor into a home; one that runs takes it up by itself",
    args: [pluginFolder],
    options: [home, json],
    example: "exoarmur plugins add word-count",
    load: async () => (await import("./commands/plugins-add.js")).addPlugin,
  },
  {
    path: ["plugins", "list"],
    about: "list a home's executors: functions, digests, signatures, grants, and why one is refused",
    args: [],
    options: [home, json],
    example: "exoarmur plugins list",
    load: async () => (await import("./commands/plugins-list.js")).listPlugins,
  },
  ...keyRows,
  {
    path: ["canonicalize"],
    about: "print the canonical bytes of a JSON document, without a newline",
    args: [argument("[file]", "a JSON file, or - for standard input, the default")],
    options: [json],
    example: `echo '{"b":1,"a":2}' | exoarmur canonicalize`,
    load: async () => (await import("./commands/canonicalize.js")).canonicalizeFile,
  },
  {
    path: ["killswitch", "on"],
    about: "deny every start from now on; puts a KILL file into the home first",
    args: [],
    options: [home, tenant, operatorKey, ...signerProgram, json],
    example: "exoarmur killswitch on",
    load: async () => (await import("./commands/killswitch.js")).switchOn,
  },
  {
    path: ["killswitch", "off"],
    about: "let actions start again; removes the KILL file once that is recorded",
    args: [],
    options: [home, tenant, operatorKey, ...signerProgram, json],
    example: "exoarmur killswitch off --tenant default",
    load: async () => (await import("./commands/killswitch.js")).switchOff,
  },
  {
    path: ["trustscore"],
    about: "set how far an actor is trusted, 0 to 1; below 0.5 a person is asked for every action",
    args: [
      argument("<actor>", "id of the actor"),
      argument("<score>", "a number from 0 to 1; 1 is where actors start"),
    ],
    options: [home, tenant, operatorKey, ...signerProgram, json],
    example: "exoarmur trustscore report-agent 0.4",
    load: async () => (await import("./commands/trustscore.js")).setTrustScore,
  },
  {
    path: ["materials", "drop"],
    about: "drop what ended actions worked on from the store, recorded; digests, verdicts and log stay",
    args: [argument("[intent...]", "ids of ended intents; or --older-than or --before for all that ended by then")],
    options: [
      home,
      option("--older-than <span>", "of intents that ended this long ago, such as 90d, 12h or 30min"),
      option("--before <time>", "of intents that ended before this day or time, UTC"),
      tenant,
      () => option("--role <role>", "only this role of material; can be given again")().argParser(collect),
      () => option("--reason <text>", "why; it is recorded")().makeOptionMandatory(),
      option("--files", "also remove the home's bundle files of these intents, which hold the same"),
      option("--dry-run", "say what would be dropped, and drop nothing"),
      option("--yes", "do not ask"),
      operatorKey,
      ...signerProgram,
      json,
    ],
    example: 'exoarmur materials drop --older-than 90d --reason "retention of 90 days"',
    load: async () => (await import("./commands/materials-drop.js")).dropMaterials,
  },
  {
    path: ["resolve"],
    about: "close an action that is in doubt, with evidence of how it ended",
    args: [argument("<intent>", "id of the intent")],
    options: [
      home,
      () =>
        option("--outcome <outcome>", "how it ended")()
          .choices(["committed", "not_executed", "unknown"])
          .makeOptionMandatory(),
      () => option("--evidence <file>", "a file that shows it; its digest is recorded")().makeOptionMandatory(),
      operatorKey,
      ...signerProgram,
      json,
    ],
    example: "exoarmur resolve 01KA4X6F7J2Z8Q0V5N3T9RBCDE --outcome not_executed --evidence listing.txt",
    load: async () => (await import("./commands/resolve.js")).resolveIntent,
  },
  {
    path: ["secrets", "set"],
    about: "keep a value in the encrypted vault; read from standard input, or asked for without showing it",
    args: [secretName],
    options: [home, json],
    example: "exoarmur secrets set API_KEY < key.txt",
    load: async () => (await import("./commands/secrets.js")).setSecret,
  },
  {
    path: ["secrets", "list"],
    about: "list names, where each may go, and whether a value is there; never a value",
    args: [],
    options: [home, json],
    example: "exoarmur secrets list",
    load: async () => (await import("./commands/secrets.js")).listSecrets,
  },
  {
    path: ["secrets", "remove"],
    about: "forget a value of the vault",
    args: [secretName],
    options: [home, json],
    example: "exoarmur secrets remove API_KEY",
    load: async () => (await import("./commands/secrets.js")).removeSecret,
  },
  ...controlRows,
  ...policyRows,
  ...logRows,
  {
    path: ["doctor"],
    about: "look whether machine and home are in order",
    args: [],
    options: [home, option("--prove", "try the guarantees against the home's policy, in a scratch home"), json],
    example: "exoarmur doctor",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
];
