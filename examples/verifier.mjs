// A verifier in a program of one's own: node verifier.mjs BUNDLE TRUST. Reads two files and asks nobody; exit code 0 when
// everything holds, 1 when something is proven wrong, 6 when something could not be checked (spec/verification.md).
import { readFile } from "node:fs/promises";
import { trustSchema } from "exoarmur/contracts";
import { isCallDisclosure, readJson, verifyBundle, verifyCall } from "exoarmur/verify";

const [bundleFile, trustFile] = process.argv.slice(2);
if (trustFile === undefined) throw new Error("usage: verifier.mjs BUNDLE TRUST");

// The keys come from whoever is trusted to name them, never from the file that is judged.
const trust = trustSchema.parse(readJson(await readFile(trustFile)));
const bytes = new Uint8Array(await readFile(bundleFile));
const report = (isCallDisclosure(bytes) ? verifyCall : verifyBundle)(bytes, { trust });

for (const { state, title, code, message } of report.checks) {
  if (state === "fail" || state === "unable") console.log(`${state}: ${title}: ${code} ${message}`);
}
const { pass, fail, unable } = report.counts;
console.log(`${report.result}: ${pass} checks passed, ${fail} failed, ${unable} could not be made`);
for (const limit of report.limits) console.log(limit);
process.exitCode = { pass: 0, fail: 1 }[report.result] ?? 6;
