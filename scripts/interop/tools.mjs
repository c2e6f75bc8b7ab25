/** Which tools are here, and which package has them. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where Debian puts the source of Go libraries. */
const goPath = "/usr/share/gocode";

const tools = {
  go: { there: () => runs("go", ["version"]), install: "golang-go" },
  "x/mod": {
    there: () => existsSync(`${goPath}/src/golang.org/x/mod/sumdb/tlog`),
    install: "golang-golang-x-mod-dev",
  },
  openssl: { there: () => runs("openssl", ["version"], /^OpenSSL [3-9]\./), install: "openssl (3.0 or later)" },
  python3: { there: () => runs("python3", ["--version"]), install: "python3" },
  "python3.11": {
    there: () => runs("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]),
    install: "python3 (3.11 or newer)",
  },
  pynacl: { there: () => python() !== undefined, install: "python3-nacl" },
  "@sigstore/verify": { there: async () => (await sigstore()) !== undefined, install: "@sigstore/verify (npm ci)" },
};

/** What to install for these tools; empty when all are here. */
export async function lackingOf(names) {
  const lacking = [];
  for (const name of names) if (!(await tools[name].there())) lacking.push(tools[name].install);
  return lacking;
}

/** Go with the packages of the system and nothing from a network; what it builds is cached in `scratch`. */
export function goEnv(scratch) {
  return {
    GO111MODULE: "off",
    GOPATH: goPath,
    GOPROXY: "off",
    GOFLAGS: "",
    CGO_ENABLED: "0",
    GOCACHE: join(scratch, "go-cache"),
  };
}

/** The first Python that has PyNaCl: the one in the path need not be the system's. */
export function python() {
  return ["python3", "/usr/bin/python3"].find((program) => runs(program, ["-c", "import nacl.signing"]));
}

/** The library, or undefined where it is not installed. */
export async function sigstore() {
  try {
    return await import("@sigstore/verify");
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

function runs(program, args, expected = /(?:)/) {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 && expected.test(stdout);
}
