import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, inflateRaw } from "node:zlib";
import { httpBounds } from "./bounds.js";

type Decoder = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Promise<Uint8Array>;

const [unzip, unbrotli, unzlib, unraw] = [gunzip, brotliDecompress, inflate, inflateRaw].map(promisify) as unknown as [
  Decoder,
  Decoder,
  Decoder,
  Decoder,
];

/** Half of what calls itself deflate comes without the frame of zlib, which begins with method 8. */
const undeflate: Decoder = (bytes, options) => (((bytes[0] ?? 0) & 0x0f) === 8 ? unzlib : unraw)(bytes, options);

const decoders: ReadonlyMap<string, Decoder> = new Map([
  ["gzip", unzip],
  ["x-gzip", unzip],
  ["br", unbrotli],
  ["deflate", undeflate],
]);

/** What requests say they take. */
export const acceptedCodings = "gzip, deflate, br";

/**
 * A body without its content codings. Decoding stops as soon as it gives more than `maxBytes`. Rejects for that, for a
 * coding that is not known, for too many of them and for a body that is not what its coding says.
 */
export async function decodeBody(body: Uint8Array, codings: string | undefined, maxBytes: number): Promise<Uint8Array> {
  const names = (codings ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length > httpBounds.codings) throw new RangeError("too many content codings");
  let content = body;
  // Answers without a body, such as to HEAD, name the coding it would have had.
  if (body.length === 0) return body;
  for (const name of names.reverse()) {
    const decode = decoders.get(name);
    if (decode === undefined) throw new RangeError("an unknown content coding");
    content = new Uint8Array(await decode(content, { maxOutputLength: Math.max(1, maxBytes) }));
  }
  if (content.length > maxBytes) throw new RangeError("a body beyond its bound");
  return content;
}
