import type { z } from "zod";
import { readJson } from "../canonical/read.js";
import { readStream } from "../canonical/read-stream.js";
import { parseContract, pointerOf } from "../contracts/common.js";
import { ExoArmurError } from "../errors.js";
import type { Route } from "./route.js";

/** A path's or query's parts under their contract. EXO_SCHEMA with the pointer of the first problem. */
export function readTexts(schema: z.ZodType, texts: Readonly<Record<string, string>>, what: string): unknown {
  const parsed = schema.safeParse(texts);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const lines = issues.slice(0, 8).map((issue) => `${pointerOf(issue.path) || "/"}: ${issue.message}`);
  const pointer = pointerOf(issues[0]?.path ?? []);
  throw new ExoArmurError("EXO_SCHEMA", `${what}: ${lines.join("; ")}`, { pointer });
}

/** The members of a query. EXO_SCHEMA for one that comes twice. */
export function queryOf(url: string): Record<string, string> {
  const texts: [string, string][] = [];
  for (const [name, value] of new URL(url).searchParams) {
    if (texts.some(([known]) => known === name)) {
      throw new ExoArmurError("EXO_SCHEMA", "query: a member comes twice", { pointer: pointerOf([name]) });
    }
    texts.push([name, value]);
  }
  return Object.fromEntries(texts);
}

/**
 * A request's body under its contract; undefined for a route without. EXO_MEDIA_TYPE, EXO_JSON_SIZE before more than
 * the route's bound is kept, EXO_JSON_*, EXO_SCHEMA.
 */
export async function readBody({ body }: Route, request: Request): Promise<unknown> {
  if (body === null) return undefined;
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json(?:\s*;\s*charset=utf-8)?$/i.test(type)) {
    throw new ExoArmurError("EXO_MEDIA_TYPE", "expected Content-Type: application/json");
  }
  const bytes = await readBytes(request, body.maxBytes);
  return parseContract(body.schema, readJson(bytes, { maxBytes: body.maxBytes }), "body");
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): ExoArmurError =>
    new ExoArmurError("EXO_JSON_SIZE", `the body has at most ${maxBytes} bytes on this route`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const bytes = await readStream(request.body, maxBytes);
  if (bytes === undefined) throw tooLarge();
  return bytes;
}
