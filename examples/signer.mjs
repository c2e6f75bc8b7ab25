/**
 * A signer program (spec/keys.md, Signer programs): holds a private key and signs what it is sent. It is started by the
 * runtime that config.json names it in:
 *
 *   "signers": { "runtime": { "command": ["node", "signer.mjs", "/somewhere/private/runtime.key"] } }
 *
 * This one reads a key file; one for a KMS or HSM differs in `sign` alone. It writes one line with its public key, then one
 * line for each line it reads, and ends with its standard input. Standard output is the protocol's; what is for people
 * goes to standard error.
 */
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: signer.mjs KEY-FILE");
if ((statSync(file).mode & 0o077) !== 0) throw new Error(`${file} can be used by others; chmod 600 ${file}`);

const { seed, publicKey } = JSON.parse(readFileSync(file, "utf8"));
const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed, "base64")]);
const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

say({ publicKey });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, sign: message } = JSON.parse(line);
  say({ id, signature: sign(null, Buffer.from(message, "base64"), key).toString("base64") });
}
