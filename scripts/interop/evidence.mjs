/** A home made and used by the built command, and what a stranger is given of it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withHomeView } from "../../dist/cli/home-view.js";
import { formatProofFile } from "../../dist/log/proof-file.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Exit codes of `run`. */
const denied = 3;
const pending = 4;

/** Roles of materials that are DSSE envelopes, and of the keys that sign them. */
const envelopeRoles = { policy_envelope: "policy-author", approval_grant: "approver" };

/**
 * Runs actions in a new home inside `folder`: one that is allowed, one that is denied, one that a person approves, and
 * takes the checkpoint after each. Returns the log's verifier key, the checkpoints by rising size, every leaf with its
 * proof file, consistency proofs, trust file and bundles as text, what a witness cosigned, the bundles' envelopes with the keys the trust file has for them, and
 * the seed of the log's key.
 */
export async function makeEvidence(folder) {
  mkdirSync(join(folder, "data"), { recursive: true });
  writeFileSync(join(folder, "data/orders.csv"), "id,amount\n1,5\n2,7\n");
  const cli = (args, input, expected) => run(folder, args, input, expected);
  const act = (action, expected) => {
    const draft = { actor: "me", action, parameters: { path: "data/orders.csv" } };
    return cli(["run", "-", "--json"], JSON.stringify(draft), expected);
  };
  const checkpoints = [];
  const take = () => checkpoints.push(JSON.parse(cli(["log", "checkpoint", "--json"])));
  cli(["init"]);
  act("table.stats", 0);
  take();
  act("fs.list", denied);
  take();
  const { approval } = JSON.parse(act("fs.remove", pending));
  take();
  cli(["approvals", "approve", approval.requestId, "--yes"]);
  take();
  const home = join(folder, ".exoarmur");
  const { size, vkey } = checkpoints.at(-1);
  const read = (name) => readFileSync(join(home, name), "utf8");
  const trust = read("trust.json");
  const bundles = readdirSync(join(home, "bundles")).map((name) => read(`bundles/${name}`));
  const { proofs, consistency } = await readLog(home, checkpoints);
  // The command's own output for some; a process for each entry would take most of the time.
  for (const index of [0, Math.floor(size / 2), size - 1]) proofs[index].proof = cli(["log", "prove", `${index}`]);
  for (const one of consistency.slice(-2)) {
    one.proof = cli(["log", "consistency", `${one.older.size}`, `${one.newer.size}`]);
  }
  return {
    vkey,
    checkpoints,
    proofs,
    consistency,
    trust,
    bundles,
    cosigned: witnessed(cli, folder, consistency.at(-2)),
    envelopes: bundles.flatMap((bundle) => envelopesOf(JSON.parse(bundle), JSON.parse(trust))),
    // Signing as the log itself shows that a proof refuses what a signature would not.
    logSeed: Buffer.from(JSON.parse(read("keys/log.key")).seed, "base64"),
  };
}

/** What the command of a witness makes of an older checkpoint and then of a newer one, each with the witness's key. */
function witnessed(cli, folder, { older, newer, proof }) {
  cli(["keys", "new", "--role", "witness", "--id", "witness.example/command", "--out", "witness.key"]);
  writeFileSync(join(folder, "proof.txt"), proof);
  const cosign = ({ checkpoint, vkey }, more) => {
    const args = ["--key", "witness.key", "--state", "witness.state", "--vkey", vkey, "--json", ...more];
    const cosigned = JSON.parse(cli(["log", "witness", "-", ...args], checkpoint));
    return { note: cosigned.checkpoint, witness: cosigned.vkey };
  };
  return [cosign(older, ["--first"]), cosign(newer, ["--proof", "proof.txt"])];
}

/** Every leaf in base64 with its proof file, and a consistency proof for each two checkpoints, a base64 hash a line. */
async function readLog(home, checkpoints) {
  return await withHomeView(home, ({ log }) => {
    const view = log();
    const consistency = [];
    for (const [at, newer] of checkpoints.entries()) {
      for (const older of checkpoints.slice(0, at + 1)) {
        const hashes = view.consistency(older.size, newer.size);
        const proof = hashes.map((hash) => `${Buffer.from(hash).toString("base64")}\n`).join("");
        consistency.push({ older, newer, proof });
      }
    }
    const proofs = Array.from({ length: view.size }, (_, index) => ({
      index,
      leaf: Buffer.from(view.leaf(index)).toString("base64"),
      proof: formatProofFile({ index, proof: view.prove(index), checkpoint: view.checkpoint }),
    }));
    return { proofs, consistency };
  });
}

/** The statement's envelope and those among the materials, each with the public key trust.json lists for its role. */
function envelopesOf({ envelope, materials }, trust) {
  const { intentId, materials: named } = JSON.parse(Buffer.from(envelope.payload, "base64").toString()).predicate;
  const others = named
    .filter(({ role }) => role in envelopeRoles)
    .map(({ role, digest }) => [role, envelopeRoles[role], JSON.parse(Buffer.from(materials[digest], "base64"))]);
  return [["statement", "runtime", envelope], ...others].map(([what, role, { payloadType, payload, signatures }]) => {
    const { publicKey } = trust.keys.find((key) => key.role === role);
    return { what: `${what} of ${intentId}`, payloadType, payload, signature: signatures[0].sig, publicKey };
  });
}

/** Runs the built command in a folder; its standard output. Throws when it ends with another code than expected. */
export function run(cwd, args, input = "", expected = 0) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("EXOARMUR_")));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd,
    input,
    env,
    encoding: "utf8",
  });
  if (status !== expected) throw new Error(`exoarmur ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}
