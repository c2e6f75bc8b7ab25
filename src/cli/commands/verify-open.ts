import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { ExoArmurError } from "../../errors.js";
import { verifyBundle, wantsCedar } from "../../verify/verify-bundle.js";
import { isCallDisclosure } from "../../verify/verify-call.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatCount } from "../output.js";

/** A file that the page is given: its name and exact bytes. */
export type GivenFile = { readonly name: string; readonly bytes: Uint8Array };

/** What is opened, and whether a browser is started for it. */
export type OpenOptions = {
  readonly bundle: GivenFile;
  readonly trust: GivenFile | undefined;
  readonly browser: boolean;
};

const folder = new URL("../../web/", import.meta.url);

/** Greatest bundle that is put into a page. A larger one can be dropped onto the page by hand. */
const maxBytes = 134_217_728;

const place = "<!-- given -->";

/** How a system opens an address; the last argument is the address. */
const openers: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * `verify --open`: serves the verifier's page with a bundle inside on 127.0.0.1, under a path nobody can guess, opens
 * it and ends with Ctrl-C (spec/cli.md). The page verifies and re-executes by itself; nothing is sent back. EXO_BUNDLE
 * for a bundle over 128 MiB, EXO_FILE when the page was not built.
 */
export async function openVerifier(context: CliContext, { bundle, trust, browser }: OpenOptions): Promise<ExitCode> {
  if (bundle.bytes.length > maxBytes) {
    const message = `the bundle has ${formatCount(bundle.bytes.length)} bytes, at most ${formatCount(maxBytes)} are opened`;
    throw new ExoArmurError("EXO_BUNDLE", message);
  }
  const page = await readFile(new URL(pageFor(bundle.bytes), folder), "utf8").catch(() => {
    throw new ExoArmurError("EXO_FILE", "the verifier's page is not there; npm run build makes it");
  });
  const path = `/${Buffer.from(context.entropy.bytes(16)).toString("hex")}/`;
  const server = createServer(servePage(path, fillPage(page, bundle, trust)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  context.stdout(`verifier   ${url}\nCtrl-C ends it\n`);
  if (browser) startBrowser(context, url);
  if (!context.signal.aborted) await once(context.signal, "abort");
  await close(server);
  return exitCodes.done;
}

/** The page without Cedar's 6 MB, unless the bundle has a decision that needs them. */
function pageFor(bytes: Uint8Array): string {
  const needed = !isCallDisclosure(bytes) && verifyBundle(bytes).checks.some(wantsCedar);
  return needed ? "verifier-cedar.html" : "verifier.html";
}

/** The page with its files inside, as JSON that no element can end: `<` is escaped, and base64 has none. */
function fillPage(page: string, bundle: GivenFile, trust: GivenFile | undefined): string {
  const given = ({ name, bytes }: GivenFile): object => ({
    name: basename(name),
    base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
  });
  const files = { bundle: given(bundle), trust: trust === undefined ? null : given(trust) };
  const text = JSON.stringify(files).replaceAll("<", "\\u003c");
  return page.replace(place, () => `<script type="application/json" id="given">${text}</script>`);
}

/** Answers one path, to whoever asks for this host by its number: a name that is bound to it later gets nothing. */
function servePage(path: string, page: string): RequestListener {
  return (request, response) => {
    const asked = request.method === "GET" && request.url === path;
    if (!asked || !/^127\.0\.0\.1:\d+$/.test(request.headers.host ?? "")) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here\n");
      return;
    }
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    response.end(page);
  };
}

function startBrowser(context: CliContext, url: string): void {
  const [program, ...args] = openers[process.platform] ?? ["xdg-open"];
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  child.once("error", () => context.stderr("no browser could be started; open the address by hand\n"));
  child.unref();
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
