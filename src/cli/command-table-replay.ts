import { argument, type CommandRow, collect, home, json, option, trust } from "./command-row.js";

/** `replay`: a replay, and what can be asked of a bundle instead. */
export const replayRow: CommandRow = {
  path: ["replay"],
  about: "verify and re-execute a bundle, everything under a correlation id, or everything there is",
  args: [argument("[bundle]", "a *.proof.json file, or a correlation id")],
  options: [
    home,
    trust,
    option("--all", "every correlation of the home"),
    option("--jobs <n>", "executions at a time with --all or --verifiers; default one for each processor"),
    option("--answer <seq>", "print the recorded answer of a host call as JSON, to be edited for --override"),
    option("--override <seq=file>", "answer a host call with the JSON of a file instead: what would have come of it"),
    option("--attest", "sign what was found with --key, as a report that travels without the bundle"),
    () =>
      option("--key <file>", "key of the role verifier; with --verifiers one for each of them")().argParser(collect),
    option("-o, --out <file>", "with --attest: write the signed report here; default standard output, and only it"),
    option("--check-attestation <file...>", "count signed reports about the bundle, by the verifiers of --trust"),
    option("--verifiers <n>", "replay it in so many processes, each of which signs what it found"),
    option("--threshold <k>", "how many must have found the same; default more than half of the verifiers"),
    option("--timeout <seconds>", "with --verifiers: longest wait for each; default 300"),
    option("--verbose", "show every host call in the timeline, not the first and last alone"),
    () =>
      option(
        "--mode <mode>",
        "reference: the file holds events of ExoArmur-Core; told by its shape otherwise",
      )().choices(["reference"]),
    option("--correlation <id>", "of the events of ExoArmur-Core, those of one correlation"),
    json,
  ],
  example: "exoarmur replay 01KA4X6F7J2Z8Q0V5N3T9RBCDE.proof.json --trust trust.json",
  load: async () => (await import("./commands/replay.js")).replay,
};
