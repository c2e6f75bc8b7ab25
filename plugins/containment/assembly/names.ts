import { Value } from "../../sdk/assembly/value";

const MAX_NAME: usize = 128;
const MAX_API: usize = 2048;

/** Whether the text can be one segment of a path as it stands: no dot segment, nothing to encode. */
export function isName(text: Value): bool {
  if (text.length == 0 || text.length > MAX_NAME || !isAlphanumeric(load<u8>(text.start))) return false;
  for (let i: usize = 1; i < text.length; i++) {
    const c = <u32>load<u8>(text.start + i);
    if (!isAlphanumeric(c) && c != 0x2d && c != 0x2e && c != 0x5f) return false;
  }
  return true;
}

/**
 * What is wrong with the base URL of an API, null when it will do: http or https, then only characters of a host, a port and a
 * path, not ending in a slash. The host checks the whole URL's form and whether the grant reaches it.
 */
export function apiProblem(api: Value): string | null {
  const text = api.text();
  const scheme = text.startsWith("https://") ? 8 : text.startsWith("http://") ? 7 : 0;
  let good = scheme > 0 && api.length > <usize>scheme && api.length <= MAX_API && !text.endsWith("/");
  for (let i: usize = <usize>scheme; i < api.length; i++) {
    const c = <u32>load<u8>(api.start + i);
    if (!isAlphanumeric(c) && !(c >= 0x2d && c <= 0x2f) && c != 0x3a && c != 0x5f && c != 0x7e) good = false;
  }
  if (good) return null;
  return 'parameter "api" must be the URL of the API without a slash at the end, as in https://edr.example.com/v1';
}

function isAlphanumeric(c: u32): bool {
  return c - 0x30 < 10 || (c | 0x20) - 0x61 < 26;
}
