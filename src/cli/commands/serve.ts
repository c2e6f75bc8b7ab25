import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { readFlags } from "../../contracts/features.js";
import type { ConsolePage } from "../../control/console-page.js";
import { ExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import { killFileExists } from "../../home/kill-file.js";
import { openHome } from "../../home/open.js";
import { readToken } from "../../home/tokens.js";
import { type HomeCore, openHomeCore } from "../../runtime/home-runtime.js";
import { worldOf } from "../../runtime/system.js";
import { hasFlag, type Options, textOption, type Work } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { createStderrLogger } from "../logging.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { requireDenials } from "../prove/require-denials.js";

const usualPort = 7411;
const maxPemBytes = 1_048_576;
const flag = "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED";

/** Where `serve` listens, as its options say. */
type Place = {
  readonly host: string;
  readonly port: number;
  readonly origin: string | undefined;
  readonly trustProxy: boolean;
  readonly tls: { readonly cert: Uint8Array; readonly key: Uint8Array } | undefined;
};

/**
 * `serve`: the runtime of a home and its control plane, until Ctrl-C or SIGTERM; then no more is taken, and what runs is
 * finished and recorded. EXO_USAGE where the flag is off or the address must not be open; EXO_GUARANTEE where what must be
 * denied is not; EXO_FLAG, EXO_HOME_LOCKED,
 * EXO_LISTEN, EXO_KEY, and what opening a home can throw.
 */
export const serve: Work = async (context, _args, options) => {
  const dir = homeDir(context, textOption(options, "home"));
  await requireFlag(context, dir);
  const place = await readPlace(context, options);
  await requireDenials(context, dir);
  const logger = createStderrLogger(context);
  const { clock, entropy, env } = context;
  const world = worldOf({ clock, entropy, env, logger });
  // Loaded here: nobody else needs a web framework.
  const { startControlServer } = await import("../../control/server.js");
  const { defaultLimits } = await import("../../control/desk.js");
  const page = await readConsole();
  const core = await openHomeCore(dir, world);
  try {
    const { pipeline, ledger, store, home } = core;
    const { resolved, trust, paths } = home;
    const server = await startControlServer(
      {
        clock,
        entropy,
        logger,
        ids: world.ids,
        pipeline,
        ledger,
        store,
        trust,
        cellId: resolved.cellId,
        defaultTenant: resolved.tenantId,
        killed: () => killFileExists(paths),
        findToken: async (id) => await readToken(paths, id),
        limits: defaultLimits,
        page,
      },
      place,
    );
    show(context, core, { listening: server.origin, reached: place.origin, digest: page.digest }, options);
    try {
      if (!context.signal.aborted) await once(context.signal, "abort");
      context.stderr("closing: what runs is finished and recorded; once more ends it at once\n");
    } finally {
      await server.close();
    }
  } finally {
    await core.close();
  }
  return exitCodes.done;
};

/** The console of this build. */
async function readConsole(): Promise<ConsolePage> {
  const { readConsolePage } = await import("../../control/console-page.js");
  return readConsolePage(new Uint8Array(await readFile(new URL("../../web/console.html", import.meta.url))));
}

async function requireFlag(context: CliContext, dir: string): Promise<void> {
  const { resolved } = await openHome(dir);
  if (readFlags(context.env, resolved.features).some(({ name, on }) => name === flag && on)) return;
  const words = `set EXOARMUR_FLAG_V2_FEDERATION_ENABLED=true and ${flag}=true, or "features" of config.json`;
  throw new ExoArmurError("EXO_USAGE", `the control plane is off; to turn it on, ${words}`);
}

/** What is told of a control plane that listens. `digest`: of the console it serves. */
type Serving = { readonly listening: string; readonly reached: string | undefined; readonly digest: string };

function show(context: CliContext, core: HomeCore, { listening, reached, digest }: Serving, options: Options): void {
  const { inDoubt, home } = core;
  const origin = reached ?? listening;
  if (hasFlag(options, "json")) {
    const { pid } = process;
    printJson(context, { schema: "exoarmur.serve/v1", origin, listening, console: digest, pid, inDoubt });
    return;
  }
  const rows = [
    ["control plane", origin, shownPath(context, home.paths.home)],
    ["console", `${origin}/`, digest],
    ["log in", "sign a challenge with a key of trust.json, or bring a token of: exoarmur tokens new"],
  ];
  if (inDoubt.length > 0) rows.push(["in doubt", ...inDoubt]);
  context.stdout(`${formatRows(rows)}Ctrl-C ends it\n`);
}

async function readPlace(context: CliContext, options: Options): Promise<Place> {
  const host = textOption(options, "host") ?? "127.0.0.1";
  const trustProxy = hasFlag(options, "trustProxy");
  const tls = await readTls(context, options);
  const origin = readOrigin(options);
  const local = ["127.0.0.1", "::1", "localhost"].includes(host);
  if (!local && tls === undefined && !trustProxy) {
    throw usage(`--host ${host} is open to others: give --tls-cert and --tls-key, or --trust-proxy with --origin`);
  }
  if (trustProxy && origin === undefined) throw usage("--trust-proxy needs --origin: the proxy's own https address");
  if (!local && origin === undefined) throw usage(`--host ${host} needs --origin: the address it is reached by`);
  if (isIP(host) === 0 && host !== "localhost") throw usage("--host: expected an IP address, or localhost");
  return { host, port: readPort(options), origin, trustProxy, tls };
}

function readPort(options: Options): number {
  const text = textOption(options, "port") ?? String(usualPort);
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw usage(`--port: expected 0 to 65535, got ${JSON.stringify(text.slice(0, 100))}`);
}

function readOrigin(options: Options): string | undefined {
  const text = textOption(options, "origin");
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" && url.origin === text) return text;
  throw usage("--origin: expected an https address without a path, such as https://exoarmur.example.org");
}

async function readTls(context: CliContext, options: Options): Promise<Place["tls"]> {
  const [cert, key] = [textOption(options, "tlsCert"), textOption(options, "tlsKey")];
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw usage("--tls-cert and --tls-key go together");
  return { cert: await readPem(context, cert), key: await readPem(context, key) };
}

async function readPem(context: CliContext, path: string): Promise<Uint8Array> {
  const file = resolve(context.cwd, path);
  const read = await readBounded(file, { maxBytes: maxPemBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${file} does not exist`, { file });
  return read.bytes;
}

function usage(message: string): ExoArmurError {
  return new ExoArmurError("EXO_USAGE", message);
}
