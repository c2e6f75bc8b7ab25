import type { AbiValue, Performer, PerformOutcome } from "../../../ports.js";
import { effectiveMaxBytes, effectiveMaxEntries } from "../../bounds.js";
import { textOf } from "../../schemas.js";
import { type Entry, makeFolder, removeFile, renameFile } from "./entries.js";
import { errorOutcome, FsFault } from "./fault.js";
import { type Folder, identityOf, nativeStrategy, openFolder, type WalkStrategy } from "./folder.js";
import { createLocator, type FsRoots, fileName, type Place } from "./place.js";
import { listFolder, readRange, statEntry } from "./read.js";
import { createTurns } from "./turns.js";
import { appendFile, type WriteBounds, writeFile } from "./write.js";

/** Performers of the file capabilities. */
export type FsPerformers = Readonly<
  Record<
    "fs_read" | "fs_write" | "fs_list" | "fs_stat" | "fs_remove" | "fs_append" | "fs_mkdir" | "fs_rename",
    Performer
  >
>;

type Request = Readonly<Record<string, AbiValue>>;

/** One call: its request, what it may take up, and the end of its run. */
type Call = { readonly request: Request; readonly bounds: WriteBounds; readonly signal: AbortSignal };

type Reading = (folder: Folder, place: Place, call: Call) => Promise<PerformOutcome>;
type Changing = (entry: Entry, call: Call) => Promise<PerformOutcome>;

/**
 * Performers over root directories (spec/capabilities.md, Files). Below a root no symbolic link is followed, and only
 * regular files are read, replaced, renamed or removed. Changes of one directory take turns. Answers name no host path.
 * Throws EXO_FILE for a root whose path is not absolute.
 *
 * @param strategy how names are reached; what the system supports by default
 */
export function createFsPerformers(roots: FsRoots, strategy: WalkStrategy = nativeStrategy()): FsPerformers {
  const locate = createLocator(roots);
  const turns = createTurns();
  const inFolder = async <T>(place: Place, work: (folder: Folder) => Promise<T>): Promise<T> => {
    const folder = await openFolder(place.root, place.folder, strategy);
    try {
      return await work(folder);
    } finally {
      await folder.close();
    }
  };
  const read = (work: Reading, itself = false): Performer =>
    performer((call) => {
      const place = locate(textOf(call.request, "path"), "read");
      return inFolder(itself ? placeInside(place) : place, (folder) => work(folder, place, call));
    });
  const change = (work: Changing): Performer =>
    performer((call) => {
      const place = locate(textOf(call.request, "path"), "write");
      const name = fileName(place);
      return inFolder(place, async (folder) => turns([await identityOf(folder)], () => work({ folder, name }, call)));
    });
  return {
    fs_read: read((folder, place, { request: { offset, length }, bounds, signal }) =>
      readRange(folder, fileName(place), { offset, length }, bounds.maxBytes, signal),
    ),
    fs_list: read((folder, _place, { bounds, signal }) => listFolder(folder, bounds.maxEntries, signal), true),
    fs_stat: read((folder, place) => statEntry(folder, place.name)),
    fs_write: change((entry, { request, bounds, signal }) =>
      writeFile(entry, bytesOf(request), modeOf(request), bounds, signal),
    ),
    fs_append: change((entry, { request, bounds, signal }) => appendFile(entry, bytesOf(request), bounds, signal)),
    fs_remove: change((entry, { signal }) => removeFile(entry, signal)),
    fs_mkdir: change((entry, { bounds, signal }) => makeFolder(entry, bounds.maxEntries, signal)),
    fs_rename: performer(async ({ request, bounds, signal }) => {
      const from = locate(textOf(request, "path"), "write");
      const to = locate(textOf(request, "to"), "write");
      const names = [fileName(from), fileName(to)] as const;
      return inFolder(from, (source) =>
        inFolder(to, async (other) => {
          const keys = [await identityOf(source), await identityOf(other)];
          // One directory is one folder, whatever paths led there: what is added in it was there before.
          const target = keys[0] === keys[1] ? source : other;
          return turns([...new Set(keys)], () =>
            renameFile(
              { folder: source, name: names[0] },
              { folder: target, name: names[1] },
              modeOf(request),
              bounds.maxEntries,
              signal,
            ),
          );
        }),
      );
    }),
  };
}

function performer(work: (call: Call) => Promise<PerformOutcome>): Performer {
  return {
    perform: async (request, constraints, signal) => {
      const { maxBytes, maxEntries } = constraints;
      const bounds = { maxBytes: effectiveMaxBytes(maxBytes), maxEntries: effectiveMaxEntries(maxEntries) };
      try {
        return await work({ request, bounds, signal });
      } catch (error) {
        return errorOutcome(error);
      }
    },
  };
}

/** The place of a directory, as the folder that is opened. */
function placeInside({ root, folder, name }: Place): Place {
  return { root, folder: name === "" ? [] : [...folder, name], name: "" };
}

function bytesOf(request: Request): Uint8Array {
  const bytes = request["bytes"];
  if (bytes instanceof Uint8Array) return bytes;
  throw new FsFault("EXO_CAPABILITY_REQUEST", "the request carries no bytes");
}

function modeOf(request: Request): "create" | "replace" {
  return request["mode"] === "replace" ? "replace" : "create";
}
