import { createHash } from "node:crypto";

const hash = (...parts: readonly Uint8Array[]): Uint8Array => {
  const made = createHash("sha256");
  for (const part of parts) made.update(part);
  return new Uint8Array(made.digest());
};

/** MTH of RFC 6962, section 2.1, by its definition. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return hash();
  if (leaves.length === 1) return hash(Uint8Array.of(0), first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hash(Uint8Array.of(1), naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}
