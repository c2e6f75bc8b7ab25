import { type SecretBinding, secretBytes } from "../../../contracts/secret.js";
import { decodeUtf8 } from "../../../crypto/encoding.js";

/** Printable ASCII and inner blanks: nothing that ends a line or a field. */
const headerValue = /^[!-~](?:[ -~]*[!-~])?$/;

/**
 * What is wrong with a secret's value, to stand behind its name; undefined when it can go where it is bound and echoes
 * of it can be told. Never repeats any of it.
 */
export function checkValue(value: Uint8Array, binding?: SecretBinding): string | undefined {
  const { least, most } = secretBytes;
  if (value.length < least || value.length > most) {
    return `has ${value.length} bytes; expected ${least} to ${most}, since shorter ones cannot be told in answers`;
  }
  const text = decodeUtf8(value);
  if (text === undefined) return "is not UTF-8";
  if (binding?.header !== undefined && !headerValue.test(text)) {
    return "is bound to a header; expected printable ASCII on one line, without outer blanks";
  }
  return undefined;
}
