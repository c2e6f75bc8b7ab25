import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { jsonOf, near, Shell } from "../../e2e/cli.js";
import { watchConsole } from "./browser.js";

const flags = {
  EXOARMUR_FLAG_V2_FEDERATION_ENABLED: "1",
  EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "1",
};

/** What the policy of the home asks for, by action. */
const rules = [
  {
    id: "one-person",
    match: { action: "fs.remove" },
    verdict: "require_approval",
    rationale: "deleting cannot be undone",
  },
  { id: "two-people", match: { action: "fs.write" }, verdict: "require_approval", obligations: { approvals: 2 } },
  {
    id: "soon-over",
    match: { action: "fs.append" },
    verdict: "require_approval",
    obligations: { expiresInSeconds: 3 },
  },
  { id: "held", match: { action: "fs.mkdir" }, verdict: "require_approval", obligations: { holdSeconds: 600 } },
  { id: "stats", match: { action: "table.stats" }, verdict: "allow" },
];

/** A result as the API gives it. */
export type Result = {
  readonly intentId: string;
  readonly status: string;
  readonly approval?: { readonly requestId: string };
  readonly reason?: { readonly code: string; readonly message: string };
};

/** A home with two approvers, served by the real command, and an agent that hands intents in. */
export class ConsoleHome {
  readonly shell = new Shell();
  origin = "";
  #served: ChildProcess | undefined;
  #token = "";
  #keys = 0;

  /** Makes the home and serves it. */
  async open(): Promise<void> {
    const { shell } = this;
    await this.exo(["init"]);
    await this.exo([
      "keys",
      "new",
      "--role",
      "approver",
      "--id",
      "bob",
      "-o",
      "bob.key",
      "--trust",
      ".exoarmur/trust.json",
    ]);
    shell.edit(".exoarmur/policy.json", (policy) => ({ ...policy, rules }));
    const roots = { roots: ["data"] };
    shell.edit(".exoarmur/config.json", (config) => ({
      ...config,
      grants: {
        ...(config["grants"] as object),
        fs: { fs_read: roots, fs_list: roots, fs_remove: roots, fs_write: roots, fs_append: roots, fs_mkdir: roots },
      },
    }));
    const made = jsonOf(await this.exo(["tokens", "new", "--actor", "report-agent", "--action", "*", "--json"]));
    this.#token = String(made["token"]);
    await this.serve();
  }

  /** Serves the home, again after `stop`. */
  async serve(): Promise<void> {
    // A passkey is bound to its origin, of which the port is a part.
    const port = this.origin === "" ? "0" : new URL(this.origin).port;
    const served = this.shell.start(["serve", "--port", port, "--json"], { env: flags });
    this.#served = served;
    let said = "";
    let problems = "";
    served.stderr?.setEncoding("utf8").on("data", (text: string) => {
      problems += text;
    });
    for await (const part of served.stdout?.setEncoding("utf8") ?? []) {
      said += String(part);
      if (said.endsWith("}\n")) break;
    }
    if (!said.endsWith("}\n")) throw new Error(`serve ended: ${said}${problems}`);
    const { origin } = JSON.parse(said) as { origin: string };
    // The name under which browsers have passkeys.
    this.origin = origin.replace("127.0.0.1", "localhost");
  }

  /** Ends the process that serves; the home stays. */
  async stop(): Promise<void> {
    const served = this.#served;
    if (served?.exitCode === null && served.kill("SIGTERM")) await once(served, "close");
  }

  async close(): Promise<void> {
    await this.stop();
    this.shell.remove();
  }

  /** Runs a command in the home's folder. */
  async exo(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return await near(this.shell, args);
  }

  /** Hands an intent in, and waits at most `waitMs` for what comes of it. */
  async submit(action: string, parameters: object, waitMs = 5000): Promise<Result> {
    const body = { action, parameters, idempotencyKey: `agent-${this.#keys++}` };
    return await this.ask<Result>(`/v1/intents?waitMs=${waitMs}`, body);
  }

  /** Writes a file and asks for its removal, which one person has to approve. */
  async askRemoval(name: string): Promise<Required<Pick<Result, "approval">> & Result> {
    this.shell.write(`data/${name}`, "x\n");
    const result = await this.submit("fs.remove", { path: `data/${name}` });
    if (result.approval === undefined) throw new Error(JSON.stringify(result));
    return { ...result, approval: result.approval };
  }

  /** Waits until an intent has ended. */
  async ended(intentId: string): Promise<Result> {
    for (;;) {
      const result = await this.ask<Result>(`/v1/intents/${intentId}/wait?waitMs=20000`);
      if (result.status !== "approval_pending" && result.status !== "running") return result;
    }
  }

  /** How often an intent was started. */
  async starts(intentId: string): Promise<number> {
    const { items } = await this.ask<{ items: { eventType: string }[] }>(`/v1/intents/${intentId}/events`);
    return items.filter(({ eventType }) => eventType === "execution_started").length;
  }

  /** What the agent is answered. */
  async ask<T>(path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.origin}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as T;
  }

  /** Verifies and replays a bundle under the home's trust file, by the command. */
  async check(file: string): Promise<readonly [verify: number | null, replay: number | null]> {
    const trust = ["--trust", ".exoarmur/trust.json"];
    return [(await this.exo(["verify", file, ...trust])).code, (await this.exo(["replay", file, ...trust])).code];
  }

  /** Path of a key file. */
  keyFile(name: "approver" | "bob" | "operator" | "author"): string {
    return this.shell.path(name === "bob" ? "bob.key" : `.exoarmur/keys/${name}.key`);
  }

  /** The secret half of a key file, in the forms in which it could be sent. */
  secretsOf(name: "approver"): string[] {
    const { seed } = JSON.parse(readFileSync(this.keyFile(name), "utf8")) as { seed: string };
    const bytes = Buffer.from(seed, "base64");
    return [seed, bytes.toString("hex"), bytes.toString("base64url")];
  }
}

/** A browser of one person: their key is in it, and they are logged in. `seen` is what no page may do. */
export type Person = { readonly context: BrowserContext; readonly page: Page; readonly seen: string[] };

/** Opens the console, takes a key file in and logs in with it. */
export async function enter(
  browser: Browser,
  home: ConsoleHome,
  key: Parameters<ConsoleHome["keyFile"]>[0],
): Promise<Person> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const seen = watchConsole(page, home.origin);
  await page.goto(`${home.origin}/`);
  await takeKey(page, home.keyFile(key));
  await logIn(page);
  return { context, page, seen };
}

/** Has the page take a key file in. */
export async function takeKey(page: Page, file: string): Promise<void> {
  await page.setInputFiles("input[accept='.key,.json']", file);
  await page.getByText("was taken in").waitFor();
}

/** Logs in with the key that is there. */
export async function logIn(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^Log in as/ }).click();
  await page.getByRole("navigation", { name: "Views" }).waitFor();
}
