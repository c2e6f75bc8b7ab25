/** Verifying bundles, and replay beside the live run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyEd25519 } from "../../dist/crypto/ed25519.js";
import { encodeUtf8 } from "../../dist/crypto/encoding.js";
import { sha256 } from "../../dist/crypto/sha256.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { openLmdbStore } from "../../dist/stores/lmdb.js";
import { verifyBundle } from "../../dist/verify/verify-bundle.js";
import { concurrently, repeatedly } from "./measure.mjs";
import { pageRow } from "./page.mjs";
import { draft, openRuntime } from "./parts.mjs";
import { row } from "./table.mjs";

/** Rows about bundles of a durable run. */
export async function proofRows({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  const pages = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  const runtime = await openRuntime(await openLmdbStore(folder));
  try {
    const bundles = [];
    const act = async () => bundles.push((await runtime.execute(draft)).bundle);
    await concurrently(100, 4, act);
    const live = await concurrently(quick ? 200 : 1000, 1, act);
    const files = bundles.slice(0, 100).map((bundle) => bundle.bytes());
    const { trust } = runtime;
    const verify = (index) => {
      const report = verifyBundle(files[index % files.length], { trust });
      if (report.result !== "pass") throw new Error("a bundle does not verify");
    };
    const cold = performance.now();
    verify(0);
    const first = performance.now() - cold;
    await concurrently(quick ? 50 : 300, 1, verify);
    const warm = await concurrently(quick ? 100 : 1000, 1, verify);
    const again = async (index) => {
      const report = await runtime.replay(files[index % files.length]);
      if (report.result !== "success") throw new Error("a bundle does not replay");
    };
    await concurrently(quick ? 30 : 200, 1, again);
    const replay = await concurrently(quick ? 100 : 1000, 1, again);
    const ratio = replay.rate / live.rate;
    return [
      row("Ed25519 verification by itself", signatureCost(quick)),
      row("verify a bundle, the first", { value: first, unit: "ms", note: `${files[0].length} bytes` }),
      row("verify a bundle, warm", {
        value: warm.each,
        unit: "ms",
        p99: warm.p99,
        target: "<= 2 ms",
        reached: warm.each <= 2,
      }),
      row("live durable action, 1 at a time", { value: live.each, unit: "ms", p99: live.p99, rate: live.rate }),
      row("replay of a bundle, 1 at a time", {
        value: replay.each,
        unit: "ms",
        p99: replay.p99,
        rate: replay.rate,
        ratio,
        peer: "the live rate",
        target: ">= 3x",
        reached: ratio >= 3,
      }),
      await pageRow(files, trust, { folder: pages, quick }),
    ];
  } finally {
    await runtime.close();
    for (const one of [folder, pages]) rmSync(one, { recursive: true, force: true });
  }
}

function signatureCost(quick) {
  const signer = signerFromSeed(sha256(encodeUtf8("bench signature")));
  const message = encodeUtf8("a message of some length, as envelopes have".repeat(20));
  const signature = signer.sign(message);
  const { p50, p99 } = repeatedly(quick ? 100 : 500, () => verifyEd25519(signer.publicKey, message, signature));
  return { value: p50 / 1000, unit: "ms", p99: p99 / 1000 };
}
