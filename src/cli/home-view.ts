import { existsSync } from "node:fs";
import { join } from "node:path";
import { ExoArmurError } from "../errors.js";
import { type Home, openHome } from "../home/open.js";
import { type LogView, readLedger } from "../log/audit.js";
import type { LogProver } from "../log/cosigned.js";
import { CHECKPOINT_KEY } from "../log/store-layout.js";
import type { StoreReader } from "../ports.js";
import { openLmdbStore } from "../stores/lmdb.js";

/** A home as it is read beside its owner, or without one. Nothing of it can be written. */
export type HomeView = {
  readonly home: Home;
  /** Empty while nothing was ever recorded. */
  readonly store: StoreReader;
  /** The log as it is now, or undefined while it has no checkpoint. */
  log(): LogView | undefined;
  /** Proves entries under the newest checkpoint or an earlier size; take both parts in one turn. */
  readonly prover: LogProver;
  close(): Promise<void>;
};

const emptyStore: StoreReader = { get: () => undefined, range: () => [] };

/**
 * Opens a home for reading. A home whose store does not exist yet is an empty view. EXO_HOME_*, EXO_STORE,
 * EXO_STORE_DAMAGED, and the errors of the files people write. `whole` reads the store's whole file before anything else.
 */
export async function openHomeView(dir: string, whole = false): Promise<HomeView> {
  const home = await openHome(dir);
  const hasStore = existsSync(join(home.paths.data, "data.mdb"));
  const opened = hasStore ? await openLmdbStore(home.paths.data, { readOnly: true, whole }) : undefined;
  const store = opened ?? emptyStore;
  const log = (): LogView | undefined =>
    store.get(CHECKPOINT_KEY) === undefined ? undefined : readLedger(store, home.log.origin);
  const view = (): LogView => {
    const present = log();
    if (present === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", "the store has no checkpoint");
    return present;
  };
  return {
    home,
    store,
    log,
    prover: { checkpoint: () => view().checkpoint, prove: (index, size) => view().prove(index, size) },
    close: async () => {
      await home.closeKeys();
      await opened?.close();
    },
  };
}

/** Opens a home for reading, does `work` and closes it again. Errors as openHomeView. */
export async function withHomeView<T>(
  dir: string,
  work: (view: HomeView) => T | Promise<T>,
  whole = false,
): Promise<T> {
  const view = await openHomeView(dir, whole);
  try {
    return await work(view);
  } finally {
    await view.close();
  }
}
