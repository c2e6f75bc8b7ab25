/** Software not written here, each as a checker of table.mjs. Nothing is installed; `lacking` says what would be. */
import { spawnSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goEnv, lackingOf, python, sigstore } from "./tools.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** The checkers; `scratch` is a folder they may write to. */
export function checkersIn(scratch) {
  return [
    {
      name: "golang.org/x/mod/sumdb",
      needs: "Go, note and tlog",
      checks: ["checkpoint", "cosignature", "inclusion", "consistency", "tiles"],
      lacking: () => lackingOf(["go", "x/mod"]),
      start: () => {
        const program = join(scratch, "judge");
        const env = { ...process.env, ...goEnv(scratch) };
        call("go", ["build", "-o", program, here("go/main.go"), here("go/tiles.go")], { env });
        return (inputs) => judgeByLines(program, [], inputs);
      },
    },
    {
      name: "openssl pkeyutl",
      needs: "OpenSSL 3",
      checks: ["dsse"],
      lacking: () => lackingOf(["openssl"]),
      start: () => (inputs) => inputs.map((input) => judgeByOpenssl(input, scratch)),
    },
    {
      name: "@sigstore/verify",
      needs: "npm",
      checks: ["dsse"],
      lacking: () => lackingOf(["@sigstore/verify"]),
      start: async () => {
        const library = await sigstore();
        return (inputs) => inputs.map((input) => judgeBySigstore(library, input));
      },
    },
    {
      name: "PyNaCl",
      needs: "Python 3, libsodium",
      checks: ["checkpoint", "cosignature", "dsse"],
      lacking: () => lackingOf(["pynacl"]),
      start: () => (inputs) => judgeByLines(python(), [here("pynacl.py")], inputs),
    },
  ];
}

/** A program that reads inputs as JSON and answers a line each. */
function judgeByLines(program, args, inputs) {
  const lines = call(program, args, { input: JSON.stringify(inputs) })
    .trimEnd()
    .split("\n");
  return lines.map((says) => {
    if (says !== "accepted" && !says.startsWith("refused: ")) throw new Error(`${program} says ${says}`);
    return { accepted: says === "accepted", says };
  });
}

/** The DSSE pre-authentication encoding goes into a file, the raw key into a SubjectPublicKeyInfo. */
function judgeByOpenssl({ payloadType, payload, signature, publicKey }, scratch) {
  const folder = mkdtempSync(join(scratch, "openssl-"));
  const body = Buffer.from(payload, "base64");
  const files = {
    "signed.bin": Buffer.concat([
      Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${body.length} `),
      body,
    ]),
    "signature.bin": Buffer.from(signature, "base64"),
    "key.pem": keyOf(publicKey).export({ type: "spki", format: "pem" }),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const args = "pkeyutl -verify -pubin -inkey key.pem -rawin -in signed.bin -sigfile signature.bin".split(" ");
  const { status, stdout, stderr, error } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
  const says = stdout.trim();
  if (status === 0 && says === "Signature Verified Successfully") return { accepted: true, says };
  // Any other end is no judgement: a file it cannot read, an option it does not know.
  if (status === 1 && says === "Signature Verification Failure") return { accepted: false, says };
  throw new Error(`openssl ended with ${status}: ${stdout}${stderr}${error ?? ""}`);
}

/** A Sigstore bundle around the envelope, with a key instead of a certificate and without Sigstore's own log. */
function judgeBySigstore({ toSignedEntity, VerificationError, Verifier }, input) {
  const { payloadType, payload, signature, publicKey } = input;
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: keyOf(publicKey), validFor: () => true }),
  };
  const envelope = {
    payloadType,
    payload: Buffer.from(payload, "base64"),
    signatures: [{ keyid: "", sig: Buffer.from(signature, "base64") }],
  };
  const entity = toSignedEntity({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    content: { $case: "dsseEnvelope", dsseEnvelope: envelope },
    verificationMaterial: { content: { $case: "publicKey", publicKey: { hint: "" } }, tlogEntries: [] },
  });
  try {
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(entity);
    return { accepted: true, says: "verified" };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { accepted: false, says: `${error.code}: ${error.message}` };
  }
}

function keyOf(raw) {
  const x = Buffer.from(raw, "base64").toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

function call(program, args, options) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", ...options });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr ?? ""}${error ?? ""}`);
  return stdout;
}
