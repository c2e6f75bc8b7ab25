"""Check `approvals` (spec/verification.md, Approvals; spec/approval.md)."""

import datetime
from typing import Any

from .canonical import digest_of, read, same
from .evidence import Event, Evidence
from .governance import REQUIRES
from .outcome import Fail, NotApplicable, Unable, need
from .schema import conform
from .trust import Key, Trust, cosigned, signer

EPOCH = "1970-01-01T00:00:00.000Z"
GRANT = "application/vnd.exoarmur.approval-grant+json"
# From the mildest verdict to the strictest (spec/safety.md, Resolution).
STRICTNESS = ("allow", "require_approval", "require_human", "require_quorum")
READ = {
    "policy_evaluated", "verdict_resolved", "approval_requested", "approval_granted", "approval_denied",
    "approval_expired", "execution_started",
}  # fmt: skip
LEAST = {"require_approval": 1, "require_human": 1, "require_quorum": 2}


def later(time: str, seconds: int) -> str:
    """The time that many seconds later."""
    moment = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ") + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _request(evidence: Evidence, event: Event, payload: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
    """A request that is what was recorded and what the verdict before it obliges."""
    request = evidence.document("approval_request", payload["requestDigest"], "approval-request")
    need(same(request, payload["request"]), "the event holds another request")
    intent, obligations = evidence.intent, judged["decision"]["obligations"]
    expires = later(request["requestedAt"], obligations.get("expiresInSeconds", 900))
    expected = {
        "intentId": intent["intentId"],
        "intentDigest": evidence.intent_digest,
        "cellId": intent["cellId"],
        "tenantId": intent["tenantId"],
        "policyDigest": judged["decision"]["policyDigest"],
        "verdict": judged["final"]["verdict"],
        "threshold": max(obligations.get("approvals", 1), LEAST.get(judged["final"]["verdict"], 1)),
        "requestedAt": event.header["recordedAt"],
        "expiresAt": min(expires, intent.get("expiresAt", expires)),
    }
    if "holdSeconds" in obligations:
        expected["notBefore"] = later(request["requestedAt"], obligations["holdSeconds"])
        need(expected["notBefore"] < expected["expiresAt"], "held until after its expiry")
    need(("notBefore" in request) == ("notBefore" in expected), "a request with a hold nobody asked for, or without")
    for name, value in expected.items():
        need(same(request[name], value), f"a request with another {name}")
    roles = obligations.get("roles", ["approver"])
    need(all(set(entry["roles"]) <= set(roles) for entry in request["roster"]), "a roster of other roles")
    return request


def _holds_role(key: Key, roles: list[str]) -> bool:
    return bool(set(key.entry.get("roles", ["approver"])) & set(roles))


def _roster(evidence: Evidence, trust: Trust, request: dict[str, Any]) -> None:
    """Every entry's keys are that person's, and none is the requester's or the actor's."""
    own = evidence.own_names()
    kept_out = own | trust.holders(own)
    for entry in request["roster"]:
        keys = set(entry["keyIds"])
        need(entry["id"] not in kept_out and not keys & own, "the requester in the roster", "EXO_APPROVAL_APPROVER")
        for key_id in keys:
            # A key that the trust file does not list any more says nothing; it cannot sign either.
            for key in trust.having("approver", evidence.predicate["tenantId"], evidence.log_index):
                good = key.person == entry["id"] and _holds_role(key, entry["roles"])
                need(key.key_id != key_id or good, f"{key_id} is no key of {entry['id']}", "EXO_TRUST")


def _decision(
    evidence: Evidence, trust: Trust, event: Event, payload: dict[str, Any], request: dict[str, Any]
) -> dict[str, Any]:
    """One decision: signed by whom the event names, of the roster, about this request."""
    envelope = evidence.envelope("approval_grant", payload["envelopeDigest"], GRANT)
    keys = trust.having("approver", evidence.predicate["tenantId"], evidence.log_index)
    key = signer(envelope, keys, lambda one: len(trust.people(one)) == 1)
    grant = conform(read(envelope.payload), "approval-grant")
    need(grant["requestDigest"] == digest_of(request), "a decision about another request")
    need(payload["requestDigest"] == digest_of(request), "an event of another request")
    entries = [entry for entry in request["roster"] if key.key_id in entry["keyIds"]]
    named = len(entries) == 1 and entries[0]["id"] == grant["approver"]["id"] == payload["approver"]
    good = named and grant["approver"]["keyId"] == key.key_id
    need(good, "not the roster's approver that the event names", "EXO_APPROVAL_APPROVER")
    need(key.person == payload["approver"], "a key of another person", "EXO_TRUST")
    wanted = "approve" if event.kind == "approval_granted" else "deny"
    need(grant["decision"] == wanted, "a decision of another kind")
    if wanted == "deny":
        need(grant.get("reason", "").strip() != "", "a denial without a reason", "EXO_APPROVAL_REASON")
        need(grant["reason"] == payload["reason"], "a denial with other words")
    need(grant["signedAt"] >= request["requestedAt"], "signed before the request", "EXO_ORDER")
    need(grant["signedAt"] <= request["expiresAt"], "signed after the expiry", "EXO_APPROVAL_EXPIRED")
    need(event.header["recordedAt"] <= request["expiresAt"], "recorded after the expiry", "EXO_APPROVAL_EXPIRED")
    return grant


def _preview(evidence: Evidence, request: dict[str, Any], grants: dict[str, Any]) -> None:
    """What approvers were shown is what ran."""
    preview = evidence.document("preview", request["previewDigest"], "preview")
    intent, manifest, function = evidence.intent, evidence.manifest, evidence.function
    if manifest is None or function is None:
        raise Fail("nothing that could run")
    executor = {"name": manifest["name"], "version": manifest["version"], "function": function["name"]}
    expected = {
        "schema": "exoarmur.preview/v1",
        "intentId": intent["intentId"],
        "actor": intent["actor"],
        "action": intent["action"],
        "executor": executor,
        "target": intent.get("target"),
        "effects": function["effects"],
        "parameters": intent["parameters"],
        "grants": grants,
    }
    received = evidence.one("intent_received")
    if received is not None and "attestations" in received[1]:
        judged = evidence.all("policy_evaluated")[-1][1]["decision"]["inputDigest"]
        expected["attestations"] = evidence.document("policy_input", judged, "policy-input")["attestations"]
    need(same(preview, expected), "shown was something else")


def _spent(
    evidence: Evidence,
    trust: Trust,
    event: Event,
    started: dict[str, Any],
    judged: dict[str, Any],
    state: dict[str, Any],
) -> None:
    """The request that the start spends (spec/approval.md, Check)."""
    request = state["requests"].get(started["spent"])
    if request is None:
        raise Fail("spends a request nobody made", "EXO_MATERIAL_SET")
    _roster(evidence, trust, request)
    for name in ("policyDigest", "pluginDigest", "manifestDigest", "grantsDigest"):
        need(request[name] == started[name], f"given for another {name}")
    _preview(evidence, request, evidence.document("grants", started["grantsDigest"], "grants"))
    now, then = judged["final"]["verdict"], request["verdict"]
    need(now in STRICTNESS and STRICTNESS.index(now) <= STRICTNESS.index(then), "stricter than approved")
    need(event.header["recordedAt"] <= request["expiresAt"], "started after the expiry", "EXO_APPROVAL_EXPIRED")
    held = event.header["recordedAt"] < request.get("notBefore", "")
    need(not held, "started before the hold was over", "EXO_APPROVAL_HELD")
    count = len(state["granted"].get(started["spent"], []))
    need(count >= request["threshold"], f"{count} of {request['threshold']} approvals", "EXO_APPROVAL_PENDING")
    need(count == request["threshold"], "a decision after the threshold was reached", "EXO_APPROVAL_CLOSED")
    _expiry(evidence, trust, request)


def _expiry(evidence: Evidence, trust: Trust, request: dict[str, Any]) -> None:
    """Witnesses saw the start before the expiry, where the trust file asks for it (spec/verification.md, Approvals)."""
    if "witnessed" not in trust.file.get("require", []):
        return
    until = request["expiresAt"]
    try:
        seen = [time for time in cosigned(evidence, trust).values() if time > 0 and later(EPOCH, time) <= until]
    except (Fail, Unable):
        seen = []
    if len(seen) < max(1, trust.file["witnesses"]["threshold"]):
        raise Unable("no cosignature from before the expiry", "EXO_MATERIAL_MISSING")


def check_approvals(evidence: Evidence, trust: Trust) -> None:
    """Walks the events: requests, decisions, and the start that spends one."""
    judged: dict[str, Any] = {}
    state: dict[str, Any] = {"requests": {}, "granted": {}}
    latest: dict[str, Any] | None = None
    for event in evidence.events:
        if event.kind not in READ:
            continue
        payload = evidence.payload_of(event)
        if event.kind == "policy_evaluated":
            judged["decision"] = payload["decision"]
        elif event.kind == "verdict_resolved":
            judged["final"] = payload["final"]
        elif event.kind == "approval_requested":
            need(judged["final"]["verdict"] in REQUIRES, "asked for without need")
            latest = _request(evidence, event, payload, judged)
            state["requests"][payload["requestDigest"]] = latest
        elif event.kind in ("approval_granted", "approval_denied"):
            if latest is None:
                raise Fail("a decision without a request")
            _decided(evidence, trust, event, payload, latest, state)
        elif event.kind == "approval_expired":
            need(latest is not None and payload["requestDigest"] == digest_of(latest), "another request expired")
            need(latest is not None and payload["expiresAt"] == latest["expiresAt"], "expired at another time")
            need(event.header["recordedAt"] > payload["expiresAt"], "expired before its time")
        elif event.kind == "execution_started" and payload["spent"] is not None:
            _spent(evidence, trust, event, payload, judged, state)
    if not state["requests"]:
        raise NotApplicable


def _decided(
    evidence: Evidence,
    trust: Trust,
    event: Event,
    payload: dict[str, Any],
    request: dict[str, Any],
    state: dict[str, Any],
) -> None:
    grant = _decision(evidence, trust, event, payload, request)
    before = state["granted"].setdefault(digest_of(request), [])
    # Enough have approved: only a hold leaves time for somebody to stop it.
    deniable = event.kind == "approval_denied" and "notBefore" in request
    need(len(before) < request["threshold"] or deniable, "a decision on a closed request", "EXO_APPROVAL_CLOSED")
    repeated = any(
        one["id"] == grant["approver"]["id"] or one["keyId"] == grant["approver"]["keyId"] for one in before
    )
    need(not repeated, "this person has decided", "EXO_APPROVAL_DUPLICATE")
    if event.kind == "approval_granted":
        before.append(grant["approver"])
