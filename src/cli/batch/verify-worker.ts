import { parentPort, workerData } from "node:worker_threads";
import type { Trust } from "../../contracts/trust.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { readBounded } from "../../home/atomic.js";
import { loadCedar } from "../../runtime/cedar.js";
import { verifyLoading } from "../../verify/verify-bundle.js";
import { isCallDisclosure, verifyCall } from "../../verify/verify-call.js";
import { inputs } from "../files.js";
import { type BatchRow, rowOf, rowWithout } from "./rows.js";

/** What a thread of a batch is started with. */
export type WorkerStart = { readonly trust: Trust | undefined };

/**
 * A thread of a batch: takes one absolute path after the other and answers each with its row. A plugin that many bundles
 * carry is admitted and metered once in each thread (verify/check-execution).
 */
const { trust } = workerData as WorkerStart;
const given = trust === undefined ? {} : { trust };

async function verifyFile(file: string): Promise<BatchRow> {
  try {
    const read = await readBounded(file, { maxBytes: inputs.bundle.maxBytes });
    if (read === undefined) throw new ExoArmurError("EXO_FILE", "does not exist");
    const { bytes } = read;
    return rowOf(isCallDisclosure(bytes) ? verifyCall(bytes, given) : await verifyLoading(bytes, given, loadCedar));
  } catch (error) {
    if (isExoArmurError(error)) return rowWithout("fail", error.code, error.message);
    return rowWithout("unable", "EXO_INTERNAL", error instanceof Error ? error.message : String(error));
  }
}

parentPort?.on("message", (file: string) => {
  void verifyFile(file).then((row) => parentPort?.postMessage(row));
});
