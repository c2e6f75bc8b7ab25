/** Has the browser save bytes under a name. */
export function saveFile(name: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([bytes.slice()], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The same for a document. */
export function saveDocument(name: string, document: unknown): void {
  saveFile(name, new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`));
}
