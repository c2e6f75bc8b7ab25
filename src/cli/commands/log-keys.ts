import { type NoteKey, parseVkey } from "../../crypto/note-key.js";
import type { Options } from "../action.js";
import { textsOption } from "../action.js";
import type { CliContext } from "../context.js";
import { readTrustOption } from "./verify.js";

/**
 * Keys of logs named with --vkey, which may be repeated, and by the trust file of --trust; undefined without either.
 * EXO_KEY, EXO_KEY_REFUSED, and as readTrustOption.
 */
export async function logKeysOption(context: CliContext, options: Options): Promise<readonly NoteKey[] | undefined> {
  const named = textsOption(options, "vkey");
  const trust = await readTrustOption(context, options);
  if (named.length === 0 && trust === undefined) return undefined;
  const vkeys = new Set([...named, ...(trust?.logs ?? []).map(({ vkey }) => vkey)]);
  return [...vkeys].map(parseVkey);
}
