import { request as httpRequest } from "node:http";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import {
  type Challenge,
  formatBearer,
  type SessionRole,
  secretDigestOf,
  type TokenGrant,
  type TokenRecord,
} from "../../src/contracts/access.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { ConsolePage } from "../../src/control/console-page.js";
import { type ControlLimits, defaultLimits } from "../../src/control/desk.js";
import { routes } from "../../src/control/routes.js";
import { type ControlServer, type Listening, startControlServer } from "../../src/control/server.js";
import type { Signer } from "../../src/ports.js";
import { openRig, type Rig, type RigOptions } from "../support/rig.js";
import { keys, seededEntropy, seededIds, startMs, trusted, usualKeys } from "../support/world.js";

/** An answer as it came over the socket. */
export type Answer = {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  readonly json: Record<string, unknown>;
};

export type Ask = {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly body?: unknown;
  /** Sent as it is, instead of a JSON body. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Record<string, string>;
};

const key = (name: string): Signer => keys[name as keyof typeof keys];

/** Operators of the test: two who are limited to a tenant each beside the usual ones of the whole cell. */
const people = {
  admin: { role: "operator", signer: key("operator") },
  approver: { role: "approver", signer: key("alice") },
  author: { role: "policy-author", signer: key("author") },
  otherApprover: { role: "approver", signer: key("carol") },
  otherAdmin: { role: "operator", signer: key("mallory") },
  otherAuthor: { role: "policy-author", signer: key("otherAuthor") },
} as const satisfies Record<string, { role: SessionRole; signer: Signer }>;

const trustKeys = [
  ...usualKeys.filter(({ id }) => id !== "carol"),
  trusted("approver", "carol", keys.carol, { tenants: ["other"] }),
  trusted("operator", "other-ops", keys.mallory, { tenants: ["other"] }),
  trusted("policy-author", "other-author", keys.otherAuthor, { tenants: ["other"] }),
];

/** A control plane over a rig, on a real socket. */
export type Plane = {
  readonly rig: Rig;
  readonly server: ControlServer;
  readonly tokens: Map<string, TokenRecord>;
  readonly logged: string[];
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** A token that counts. */
  token(grant: TokenGrant, tenantId?: string): string;
  login(who: keyof typeof people): Promise<string>;
  close(): Promise<void>;
};

export type PlaneOptions = {
  readonly rig?: RigOptions;
  readonly limits?: Partial<ControlLimits>;
  readonly listening?: Partial<Listening>;
  readonly page?: ConsolePage;
};

/** Opens a control plane on a free port of this machine. Nothing is limited but what the options say. */
export async function openPlane(options: PlaneOptions = {}): Promise<Plane> {
  const rig = await openRig({ trustKeys, ...options.rig });
  const tokens = new Map<string, TokenRecord>();
  const logged: string[] = [];
  const entropy = seededEntropy("control");
  const ids = seededIds(rig.clock, "control");
  const plenty = { burst: 1_000_000, perSecond: 1_000_000 };
  const server = await startControlServer(
    {
      ...{ clock: rig.clock, entropy, ids, pipeline: rig.pipeline, ledger: rig.ledger, store: rig.store },
      logger: {
        log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
      },
      trust: rig.trust,
      cellId: "local",
      defaultTenant: "default",
      killed: () => rig.governor.killFile,
      findToken: async (id) => tokens.get(id),
      page: options.page ?? null,
      limits: { ...defaultLimits, principal: plenty, address: plenty, ...options.limits },
    },
    { host: "127.0.0.1", port: 0, ...options.listening },
  );
  const ask: Plane["ask"] = async (path, given = {}) => await send(server.port, path, given);
  const secrets = seededEntropy("secrets");
  return {
    rig,
    server,
    tokens,
    logged,
    ask,
    token: (grant, tenantId = "default") => {
      const secret = secrets.bytes(32);
      const tokenId = ids.next();
      tokens.set(tokenId, {
        schema: "exoarmur.token/v1",
        tokenId,
        tenantId,
        grant,
        secretDigest: secretDigestOf(secret),
        createdAt: formatTime(startMs),
        expiresAt: formatTime(startMs + 86_400_000),
        revokedAt: null,
      });
      return formatBearer({ kind: "token", id: tokenId, secret });
    },
    login: async (who) => {
      const { role, signer } = people[who];
      const asked = await ask("/v1/auth/challenges", { body: { keyId: signer.keyId, role } });
      const envelope = await signEnvelope(payloadTypes.challenge, canonicalize(asked.json as Challenge), signer);
      const opened = await ask("/v1/auth/sessions", { body: envelope });
      if (opened.status !== 201) throw new Error(opened.text);
      return opened.json["token"] as string;
    },
    close: async () => {
      await server.close();
      await rig.pipeline.idle();
      await rig.ledger.close();
    },
  };
}

/** One request over a connection of its own. */
async function send(port: number, path: string, { method, token, body, raw, headers = {} }: Ask): Promise<Answer> {
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path,
        agent: false,
        method: method ?? (payload === undefined ? "GET" : "POST"),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
          // A stream has no end; here its first message is the answer.
          if (response.headers["content-type"] === "text/event-stream") response.emit("end");
        });
        response.on("error", reject);
        response.once("end", () => {
          if (!response.complete) response.destroy();
          const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
          const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
          const answer = { status: response.statusCode ?? 0, headers: response.headers, text, json };
          try {
            checkAnswer(method ?? (payload === undefined ? "GET" : "POST"), path, answer);
            resolve(answer);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      },
    );
    sent.on("error", reject);
    sent.end(payload);
  });
}

/** Every answer of the tests is held to the table: a good one to its route's contract, any other to a problem document. */
function checkAnswer(method: string, path: string, { status, headers, text, json }: Answer): void {
  for (const name of ["x-request-id", "content-security-policy", "x-content-type-options", "cache-control"]) {
    if (headers[name] === undefined) throw new Error(`${method} ${path}: no ${name}`);
  }
  if (status >= 400 && status !== 503 && headers["content-type"] !== "application/problem+json") {
    throw new Error(`${method} ${path}: ${status} ${text}`);
  }
  const [bare = ""] = path.split("?");
  const route = routes.find(
    (row) =>
      row.method === method.toLowerCase() && new RegExp(`^${row.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(bare),
  );
  if (route === undefined || status >= 400 || "media" in route.reply) return;
  const parsed = route.reply.schema.safeParse(json);
  if (!parsed.success) throw new Error(`${method} ${path}: ${parsed.error.message} ${text.slice(0, 500)}`);
}

/** The code of a problem document. */
export function codeOf({ status, json }: Answer): string {
  return `${status} ${String(json["code"])}`;
}
