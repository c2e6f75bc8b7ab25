import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The console's passkey functions as a script that puts them under `passkeys`. */
async function passkeyScript(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "./src/web/console/passkey.ts";', resolveDir: root },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "passkeys",
    platform: "browser",
    target: "es2022",
    tsconfig: `${root}src/web/tsconfig.json`,
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

/** Serves a page with those functions under every name below localhost; `?frame=URL` puts another page into it. */
export function passkeyServer(): () => { origin: (name: string) => string } {
  let port = 0;
  let script = "";
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/script.js") {
      response.setHeader("content-type", "text/javascript").end(script);
      return;
    }
    const frame = searchParams.get("frame");
    const inner = frame === null ? "" : `<iframe src="${frame}" allow="publickey-credentials-get *"></iframe>`;
    response
      .setHeader("content-type", "text/html")
      .end(`<!doctype html><title>passkeys</title><script src="/script.js"></script>${inner}`);
  });
  beforeAll(async () => {
    script = await passkeyScript();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterAll(() => void server.close());
  return () => ({ origin: (name) => `http://${name}.localhost:${port}` });
}

/** An authenticator that the browser has in place of a device, and that its person uses at once. */
export async function virtualAuthenticator(
  page: Page,
): Promise<{ cdp: CDPSession; verified: (is: boolean) => Promise<void> }> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const verified = async (isUserVerified: boolean): Promise<void> => {
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  };
  return { cdp, verified };
}
