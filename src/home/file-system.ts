import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { ExoArmurError } from "../errors.js";
import { errnoOf, type HomePaths } from "./paths.js";

/** What is asked of the file system; tests give their own. */
export type FileSystemPorts = {
  /** Linux: magic number of the file system that holds `path`. */
  readonly statfs?: (path: string) => Promise<{ readonly type: number }>;
  /** Rejects with a Node error such as EROFS when `path` cannot be written. */
  readonly access?: (path: string) => Promise<void>;
};

/** Network file systems by Linux magic number: their locks and mapped pages are not shared between machines. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x564c, "NCP"],
]);

const defaultStatfs = (path: string): Promise<{ readonly type: number }> =>
  process.platform === "linux" ? statfs(path) : Promise.resolve({ type: 0 });

/** Refuses a home or store on a network file system with EXO_HOME_NETWORK. Judges on Linux alone. */
export async function checkLocal(paths: HomePaths, ports: FileSystemPorts = {}): Promise<void> {
  const ask = ports.statfs ?? defaultStatfs;
  for (const path of [paths.home, paths.data]) {
    // 32-bit magic numbers arrive signed on some platforms.
    const type = await ask(path).then(
      (found) => found.type >>> 0,
      () => 0,
    );
    const name = networkFileSystems.get(type);
    if (name === undefined) continue;
    throw new ExoArmurError("EXO_HOME_NETWORK", `${path} is on ${name}; a home needs a local file system`, {
      file: path,
    });
  }
}

/** Refuses a home that cannot be written with EXO_HOME_READ_ONLY; EXO_HOME_DAMAGED when a folder of it is missing. */
export async function checkWritable(paths: HomePaths, ports: FileSystemPorts = {}): Promise<void> {
  const ask = ports.access ?? ((path) => access(path, constants.W_OK));
  for (const path of [paths.home, paths.data, paths.bundles, paths.inbox]) {
    try {
      await ask(path);
    } catch (error) {
      const why = errnoOf(error) ?? "an unknown error";
      if (why === "ENOENT") throw new ExoArmurError("EXO_HOME_DAMAGED", `${path} is missing`, { file: path });
      throw new ExoArmurError("EXO_HOME_READ_ONLY", `${path} cannot be written: ${why}`, { file: path });
    }
  }
}
