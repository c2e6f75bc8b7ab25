import { resolve } from "node:path";
import { decodeUtf8, encodeBase64, encodeUtf8 } from "../../crypto/encoding.js";
import { formatVkey, noteKey } from "../../crypto/note-key.js";
import { ExoArmurError } from "../../errors.js";
import { readKeyFile } from "../../home/keys.js";
import { updateWitnessState } from "../../home/witness-state.js";
import { readCheckpoint } from "../../log/checkpoint.js";
import { parseHashLines } from "../../log/hash-lines.js";
import { witnessCheckpoint } from "../../log/witness.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput, writeOutput } from "../files.js";
import { printJson } from "../output.js";
import { logKeysOption } from "./log-keys.js";

/**
 * `log witness CHECKPOINT --key FILE --state FILE [--first] [--proof FILE] (--vkey KEY | --trust FILE)`: cosigns another
 * log's checkpoint when it is what was cosigned before, grown; prints the cosigned note once the state is durable.
 * EXO_USAGE, and what readKeyFile, updateWitnessState and witnessCheckpoint throw.
 */
export async function witnessLog(context: CliContext, [path]: readonly string[], options: Options): Promise<ExitCode> {
  if (hasFlag(options, "serve")) {
    if (path !== undefined)
      throw new ExoArmurError("EXO_USAGE", "--serve takes checkpoints by HTTP, not as an argument");
    const { serveWitnessing } = await import("./log-witness-serve.js");
    return await serveWitnessing(context, options);
  }
  if (path === undefined) throw new ExoArmurError("EXO_USAGE", "name a checkpoint, or serve with --serve");
  for (const name of ["port", "host"])
    if (textOption(options, name) !== undefined) throw new ExoArmurError("EXO_USAGE", `--${name} goes with --serve`);
  const out = textOption(options, "out");
  const logKeys = await logKeysOption(context, options);
  if (logKeys === undefined) throw new ExoArmurError("EXO_USAGE", "name the log's key with --vkey or --trust");
  const { id, signer } = await readKeyFile(resolve(context.cwd, textOption(options, "key") ?? ""), "witness");
  const note = await readInput(context, path, inputs.note);
  const proof = await readProof(context, textOption(options, "proof"));
  const seconds = Math.floor(context.clock.now() / 1000);
  const cosigned = await updateWitnessState(
    resolve(context.cwd, textOption(options, "state") ?? ""),
    hasFlag(options, "first"),
    (last) => witnessCheckpoint({ note, logKeys, last, proof }, { name: id, signer, seconds }),
  );
  if (out !== undefined) await writeOutput(context, out, encodeUtf8(cosigned));
  const vkey = formatVkey(noteKey(id, signer.publicKey, 4));
  const { origin, size, root } = readCheckpoint(cosigned);
  if (hasFlag(options, "json")) {
    const facts = { schema: "exoarmur.cosigned/v1", origin, size, root: encodeBase64(root), time: seconds, vkey };
    printJson(context, { ...facts, checkpoint: cosigned });
  } else context.stdout(out === undefined ? cosigned : `cosigned   ${origin}   ${size} leaves   ${vkey}\n`);
  return exitCodes.done;
}

async function readProof(context: CliContext, path: string | undefined): Promise<Uint8Array[]> {
  if (path === undefined) return [];
  const text = decodeUtf8(await readInput(context, path, inputs.note));
  if (text === undefined) throw new ExoArmurError("EXO_LOG_PROOF", `the proof ${path} is not UTF-8 text`);
  return text === "" ? [] : parseHashLines(text);
}
