import type { WitnessConfig } from "../contracts/config.js";
import { parseVkey } from "../crypto/note-key.js";
import type { ErrorCode } from "../errors.js";
import { addCheckpoint } from "../home/witness-client.js";
import type { LogView } from "../log/audit.js";
import { lastCosignedBy } from "../log/cosigned.js";
import { type Diagnosis, examine, type Found } from "./diagnosis.js";
import type { HomeView } from "./home-view.js";
import { formatCount } from "./output.js";

/**
 * A line for each witness of config.json: whether it answers, and the size it cosigned last. Each is asked at once for the
 * newest checkpoint as if it knew that already, so that no answer moves it on.
 */
export async function diagnoseWitnesses(view: HomeView): Promise<Diagnosis[]> {
  const { witnesses } = view.home.resolved;
  if (witnesses.length === 0) return [{ id: "witnesses", state: "ok", message: "none configured" }];
  const present = view.log();
  return await Promise.all(
    witnesses.map((witness) =>
      examine(`witness ${witness.name ?? parseVkey(witness.vkey).name}`, () =>
        present === undefined ? `${witness.url}, not asked: the log is empty` : ask(view, present, witness),
      ),
    ),
  );
}

async function ask(
  view: HomeView,
  { size, checkpoint }: LogView,
  { vkey, url, timeoutMs = 5000 }: WitnessConfig,
): Promise<Found> {
  const key = parseVkey(vkey);
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await addCheckpoint({ url, key, old: size, proof: [], checkpoint, signal });
  if (answer.kind === "cosigned") return `${url}, cosigned ${ofEntries(size, size)}`;
  if (answer.kind !== "conflict") {
    const why = answer.kind === "failed" ? answer.why : "it does not take a tree that it is told it knows";
    const last = lastCosignedBy(view.store, key);
    return { state: "warn", message: `${url} did not cosign: ${why}; before, it cosigned ${ofEntries(last, size)}` };
  }
  if (answer.size === size) return contradicted("EXO_LOG_FORK", `${url} knows another tree of ${size} entries`);
  // Whoever owns the home may have gone on meanwhile.
  const now = view.log()?.size ?? 0;
  if (answer.size <= now) return `${url}, cosigned ${ofEntries(answer.size, now)}`;
  return contradicted("EXO_STORE_ROLLED_BACK", `${url} knows ${answer.size} entries, the log has ${now}`);
}

function ofEntries(cosigned: number, size: number): string {
  return cosigned === 0 ? "nothing of this log yet" : `${formatCount(cosigned)} of ${formatCount(size)} entries`;
}

function contradicted(code: ErrorCode, message: string): Found {
  return { state: "fail", code, message };
}
