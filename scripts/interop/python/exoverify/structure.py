"""Checks `revisions`, `materials`, `intent`, `events`, `payloads` and `target` (spec/verification.md, Checks)."""

from typing import Any

from .canonical import digest, digest_of, same
from .evidence import SALTED, Evidence
from .outcome import Fail, NotApplicable, Unable, need
from .trust import Trust

REVISIONS = ("canonical", "meter", "abi", "policy", "safety")
# spec/contracts.md, Life of an intent.
LIFE = {
    ("none", "intent_received"): "received",
    ("received", "policy_evaluated"): "policy_judged",
    ("received", "intent_denied"): "denied",
    ("policy_judged", "safety_evaluated"): "safety_judged",
    ("safety_judged", "verdict_resolved"): "judged",
    ("judged", "intent_denied"): "denied",
    ("judged", "approval_requested"): "pending",
    ("judged", "execution_started"): "started",
    ("pending", "approval_granted"): "pending",
    ("pending", "approval_denied"): "refused",
    ("pending", "approval_expired"): "refused",
    ("pending", "policy_evaluated"): "policy_judged",
    ("pending", "intent_denied"): "denied",
    ("refused", "intent_denied"): "denied",
    ("started", "effect_started"): "started",
    ("started", "execution_completed"): "completed",
    ("started", "execution_failed"): "failed",
    ("started", "execution_in_doubt"): "in_doubt",
    ("in_doubt", "execution_resolved"): "resolved",
}
ENDS = {"denied", "completed", "failed", "resolved"}
KNOWN = {kind for _, kind in LIFE}


def check_revisions(evidence: Evidence, _: Trust) -> None:
    """Check `revisions`."""
    for name in REVISIONS:
        if evidence.predicate["revisions"][name] != 1:
            raise Unable(f"the {name} revision is not known", "EXO_REVISION")


def check_materials(evidence: Evidence, _: Trust) -> None:
    """Check `materials`: the file's are exactly the statement's."""
    named = {one["digest"] for one in evidence.named}
    listed = {(one["role"], one["digest"]) for one in evidence.named}
    need(len(listed) == len(evidence.named), "a material named twice", "EXO_MATERIAL_SET")
    for one in evidence.named:
        need(one["salted"] == (one["role"] in SALTED), "salted said wrongly", "EXO_MATERIAL_SET")
    need(set(evidence.bytes) <= named, "a material nobody names", "EXO_MATERIAL_SET")
    for key, data in evidence.bytes.items():
        need(digest(data) == key, "other bytes under a digest", "EXO_MATERIAL_DIGEST")
    if named - set(evidence.bytes):
        raise Unable("a named material is missing", "EXO_MATERIAL_MISSING")


def check_intent(evidence: Evidence, _: Trust) -> None:
    """Check `intent`: subjects, identifiers and the received intent."""
    outputs = evidence.digests("output")
    need(len(outputs) <= 1, "two outputs", "EXO_MATERIAL_SET")
    expected = [("intent", evidence.single("intent"))] + [("output", one) for one in outputs]
    found = [(one["name"], "sha256:" + one["digest"]["sha256"]) for one in evidence.statement["subject"]]
    need(found == expected, "another subject")
    # An intent for another cell is refused before it is judged: only then may the cells differ.
    judged = any(one["eventType"] == "policy_evaluated" for one in evidence.predicate["events"])
    for name in ("intentId", "correlationId", "tenantId") + (("cellId",) if judged else ()):
        need(evidence.predicate[name] == evidence.intent[name], f"another {name}")
    received = evidence.one("intent_received")
    if received is None:
        raise Fail("the intent was not received")
    need(received[1]["intentDigest"] == digest_of(evidence.intent), "another intent was received")


def check_events(evidence: Evidence, _: Trust) -> None:
    """Check `events`: a walk of the lifecycle to one end, linked, in order, of this intent."""
    state, last = "none", None
    named = evidence.digests("event")
    need(sorted(named) == sorted(event.digest for event in evidence.events), "not the events that are named")
    for event in evidence.events:
        if event.kind not in KNOWN:
            raise Unable(f"the event type {event.kind} is not known", "EXO_REVISION")
        header = event.header
        need(header["eventType"] == event.kind, "a type that is not the header's")
        for name in ("intentId", "correlationId", "tenantId", "cellId"):
            need(header[name] == evidence.predicate[name], f"an event of another {name}")
        need((state, event.kind) in LIFE, f"{event.kind} after {state}")
        state = LIFE[(state, event.kind)]
        need((header["sequence"] == 0) == (header["previous"] is None), "only the first of a chain has no previous")
        if last is not None:
            before = last.header
            need(header["sequence"] > before["sequence"], "not in order of sequence")
            need(header["recordedAt"] >= before["recordedAt"], "recorded before an earlier one")
            if header["sequence"] == before["sequence"] + 1:
                need(header["previous"] == last.digest, "a broken link")
        last = event
    need(state in ENDS, f"the events end at {state}")


def check_payloads(evidence: Evidence, _: Trust) -> None:
    """Check `payloads`."""
    for event in evidence.events:
        evidence.payload_of(event)


def pointer(document: Any, path: str) -> tuple[bool, Any]:
    """The value at an RFC 6901 pointer, and whether there is one (spec/policy.md, Match)."""
    value = document
    for part in path.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and str(int(part)) == part:
            if int(part) >= len(value):
                return False, None
            value = value[int(part)]
        else:
            return False, None
    return True, value


def check_target(evidence: Evidence, _: Trust) -> None:
    """Check `target`: the intent's target is what the executor acts on."""
    function = evidence.function
    if evidence.one("execution_started") is None or function is None or "target" not in function:
        raise NotApplicable
    there, value = pointer(evidence.intent["parameters"], function["target"])
    good = there and isinstance(value, str) and same(value, evidence.intent.get("target"))
    need(good, "the target is not the one in the parameters", "EXO_TARGET_MISMATCH")
