import { parseAliasPath } from "../../../contracts/alias-path.js";

/** Names beginning like this, in any case, belong to the runtime: its home's default folder and its temporary files. */
const reservedPrefix = ".exoarmur";

/** Names Windows gives to devices or other streams, or cuts: `con`, `com1.txt`, `a:b`, `a.`, `a `. */
const windowsNames = /[<>:"|?*]|[. ]$|^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

/** May a guest name this entry? `windows` adds the names that mean something else there. */
export function isGuestName(name: string, windows: boolean): boolean {
  const reserved = name.slice(0, reservedPrefix.length).toLowerCase() === reservedPrefix;
  return !reserved && !(windows && windowsNames.test(name));
}

/** May this entry of a directory be listed? Only what a guest could name in a path. */
export function isListed(name: string, windows: boolean): boolean {
  return isGuestName(name, windows) && parseAliasPath(`r/${name}`)?.length === 2;
}

/** Name of a temporary file; `attempt` counts up until it is free. */
export function temporaryName(attempt: number): string {
  return `${reservedPrefix}-write-${attempt}.tmp`;
}
