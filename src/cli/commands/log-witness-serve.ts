import { once } from "node:events";
import { resolve } from "node:path";
import { ExoArmurError } from "../../errors.js";
import { readKeyFile } from "../../home/keys.js";
import { serveWitness } from "../../home/witness-server.js";
import { openWitness } from "../../home/witness-service.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { createStderrLogger } from "../logging.js";
import { formatCount, formatTable, printJson } from "../output.js";
import { logKeysOption } from "./log-keys.js";

/**
 * `log witness --serve --key FILE --state DIR [--first] [--port N] [--host ADDRESS] (--vkey KEY | --trust FILE)`: a
 * witness by c2sp.org/tlog-witness until Ctrl-C or SIGTERM, on 127.0.0.1 unless told otherwise. EXO_USAGE, and what
 * readKeyFile, openWitness and serveWitness throw.
 */
export async function serveWitnessing(context: CliContext, options: Options): Promise<ExitCode> {
  for (const name of ["proof", "out"])
    if (textOption(options, name) !== undefined)
      throw new ExoArmurError("EXO_USAGE", `--${name} is for one checkpoint, not for --serve`);
  const port = portOption(textOption(options, "port"));
  const logKeys = await logKeysOption(context, options);
  if (logKeys === undefined) throw new ExoArmurError("EXO_USAGE", "name the logs' keys with --vkey or --trust");
  const { id, signer } = await readKeyFile(resolve(context.cwd, textOption(options, "key") ?? ""), "witness");
  const { clock, entropy, signal } = context;
  const witness = await openWitness({
    dir: resolve(context.cwd, textOption(options, "state") ?? ""),
    first: hasFlag(options, "first"),
    name: id,
    signer,
    logKeys,
    ports: { pid: process.pid, clock, entropy },
  });
  try {
    const host = textOption(options, "host") ?? "127.0.0.1";
    const server = await serveWitness(witness, { host, port, logger: createStderrLogger(context) });
    const { vkey } = witness;
    const { url } = server;
    if (hasFlag(options, "json"))
      printJson(context, { schema: "exoarmur.witness-serving/v1", url, vkey, logs: witness.logs() });
    else {
      const logs = witness
        .logs()
        .map(({ origin, size }) => [
          "log",
          origin,
          size === 0 ? "nothing cosigned yet" : `${formatCount(size)} leaves cosigned`,
        ]);
      context.stdout(formatTable([["witness", url, vkey], ...logs]));
      context.stdout("Ctrl-C ends it\n");
    }
    if (!signal.aborted) await once(signal, "abort");
    await server.close();
  } finally {
    await witness.close();
  }
  return exitCodes.done;
}

function portOption(text = "0"): number {
  const port = /^(?:0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ExoArmurError("EXO_USAGE", `--port: expected a port from 0 to 65535, got ${text}`);
}
