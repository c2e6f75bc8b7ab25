import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { rooted } from "../../capabilities/grant-check.js";
import type { HttpAllow } from "../../contracts/http.js";
import { httpMethods } from "../../contracts/http-methods.js";
import { type CapabilityName, capabilityEffects } from "../../contracts/imports.js";
import type { Constraints } from "../../contracts/manifest.js";
import { splitUrl } from "../../contracts/url.js";
import { ExoArmurError } from "../../errors.js";

/** A folder that a guest reaches under an alias. `path` is absolute. */
export type GrantedRoot = { readonly path: string; readonly access: "read" | "write" };

/** What a trial run is granted: root folders by alias, and constraints by capability, as config.json has them. */
export type TrialGrants = {
  readonly roots: Readonly<Record<string, GrantedRoot>>;
  readonly capabilities: Readonly<Partial<Record<CapabilityName, Constraints>>>;
};

type Draft = {
  readonly roots: Record<string, GrantedRoot>;
  readonly capabilities: Partial<Record<CapabilityName, Constraints>>;
};

const forms = "fs=[ALIAS=]FOLDER[:ro|:rw], http=URL, kv, clock or random";
const aliasForm = /^[a-z0-9][a-z0-9_-]{0,99}$/;
const fsNames = [...rooted];
const kvNames = ["kv_get", "kv_put", "kv_delete", "kv_list"] as const;

/** Each kind of `--grant`: adds what it grants to the draft. */
const kinds: Readonly<Record<string, (draft: Draft, value: string | undefined, text: string, cwd: string) => void>> = {
  fs: grantFolder,
  http: grantUrl,
  kv: plain(Object.fromEntries(kvNames.map((name) => [name, { prefixes: [""] }]))),
  clock: plain({ clock_now: {} }),
  random: plain({ random_bytes: {} }),
};

/**
 * Reads the texts of `--grant` (spec/cli.md, Plugins); folders are relative to `cwd`. Nothing is granted without one.
 * EXO_USAGE for a text that is no grant, two folders under one alias, or a folder that is none.
 */
export async function readGrants(texts: readonly string[], cwd: string): Promise<TrialGrants> {
  const draft: Draft = { roots: {}, capabilities: {} };
  for (const text of texts) {
    const mark = text.indexOf("=");
    const kind = mark < 0 ? text : text.slice(0, mark);
    const add = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (add === undefined) throw wrong(text, `expected ${forms}`);
    add(draft, mark < 0 ? undefined : text.slice(mark + 1), text, cwd);
  }
  for (const [alias, { path }] of Object.entries(draft.roots)) {
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory() !== true) throw wrong(alias, `${path} is no folder`);
  }
  return draft;
}

function plain(capabilities: Draft["capabilities"]): (draft: Draft, value: string | undefined, text: string) => void {
  return (draft, value, text) => {
    if (value !== undefined) throw wrong(text, `expected ${text.slice(0, text.indexOf("="))} without a value`);
    Object.assign(draft.capabilities, capabilities);
  };
}

function grantFolder(draft: Draft, value: string | undefined, text: string, cwd: string): void {
  const [, named, folder = "", mode] = /^(?:([^=/\\]*)=)?(.*?)(?::(ro|rw))?$/s.exec(value ?? "") ?? [];
  if (folder === "" || folder.includes("\0")) throw wrong(text, "expected fs=FOLDER, such as fs=./data:rw");
  const path = resolve(cwd, folder);
  const alias = named ?? basename(path);
  if (!aliasForm.test(alias)) {
    throw wrong(text, `a guest sees the folder as ${JSON.stringify(alias)}, which is no alias; write fs=ALIAS=FOLDER`);
  }
  if (Object.hasOwn(draft.roots, alias)) throw wrong(text, `the alias ${alias} is given twice`);
  const write = mode === "rw";
  draft.roots[alias] = { path, access: write ? "write" : "read" };
  for (const name of fsNames) {
    if (capabilityEffects[name] === "write" && !write) continue;
    draft.capabilities[name] = { roots: [...(draft.capabilities[name]?.roots ?? []), alias] };
  }
}

function grantUrl(draft: Draft, value: string | undefined, text: string): void {
  const url = splitUrl(value ?? "") ?? splitUrl(`${value ?? ""}/`);
  const scheme = url?.scheme === "http" || url?.scheme === "https" ? url.scheme : undefined;
  if (url === null || url.port === null || scheme === undefined) {
    throw wrong(text, "expected http=URL in normal form, such as http=http://127.0.0.1:8080/v1");
  }
  const { host, port, path } = url;
  const allow: HttpAllow = { scheme, host, port, methods: [...httpMethods], pathPrefix: path, ...networksOf(host) };
  draft.capabilities.http_request = { allow: [...(draft.capabilities.http_request?.allow ?? []), allow] };
}

/** Whoever writes an address of the own machine or network means it; a name must resolve to a public address. */
function networksOf(host: string): Pick<HttpAllow, "networks"> {
  return /^[\d.]+$|^localhost$/.test(host) ? { networks: ["loopback", "private"] } : {};
}

function wrong(text: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_USAGE", `--grant ${text}: ${what}`);
}
