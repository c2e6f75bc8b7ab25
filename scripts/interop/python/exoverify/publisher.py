"""Check `publisher`, and of `plugin` what takes no reading of the module (spec/keys.md, Publishers)."""

from . import merkle
from .canonical import canonical, digest, digest_of, read
from .evidence import Evidence
from .outcome import Fail, NotApplicable, need
from .payloads import SHAPES, header
from .schema import check
from .signed import unbase64
from .trust import Trust, all_signed, log_signed

MANIFEST = "application/vnd.exoarmur.executor+json"


def check_plugin(evidence: Evidence, _: Trust) -> None:
    """The module is the manifest's. Its admission and its metering are not checked here."""
    if not evidence.digests("plugin"):
        raise NotApplicable
    plugin = evidence.single("plugin")
    manifest = evidence.manifest
    evidence.content("plugin", plugin)
    need(manifest is not None and manifest["wasm"]["digest"] == plugin, "not the manifest's", "EXO_PLUGIN_DIGEST")
    record, revisions = evidence.predicate.get("execution"), evidence.predicate["revisions"]
    if record is not None:
        need(record["plugin"]["digest"] == plugin, "the record names another plugin", "EXO_PLUGIN_DIGEST")
        for name in ("meter", "abi"):
            need(record["plugin"][f"{name}Revision"] == revisions[name], f"another {name} revision")


def _admission(evidence: Evidence, trust: Trust, key: str) -> tuple[str | None, int]:
    """Which envelope was admitted, and at which place in the log, before the bundle's."""
    value = evidence.document("plugin_admission", key, "plugin-admission")
    head, payload = (unbase64(value[name], "EXO_SCHEMA") for name in ("event", "payload"))
    event = read(head)
    header(event)
    need(event["eventType"] == "plugin_admitted", "evidence of another kind of event")
    need(event["payloadDigest"] == digest(payload), "an event of another payload")
    facts = read(payload[32:] if len(payload) >= 32 else b"")
    check(facts, SHAPES["plugin_admitted"], SHAPES["plugin_admitted"])
    manifest = evidence.manifest
    if manifest is None:
        raise Fail("no manifest", "EXO_MATERIAL_SET")
    for name, expected in (("pluginDigest", manifest["wasm"]["digest"]), ("manifestDigest", digest_of(manifest))):
        need(facts[name] == expected, f"another {name} was admitted", "EXO_PLUGIN_DIGEST")
    proof = merkle.read_proof(value["logProof"])
    need(not proof.extra, "extra data that nothing signs", "EXO_LOG_PROOF")
    proof.require(merkle.leaf_hash("event", digest(head)))
    log_signed(proof, trust)
    need(proof.origin == evidence.proof.origin, "an admission in another log", "EXO_LOG_PROOF")
    need(proof.index < evidence.proof.index, "an admission after the run", "EXO_LOG_PROOF")
    return facts.get("envelopeDigest"), proof.index


def check_publisher(evidence: Evidence, trust: Trust) -> None:
    """Check `publisher`."""
    if not evidence.digests("manifest_envelope"):
        need(not evidence.digests("plugin_admission"), "evidence without a signature", "EXO_MATERIAL_SET")
        raise NotApplicable
    manifest = evidence.manifest
    if manifest is None:
        raise Fail("a signature of no manifest", "EXO_MATERIAL_SET")
    tenant, publisher = evidence.predicate["tenantId"], manifest.get("publisher")
    places = [_admission(evidence, trust, one) for one in evidence.digests("plugin_admission")]
    for key in evidence.digests("manifest_envelope"):
        found = [index for signed, index in places if signed == key]
        need(bool(found), "no evidence of this admission", "EXO_MATERIAL_SET")
        envelope = evidence.envelope("manifest_envelope", key, MANIFEST)
        need(envelope.payload == canonical(manifest), "another manifest is signed", "EXO_PLUGIN_SIGNATURE")
        all_signed(envelope, [one for one in trust.having("publisher", tenant, found[0]) if one.id == publisher])
