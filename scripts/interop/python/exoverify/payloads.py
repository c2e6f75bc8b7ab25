"""Event headers and the payload of each type (spec/contracts.md, CanonicalEvent)."""

from typing import Any

from .outcome import Fail, Unable
from .schema import check, load

EVENT = load("event")
HEADER = {
    **EVENT,
    "properties": {k: v for k, v in EVENT["properties"].items() if k not in ("payload", "salt")},
    "required": [k for k in EVENT["required"] if k not in ("payload", "salt")],
}
DIGEST = EVENT["properties"]["payloadDigest"]
NAME = EVENT["properties"]["tenantId"]
TIME = EVENT["properties"]["recordedAt"]
ULID = EVENT["properties"]["eventId"]
COUNT = EVENT["properties"]["sequence"]
RESOLUTION = load("resolution")["properties"]
KEY_ID = RESOLUTION["operator"]["properties"]["keyId"]


def _object(members: dict[str, Any]) -> dict[str, Any]:
    """A schema of exactly these members; a name with a question mark may be absent."""
    return {
        "type": "object",
        "properties": {name.rstrip("?"): schema for name, schema in members.items()},
        "required": [name for name in members if not name.endswith("?")],
        "additionalProperties": False,
    }


def _or_null(schema: Any) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


REASON = _object(
    {
        "code": NAME,
        "message": {"type": "string", "maxLength": 4000},
        "ruleIds": {"type": "array", "items": NAME},
        "approvalCouldHelp": {"type": "boolean"},
        "retrySafe": {"type": "boolean"},
    }
)
EFFECT = {"seq": COUNT, "capability": NAME, "requestDigest": DIGEST, "effectId": DIGEST}
DECISION = {"requestDigest": DIGEST, "envelopeDigest": DIGEST, "approver": NAME}
CHANGE = {"tenantId": NAME, "envelopeDigest": DIGEST}
WORD = {"type": "string", "maxLength": 2000}
SHAPES: dict[str, Any] = {
    "intent_received": _object(
        {
            "intentDigest": DIGEST,
            "requester": load("policy-input")["properties"]["requester"],
            "attestations?": {"type": "array", "items": DIGEST, "minItems": 1, "maxItems": 16},
        }
    ),
    "policy_evaluated": _object({"decision": load("policy-decision")}),
    "safety_evaluated": _object({"verdict": load("safety-verdict")}),
    "verdict_resolved": _object({"final": load("final-verdict")}),
    "approval_requested": _object({"request": load("approval-request"), "requestDigest": DIGEST}),
    "approval_granted": _object(DECISION),
    "approval_denied": _object({**DECISION, "reason": WORD}),
    "approval_expired": _object({"requestDigest": DIGEST, "expiresAt": TIME}),
    "execution_started": _object(
        {
            "pluginDigest": DIGEST,
            "manifestDigest": DIGEST,
            "policyDigest": DIGEST,
            "grantsDigest": DIGEST,
            "inputDigest": DIGEST,
            "configDigest": DIGEST,
            "stateDigest": DIGEST,
            "killSwitchEpoch": COUNT,
            "spent": _or_null(DIGEST),
        }
    ),
    "effect_started": _object(EFFECT),
    "execution_completed": _object({"execution": load("execution")}),
    "execution_failed": _object({"execution": load("execution"), "reason": REASON}),
    "intent_denied": _object({"reason": REASON}),
    "execution_in_doubt": _object(
        {
            "startedDigest": DIGEST,
            "cause": NAME,
            "effects": {"type": "array", "items": _object(EFFECT)},
            "execution": _or_null(load("execution")),
        }
    ),
    "execution_resolved": _object(
        {
            "outcome": RESOLUTION["outcome"],
            "evidence": {"type": "array", "items": DIGEST},
            "resolver": NAME,
            "envelopeDigest": DIGEST,
        }
    ),
    "plugin_admitted": _object(
        {
            "name": NAME,
            "version": NAME,
            "pluginDigest": DIGEST,
            "manifestDigest": DIGEST,
            "meteredDigest": DIGEST,
            "envelopeDigest?": DIGEST,
        }
    ),
}
# Events of the system: no bundle of an intent has one, and their payloads are not looked at.
SYSTEM = {"kill_switch_changed", "trust_score_changed", "policy_changed", "key_rotated", "key_revoked", "plugin_admitted"}


def header(value: Any) -> None:
    """Refuses what is no event header."""
    check(value, HEADER, HEADER)


def conform(kind: str, value: Any) -> None:
    """Refuses a payload that is not of its type's shape; a type nobody knows is Unable."""
    if kind not in SHAPES:
        if kind in SYSTEM:
            raise Fail(f"{kind} is no event of an intent")
        raise Unable(f"the event type {kind} is not known", "EXO_REVISION")
    check(value, SHAPES[kind], SHAPES[kind])
