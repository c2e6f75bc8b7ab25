import { beforeAll, describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { predicateType } from "../../src/contracts/bundle.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { unsalt } from "../../src/contracts/material.js";
import { readLeaf } from "../../src/log/leaf.js";
import { formatProofFile } from "../../src/log/proof-file.js";
import type { VerificationReport } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { replay } from "../replay/support.js";
import { Forge, type Loose, loggedLeaf, repack } from "../support/forge.js";
import { draft, openRig, type Rig } from "../support/rig.js";
import { allowAll, denyAll, storedShadows } from "../support/shadow.js";
import { keys } from "../support/world.js";

/** A run that the policy in force allows and the candidate denies, its bundle, and its shadow decision. */
let rig: Rig;
let honest: Uint8Array;
let shadow: ReturnType<typeof storedShadows>[number];
beforeAll(async () => {
  rig = await openRig({ shadow: denyAll });
  const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
  honest = rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array();
  const [stored] = storedShadows(rig.store);
  if (stored === undefined) throw new Error("nothing was recorded");
  shadow = stored;
});

const verify = (bytes: Uint8Array): VerificationReport => verifyBundle(bytes, { trust: rig.trust });
const wrongOf = ({ checks }: VerificationReport): string[] =>
  checks.flatMap(({ id, state, code }) => (state === "fail" || state === "unable" ? [`${id} ${code ?? ""}`] : []));

/** The honest bundle with another envelope, signed and logged by the honest keys. */
async function enveloped(
  payload: Uint8Array,
  change: (bundle: Loose) => unknown = () => undefined,
): Promise<Uint8Array> {
  const envelope = await signEnvelope(payloadTypes.statement, payload, keys.runtime);
  const logProof = await loggedLeaf("bundle", digestOf(payload), 62);
  return repack(honest, (bundle) => {
    Object.assign(bundle, { envelope, logProof });
    change(bundle);
  });
}

describe("a shadow decision for an enforced one", () => {
  it("the honest bundle passes, so that what follows is refused for what it is", () => {
    expect(wrongOf(verify(honest))).toEqual([]);
  });

  it("as a bundle's statement, signed by the runtime itself, is refused", async () => {
    const statement = unsalt(shadow.bytes) ?? new Uint8Array();
    const report = verify(await enveloped(statement));
    expect(report.result).toBe("fail");
    expect(wrongOf(report)).toEqual(["format EXO_BUNDLE"]);
    const replayed = await replay(await enveloped(statement), rig.trust);
    expect(replayed.result).toBe("failure");
  });

  it("as a bundle's statement, with its predicate type changed, is refused", async () => {
    const statement = canonicalize({ ...shadow.statement, predicateType });
    expect(wrongOf(verify(await enveloped(statement)))).toEqual(["format EXO_BUNDLE"]);
  });

  it("as its type of a bundle that is right otherwise is refused", async () => {
    const forge = new Forge(honest);
    Object.assign(forge.statement, { predicateType: shadow.statement.predicateType });
    expect(wrongOf(verify(await forge.pack()))).toEqual(["format EXO_SCHEMA"]);
  });

  it("as the decision of the run is not what the policy says", async () => {
    const { verdict, ruleIds, rationale, obligations } = shadow.statement.predicate;
    const forge = new Forge(honest);
    await forge.payload("policy_evaluated", ({ decision }) =>
      Object.assign(decision, { verdict, ruleIds, rationale, obligations }),
    );
    expect(wrongOf(verify(await forge.pack()))).toContain("policy EXO_CHECK_FAILED");
  });

  it("as the payload of the event that enforces is refused", async () => {
    const forge = new Forge(honest);
    // Without the digest of the event itself, which no payload of it could hold.
    const { enforced: _, ...rest } = shadow.statement.predicate;
    await forge.payload("policy_evaluated", (payload) => {
      for (const name of Object.keys(payload)) delete payload[name];
      Object.assign(payload, rest);
    });
    expect(verify(await forge.pack()).result).toBe("fail");
  });

  it("with its candidate as the policy of the run has no author that is trusted", async () => {
    const open = await openRig({ shadow: allowAll });
    const { intentId } = await open.pipeline.execute(draft("fs.list", "data"));
    const forge = new Forge(open.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array());
    await forge.set("policy", allowAll.document.bytes);
    const report = verifyBundle(await forge.pack(), { trust: open.trust });
    expect(report.result).toBe("fail");
    expect(wrongOf(report)[0]).toBe("policy-author EXO_TRUST");
  });

  it("by the proof of its leaf does not place a bundle in the log", () => {
    const index = Array.from({ length: rig.ledger.size }, (_, at) => at).find(
      (at) => readLeaf(rig.ledger.leaf(at))?.kind === "shadow",
    );
    if (index === undefined) throw new Error("no shadow leaf");
    const logProof = formatProofFile({ index, proof: rig.ledger.prove(index), checkpoint: rig.ledger.checkpoint() });
    expect(wrongOf(verify(repack(honest, (bundle) => (bundle.logProof = logProof))))).toEqual([
      "inclusion EXO_LOG_PROOF",
    ]);
  });

  it("by a shadow leaf of the bundle's own digest does not place it in the log", async () => {
    const { payload } = JSON.parse(new TextDecoder().decode(honest)).envelope as { payload: string };
    const digest: Digest = digestOf(new Uint8Array(Buffer.from(payload, "base64")));
    const place = async (kind: "shadow" | "bundle"): Promise<string[]> => {
      const logProof = await loggedLeaf(kind, digest, 62);
      return wrongOf(verify(repack(honest, (bundle) => (bundle.logProof = logProof))));
    };
    expect(await place("shadow")).toEqual(["inclusion EXO_LOG_PROOF"]);
    expect(await place("bundle")).toEqual([]);
  });

  it("as a further material of the bundle is a material too many", () => {
    const bytes = repack(honest, (bundle) => {
      bundle.materials[digestOf(shadow.bytes)] = Buffer.from(shadow.bytes).toString("base64");
    });
    expect(wrongOf(verify(bytes))).toContain("materials EXO_MATERIAL_SET");
  });
});
