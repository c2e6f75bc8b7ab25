"""Checks `policy-author`, `policy`, `safety` and `verdict` (spec/verification.md, Checks)."""

from typing import Any

from . import gate
from .canonical import digest_of, same
from .evidence import Evidence
from .outcome import Fail, NotApplicable, Unable, need
from .rules import evaluate
from .trust import Trust, all_signed

POLICY = "application/vnd.exoarmur.policy+json"
REQUIRES = {"require_approval", "require_human", "require_quorum"}


def decisions(evidence: Evidence) -> list[tuple[Any, dict[str, Any]]]:
    """The events policy_evaluated and their decisions."""
    found = [(event, payload["decision"]) for event, payload in evidence.all("policy_evaluated")]
    if not found:
        raise NotApplicable
    return found


def check_author(evidence: Evidence, trust: Trust) -> None:
    """Check `policy-author`."""
    keys = trust.having("policy-author", evidence.predicate["tenantId"], evidence.log_index)
    for policy in {decision["policyDigest"] for _, decision in decisions(evidence)}:
        content = evidence.content("policy", policy)
        if policy in trust.file.get("policies", []):
            continue
        problem: Fail = Fail("nobody signed the policy", "EXO_TRUST")
        for key in evidence.digests("policy_envelope"):
            try:
                envelope = evidence.envelope("policy_envelope", key, POLICY)
                need(envelope.payload == content, "another policy is signed", "EXO_TRUST")
                all_signed(envelope, keys)
                break
            except Fail as fail:
                problem = fail
        else:
            raise problem


def check_policy(evidence: Evidence, _: Trust) -> None:
    """Check `policy`: every decision again."""
    for event, decision in decisions(evidence):
        if not same(decision["evaluator"], {"name": "exoarmur.rules", "revision": 1}):
            raise Unable("an evaluator that is not known", "EXO_REVISION")
        given = evidence.document("policy_input", decision["inputDigest"], "policy-input")
        policy = evidence.document("policy", decision["policyDigest"], "policy")
        manifest, function = evidence.manifest, evidence.function
        expected = {
            "schema": "exoarmur.policy-input/v1",
            "intentDigest": evidence.intent_digest,
            "requester": evidence.requester,
            "pluginDigest": manifest and manifest["wasm"]["digest"],
            "manifestDigest": manifest and digest_of(manifest),
            "effects": function and function["effects"],
            "evaluatedAt": event.header["recordedAt"],
        }
        for name, value in expected.items():
            need(same(given[name], value), f"judged with another {name}")
        result = evaluate(policy, evidence.intent, given.get("attestations", []))
        for name, value in result.items():
            need(same(decision[name], value), f"the evaluation gives another {name}")


def check_safety(evidence: Evidence, _: Trust) -> None:
    """Check `safety`: every verdict of the gate again."""
    found = evidence.all("safety_evaluated")
    if not found:
        raise NotApplicable
    for event, payload in found:
        verdict = payload["verdict"]
        snapshot = evidence.document("safety_snapshot", verdict["stateDigest"], "safety-snapshot")
        config = evidence.document("safety_config", verdict["configDigest"], "safety-config")
        need(snapshot["tenantId"] == evidence.intent["tenantId"], "a snapshot of another tenant")
        need(snapshot["actorId"] == evidence.intent["actor"]["id"], "a snapshot of another actor")
        need(snapshot["takenAt"] == event.header["recordedAt"], "a snapshot of another time")
        derived = None
        if "operatorApproval" in config:
            derived = gate.action_class(evidence.intent, evidence.function)
        need(snapshot.get("actionClass") == derived, "another class of the action, or one that nobody asked for")
        for name, value in gate.judge(snapshot, config).items():
            need(same(verdict[name], value), f"the gate gives another {name}")


def resolve(policy: dict[str, Any], safety: dict[str, Any]) -> dict[str, Any]:
    """The final verdict (spec/safety.md, Resolution)."""
    sides = (policy["verdict"], safety["verdict"])
    if "deny" in sides or sides[0] == "defer":
        verdict = "deny"
    elif sides[1] in ("require_quorum", "require_human"):
        verdict = sides[1]
    else:
        verdict = sides[0]
    rules = [f"policy:{one}" for one in policy["ruleIds"]] + [f"safety:{one}" for one in safety["ruleIds"]]
    return {"schema": "exoarmur.final-verdict/v1", "verdict": verdict, "ruleIds": rules}


def check_verdict(evidence: Evidence, _: Trust) -> None:
    """Check `verdict`: resolution, what it permits, and what the statement says."""
    policy: dict[str, Any] | None = None
    safety: dict[str, Any] | None = None
    final: dict[str, Any] | None = None
    for event in evidence.events:
        if event.kind == "policy_evaluated":
            policy = evidence.payload_of(event)["decision"]
        elif event.kind == "safety_evaluated":
            safety = evidence.payload_of(event)["verdict"]
        elif event.kind == "verdict_resolved":
            final = evidence.payload_of(event)["final"]
            if policy is None or safety is None:
                raise Fail("resolved before both sides judged")
            need(same(final, resolve(policy, safety)), "they resolve to another final verdict")
        elif event.kind == "approval_requested":
            need(final is not None and final["verdict"] in REQUIRES, "approval was asked for without need")
        elif event.kind == "execution_started":
            spent = evidence.payload_of(event)["spent"]
            need(final is not None and final["verdict"] != "deny", "a start under a deny")
            need(final is not None and (final["verdict"] == "allow" or spent is not None), "a start without approval")
    expected = {
        "policy": policy and policy["verdict"],
        "safety": safety and safety["verdict"],
        "final": final["verdict"] if final is not None else "deny",
    }
    need(same(evidence.predicate["verdicts"], expected), "the statement names other verdicts")
