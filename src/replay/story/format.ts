/** A whole number with commas between thousands. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** Pages of a guest's memory, in words. */
export function formatPages(pages: number): string {
  return `${formatCount(pages)} ${pages === 1 ? "page" : "pages"}`;
}

/** A digest in short: its first characters. The whole of it is for a title or a copy. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
