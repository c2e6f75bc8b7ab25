import { digestOf } from "../canonical/digest.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";

/** The console as it is served: one HTML file, and the policy it carries, as a header. */
export type ConsolePage = {
  readonly html: Uint8Array<ArrayBuffer>;
  /** Content-Security-Policy: the page's own, and that nothing may frame it. */
  readonly policy: string;
  /** SHA-256 of the file: what a build of the same revision gives, so that the page served can be compared. */
  readonly digest: string;
};

/** Takes the built console apart. EXO_FILE for a file that carries no policy. */
export function readConsolePage(html: Uint8Array<ArrayBuffer>): ConsolePage {
  const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(decodeUtf8(html) ?? "") ?? [];
  if (policy === undefined) throw new ExoArmurError("EXO_FILE", "the console page carries no Content-Security-Policy");
  return { html, policy: `${policy}; frame-ancestors 'none'`, digest: digestOf(html) };
}
