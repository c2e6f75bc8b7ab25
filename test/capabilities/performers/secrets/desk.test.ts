import { describe, expect, test } from "vitest";
import type { OutgoingRequest } from "../../../../src/capabilities/performers/http/hooks.js";
import { createSecretDesk } from "../../../../src/capabilities/performers/secrets/desk.js";
import type { SecretBinding } from "../../../../src/contracts/secret.js";
import { ExoArmurError } from "../../../../src/errors.js";
import type { Vault } from "../../../../src/ports.js";

const origin = { scheme: "https", host: "api.example.com", port: 443 } as const;
const secrets: Readonly<Record<string, SecretBinding>> = {
  TOKEN: { origin, header: "authorization" },
  OTHER: { origin, header: "x-api-key" },
  PASSWORD: { origin, body: "/login/password" },
  PIN: { origin, body: "/login/pins/1" },
  LINES: { origin, header: "x-lines" },
  SHORT: { origin, header: "x-short" },
  LONG: { origin, body: "/long" },
  BINARY: { origin, body: "/binary" },
  EMPTY: { origin, header: "x-empty" },
  MISSING: { origin, header: "x-missing" },
  BROKEN: { origin, header: "x-broken" },
};
const stored: Readonly<Record<string, string | Uint8Array>> = {
  TOKEN: "t0ken-value-{{secret:OTHER}}",
  OTHER: "other-value",
  PASSWORD: 'pass"word\\\n ü {{secret:PIN}}',
  PIN: "12345678",
  LINES: "two\r\nlines: here",
  SHORT: "1234567",
  LONG: "x".repeat(4097),
  BINARY: Uint8Array.from([255, 254, 253, 252, 251, 250, 249, 248]),
  EMPTY: "",
};
const asked: string[] = [];
const logged: string[] = [];
const vault: Vault = {
  get: (name) => {
    asked.push(name);
    if (name === "BROKEN") return Promise.reject(new ExoArmurError("EXO_VAULT", "/home/keys/vault.key is gone"));
    const value = stored[name];
    return Promise.resolve(value === undefined ? undefined : new Uint8Array(Buffer.from(value)));
  },
};
const desk = createSecretDesk({ secrets, vault, logger: { log: (_, message) => void logged.push(message) } });
const all = Object.keys(secrets);

function request(part: Partial<OutgoingRequest>): OutgoingRequest {
  return { method: "POST", ...origin, path: "/v1", headers: {}, body: new Uint8Array(), ...part };
}
const json = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const filled = async (part: Partial<OutgoingRequest>, granted = all): Promise<OutgoingRequest> => {
  const result = await desk.fill(request(part), granted);
  if (!result.ok) throw new Error(result.error.message);
  return result.value.request;
};
const refused = async (part: Partial<OutgoingRequest>, granted = all): Promise<string> => {
  const result = await desk.fill(request(part), granted);
  return result.ok ? "filled" : `${result.error.code}: ${result.error.message}`;
};

describe("a placeholder is filled in", () => {
  test("in its header, once and as it is, whatever the value says", async () => {
    const { headers } = await filled({ headers: { authorization: "Bearer {{secret:TOKEN}}", accept: "{{x}}" } });
    expect(headers).toEqual({ authorization: "Bearer t0ken-value-{{secret:OTHER}}", accept: "{{x}}" });
  });

  test("in its string of a JSON body, escaped, and the rest stays byte for byte", async () => {
    const text = '{ "n": 1.50e2,\t"login" : {"pins":["a","#{{secret:PIN}}#"], "password":"{{secret:PASSWORD}}" } }\n';
    const { body } = await filled({ body: json(text) });
    const escaped = JSON.stringify(stored["PASSWORD"]).slice(1, -1);
    expect(Buffer.from(body).toString()).toBe(
      text.replace("{{secret:PIN}}", "12345678").replace("{{secret:PASSWORD}}", escaped),
    );
    expect((JSON.parse(Buffer.from(body).toString()) as { login: unknown }).login).toEqual({
      pins: ["a", "#12345678#"],
      password: stored["PASSWORD"],
    });
  });

  test("and its value is handed over for scrubbing, each name asked for once", async () => {
    asked.length = 0;
    const headers = { authorization: "{{secret:TOKEN}}{{secret:TOKEN}}", "x-api-key": "{{secret:OTHER}}" };
    const result = await desk.fill(request({ headers }), all);
    expect(result.ok && result.value.values.map((value) => Buffer.from(value).toString())).toEqual([
      stored["TOKEN"],
      stored["OTHER"],
    ]);
    expect(asked).toEqual(["TOKEN", "OTHER"]);
  });

  test("nothing is asked for and nothing changes without a placeholder", async () => {
    asked.length = 0;
    const plain = request({ headers: { authorization: "{{secrets}}" }, body: json('{"a":"{secret:TOKEN}"}') });
    const result = await desk.fill(plain, all);
    expect(result.ok && result.value).toEqual({ request: plain, values: [] });
    expect(result.ok && result.value.request).toBe(plain);
    expect(asked).toEqual([]);
  });
});

const denied: Readonly<Record<string, readonly [Partial<OutgoingRequest>, string]>> = {
  "in another header": [
    { headers: { "x-debug": "{{secret:TOKEN}}" } },
    "the secret TOKEN stands where it is not bound",
  ],
  "in its header and in another": [
    { headers: { authorization: "{{secret:TOKEN}}", cookie: "{{secret:TOKEN}}" } },
    "the secret TOKEN stands where it is not bound",
  ],
  "in the header of another secret": [
    { headers: { authorization: "{{secret:OTHER}}" } },
    "the secret OTHER stands where it is not bound",
  ],
  "in the body, while bound to a header": [
    { body: json('{"login":{"password":"{{secret:TOKEN}}"}}') },
    "the secret TOKEN stands where it is not bound",
  ],
  "in a header, while bound to the body": [
    { headers: { authorization: "{{secret:PASSWORD}}" } },
    "the secret PASSWORD stands where it is not bound",
  ],
  "in another string of the body": [
    { body: json('{"login":{"password":"{{secret:PASSWORD}}","name":"{{secret:PASSWORD}}"}}') },
    "a placeholder stands in the body where its secret is not bound",
  ],
  "in the string of another secret": [
    { body: json('{"login":{"password":"{{secret:PIN}}","pins":["","{{secret:PIN}}"]}}') },
    "a placeholder stands in the body where its secret is not bound",
  ],
  "in a key of the body": [
    { body: json('{"{{secret:PASSWORD}}":1,"login":{"password":"{{secret:PASSWORD}}"}}') },
    "a placeholder stands in the body where its secret is not bound",
  ],
  "in a key that occurs twice": [
    { body: json('{"login":{"password":"{{secret:PASSWORD}}","password":"{{secret:PASSWORD}}"}}') },
    "a placeholder stands in a body that is no strict JSON",
  ],
  "in a body that is no JSON": [
    { body: json("password={{secret:PASSWORD}}") },
    "a placeholder stands in a body that is no strict JSON",
  ],
  "in a body that is not UTF-8": [
    { body: new Uint8Array([...json('{"login":{"password":"{{secret:PASSWORD}}'), 0xff, ...json('"}}')]) },
    "a placeholder stands in a body that is no strict JSON",
  ],
  "in a body without the string": [
    { body: json('{"password":"{{secret:PASSWORD}}"}') },
    "a secret is bound to a string that the body does not have",
  ],
  "where the pointer names no string": [
    { body: json('{"login":{"password":["{{secret:PASSWORD}}"]}}') },
    "a secret is bound to a string that the body does not have",
  ],
  "in another item of the array": [
    { body: json('{"login":{"pins":["","","{{secret:PIN}}"]}}') },
    "a placeholder stands in the body where its secret is not bound",
  ],
  "in the query": [{ path: "/v1?key={{secret:TOKEN}}" }, "the secret TOKEN stands in the URL, where none is filled in"],
  "in the path, percent-encoded": [
    { path: "/%7B%7bsecret%3ATOKEN%7D}" },
    "the secret TOKEN stands in the URL, where none is filled in",
  ],
  "without an end": [
    { headers: { authorization: "{{secret:TOKEN" } },
    "a placeholder is malformed; expected {{secret:NAME}}",
  ],
  "without a name": [
    { headers: { authorization: "{{secret:}}" } },
    "a placeholder is malformed; expected {{secret:NAME}}",
  ],
  "with a name that holds a line break": [
    { body: json('{"a":"{{secret:A\nB}}"}') },
    "a placeholder is malformed; expected {{secret:NAME}}",
  ],
  "inside of another": [
    { headers: { authorization: "{{secret:{{secret:TOKEN}}}}" } },
    "a placeholder is malformed; expected {{secret:NAME}}",
  ],
};

describe("a placeholder is refused, and nothing is sent", () => {
  test.each(Object.keys(denied))("%s", async (what) => {
    const [part, message] = denied[what] ?? [{}, ""];
    expect(await refused(part)).toBe(`EXO_SECRET_DENIED: ${message}`);
  });

  test("when it is not granted: whether it exists, or has a value, is not told", async () => {
    asked.length = 0;
    for (const name of ["TOKEN", "MISSING", "NOBODY", "__proto__", "toString"]) {
      const wellFormed = name !== "__proto__";
      expect(await refused({ headers: { authorization: `{{secret:${name}}}` } }, ["OTHER"])).toBe(
        wellFormed
          ? `EXO_SECRET_DENIED: the secret ${name} is not granted; http_request.secrets of the executor's grant must name it`
          : "EXO_SECRET_DENIED: a placeholder is malformed; expected {{secret:NAME}}",
      );
    }
    expect(asked).toEqual([]);
  });

  test.each([
    ["scheme", { scheme: "http" }],
    ["host", { host: "api.example.com.evil.example" }],
    ["port", { port: 8443 }],
  ] as const)("when it is bound to another %s", async (_, part) => {
    asked.length = 0;
    expect(await refused({ ...part, headers: { authorization: "{{secret:TOKEN}}" } })).toBe(
      "EXO_SECRET_DENIED: the secret TOKEN is bound to another origin",
    );
    expect(asked).toEqual([]);
  });

  const unknown = "EXO_SECRET_UNKNOWN: the secret";
  const size = "bytes; expected 8 to 4096, since shorter ones cannot be told in answers";
  const line = "is bound to a header; expected printable ASCII on one line, without outer blanks";
  test.each([
    ["NOBODY", "x", `${unknown} NOBODY is not configured; secrets in config.json must bind it`],
    ["toString", "x", `${unknown} toString is not configured; secrets in config.json must bind it`],
    ["MISSING", "x-missing", `${unknown} MISSING has no value in its vault`],
    ["BROKEN", "x-broken", "EXO_VAULT: the vault could not be read"],
    ["EMPTY", "x-empty", `EXO_SECRET_VALUE: the secret EMPTY has 0 ${size}`],
    ["SHORT", "x-short", `EXO_SECRET_VALUE: the secret SHORT has 7 ${size}`],
    ["LINES", "x-lines", `EXO_SECRET_VALUE: the secret LINES ${line}`],
  ])("%s", async (name, header, message) => {
    const result = await refused({ headers: { [header]: `{{secret:${name}}}` } }, [...all, "NOBODY", "toString"]);
    expect(result).toBe(message);
    expect(logged.join()).not.toContain("1234567");
  });

  test.each([
    ["LONG", "/long", `has 4097 ${size}`],
    ["BINARY", "/binary", "is not UTF-8"],
  ])("%s, in a body", async (name, pointer, message) => {
    const body = json(JSON.stringify({ [pointer.slice(1)]: `{{secret:${name}}}` }));
    expect(await refused({ body })).toBe(`EXO_SECRET_VALUE: the secret ${name} ${message}`);
  });
});
