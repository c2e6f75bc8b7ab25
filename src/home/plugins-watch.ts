import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { HomePaths } from "./paths.js";
import { isWhole, listPlugins, type PluginFile, pluginNameOf, readPlugin } from "./plugins.js";

/** How often the folder is looked at where the system's notices do not come, in milliseconds. */
const pollMs = 1000;
/** How long a plugin's files must stand still before they are read, in milliseconds. */
const settleMs = 100;
/** How many looks are taken at a plugin that is not whole before it is taken as it is. */
const patientLooks = 20;

/** What became of a plugin of the folder: its files as they are now, or null when they are gone. */
export type PluginChange = { readonly name: string; readonly plugin: PluginFile | null };

/** How every plugin's files looked at one time, by name: what changes whenever one of them is written. */
export type PluginMarks = ReadonlyMap<string, string>;

/**
 * Marks of everything in the plugins folder; none when there is no folder. Reads no content. EXO_HOME_DAMAGED when the
 * folder cannot be read, which is not the same as an empty one.
 */
export async function markPlugins({ plugins }: HomePaths): Promise<PluginMarks> {
  const marks = new Map<string, string>();
  const entries = (await listPlugins(plugins, "empty")).sort();
  for (const entry of entries) {
    const name = pluginNameOf(entry);
    if (name === undefined) continue;
    const found = await stat(join(plugins, entry), { bigint: true }).catch(() => undefined);
    const mark = found === undefined ? "gone" : `${found.ino}.${found.size}.${found.mtimeNs}.${found.ctimeNs}`;
    marks.set(name, `${marks.get(name) ?? ""}${entry} ${mark}\n`);
  }
  return marks;
}

/** A change that was seen: its mark, and how many looks have found it so. */
type Pending = { readonly mark: string; readonly looks: number };

/**
 * Watches the plugins folder (spec/home.md, Plugins): calls `onChange` for every plugin that was added, replaced or taken
 * away since `known`, one at a time. A plugin is read when its files have stood still for a tenth of a second, and once
 * more if they changed while they were read; one whose files do not belong together is given two seconds to become whole.
 * `onChange` that rejects is called again at the next look. Does not keep the process alive.
 */
export function watchPlugins(
  paths: HomePaths,
  known: PluginMarks,
  onChange: (change: PluginChange) => Promise<void>,
): { close(): Promise<void> } {
  const watching = new PluginWatch(paths, known, onChange);
  watching.open();
  return watching;
}

class PluginWatch {
  readonly #paths: HomePaths;
  readonly #delivered: Map<string, string>;
  readonly #pending = new Map<string, Pending>();
  readonly #onChange: (change: PluginChange) => Promise<void>;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(paths: HomePaths, known: PluginMarks, onChange: (change: PluginChange) => Promise<void>) {
    this.#paths = paths;
    this.#delivered = new Map(known);
    this.#onChange = onChange;
  }

  open(): void {
    this.#watcher = watchFolder(this.#paths.plugins, () => this.#soon());
    this.#poll = setInterval(() => this.#soon(), pollMs).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#next);
    this.#watcher?.close();
    await this.#looking;
  }

  /** Notices are not counted: looks come at most once in the time that files must stand still. */
  #soon(): void {
    if (this.#closed || this.#next !== undefined) return;
    this.#next = setTimeout(() => {
      this.#next = undefined;
      this.#looking = this.#looking.then(() => this.#look()).catch(() => undefined);
    }, settleMs).unref();
  }

  async #look(): Promise<void> {
    const marks = await markPlugins(this.#paths);
    for (const name of new Set([...marks.keys(), ...this.#delivered.keys(), ...this.#pending.keys()])) {
      if (this.#closed) return;
      await this.#consider(name, marks.get(name) ?? "");
    }
    if (this.#pending.size > 0) this.#soon();
  }

  async #consider(name: string, mark: string): Promise<void> {
    if (mark === (this.#delivered.get(name) ?? "")) {
      this.#pending.delete(name);
      return;
    }
    const before = this.#pending.get(name);
    const looks = before?.mark === mark ? before.looks + 1 : 1;
    this.#pending.set(name, { mark, looks });
    if (looks === 1) return;
    const plugin = mark === "" ? null : await readPlugin(this.#paths.plugins, name);
    const now = (await markPlugins(this.#paths)).get(name) ?? "";
    if (now !== mark || this.#closed) return;
    if (plugin !== null && !isWhole(plugin) && looks < patientLooks) return;
    try {
      await this.#onChange({ name, plugin });
    } catch {
      // Not carried out, so still to do.
      return;
    }
    this.#pending.delete(name);
    if (mark === "") this.#delivered.delete(name);
    else this.#delivered.set(name, mark);
  }
}

/** Notices are a convenience: where the system gives none, polling does the work. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, notice).on("error", () => undefined);
  } catch {
    return undefined;
  }
}
