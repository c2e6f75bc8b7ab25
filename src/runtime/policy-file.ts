import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { loadProgram, type PolicyProgram } from "../policy/program.js";
import { type ReadText, readPolicy } from "../policy/read.js";
import { loadCedar } from "./cedar.js";

/** Bytes a text beside a policy may have. */
const maxTextBytes = 4_194_304;

/**
 * Reads a policy file in either language, with the texts it names from its own folder, and compiles it. As readPolicy;
 * EXO_FILE for a text that is not there, EXO_SCHEMA for what Cedar refuses.
 *
 * @param file how messages name it
 * @param folder where its texts lie
 */
export async function readProgram(
  bytes: Uint8Array,
  file: string,
  folder: string = dirname(file),
): Promise<PolicyProgram> {
  const policy = readPolicy(bytes, file, textsIn(folder, file));
  try {
    return await loadProgram(policy, loadCedar);
  } catch (error) {
    if (!isExoArmurError(error, "EXO_SCHEMA") || error.place.file !== undefined) throw error;
    const message = `${file}: ${error.message.replace(/^policy: /, "")}`;
    throw new ExoArmurError(error.code, message, { ...error.place, file }, { cause: error });
  }
}

function textsIn(folder: string, file: string): ReadText {
  return (name) => {
    const place = join(folder, name);
    if (name === "" || basename(name) !== name || name === "..") {
      throw new ExoArmurError(
        "EXO_FILE",
        `${file}: expected the name of a file beside it, got ${JSON.stringify(name)}`,
        {
          file,
        },
      );
    }
    try {
      const { size } = statSync(place);
      if (size > maxTextBytes) throw new Error(`expected at most ${maxTextBytes} bytes, got ${size}`);
      const text = decodeUtf8(readFileSync(place));
      if (text === undefined) throw new Error("the bytes are not well-formed UTF-8");
      return text;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ExoArmurError("EXO_FILE", `${file}: ${name} cannot be read: ${why}`, { file: place }, { cause: error });
    }
  };
}
