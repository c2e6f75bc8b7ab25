"""Check `attestations` (spec/verification.md, Checks; spec/policy.md, Attestations)."""

import base64
import binascii
import re
from typing import Any

from . import ed25519
from .canonical import read_lenient, same
from .evidence import STATEMENT, Evidence
from .outcome import Fail, NotApplicable, Unable, need
from .signed import pae
from .trust import Trust

TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
WRONG = "EXO_ATTESTATION"


def _base64(value: Any) -> bytes:
    need(isinstance(value, str), "base64 is text", WRONG)
    standard = value.replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Fail("malformed base64", WRONG) from error
    need(base64.b64encode(data).decode() == standard, "base64 that is not canonical", WRONG)
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = read_lenient(data)
    except Fail as fail:
        raise Fail(str(fail), WRONG) from fail
    need(isinstance(value, dict), "no JSON object", WRONG)
    return value


def _subject(value: Any) -> list[dict[str, Any]]:
    """A subject as a policy sees it; none where it has no SHA-256."""
    need(isinstance(value, dict) and isinstance(value.get("digest"), dict), "a subject without a digest", WRONG)
    sha256 = value["digest"].get("sha256")
    if sha256 is None:
        return []
    need(isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256) is not None, "no SHA-256", WRONG)
    name = {"name": value["name"]} if "name" in value else {}
    return [{**name, "digest": f"sha256:{sha256}"}]


class Attestation:
    """An envelope around a statement that somebody else made, taken apart and not yet verified."""

    def __init__(self, data: bytes):
        envelope = _object(data)
        need(envelope.get("payloadType") == STATEMENT, "another payload type", WRONG)
        made = envelope.get("signatures")
        need(isinstance(made, list) and 1 <= len(made) <= 16, "1 to 16 signatures", WRONG)
        need(all(isinstance(one, dict) and isinstance(one.get("sig"), str) for one in made), "a signature", WRONG)
        payload = _base64(envelope.get("payload"))
        self.signatures = [one["sig"] for one in made]
        self.message = pae(STATEMENT, payload)
        statement = _object(payload)
        need(statement.get("_type") in TYPES, "another type of statement", WRONG)
        subjects = statement.get("subject")
        need(isinstance(subjects, list) and 1 <= len(subjects) <= 1000, "1 to 1,000 subjects", WRONG)
        self.facts = {
            "predicateType": statement.get("predicateType"),
            "subjects": [found for one in subjects for found in _subject(one)],
        }

    def signed_by(self, key: bytes) -> bool:
        """Whether one of its signatures is this key's."""
        for text in self.signatures:
            try:
                if ed25519.verify(key, self.message, _base64(text)):
                    return True
            except Fail:
                continue
        return False


def _signers(evidence: Evidence, trust: Trust, facts: dict[str, Any]) -> bool:
    """Whether every signer is known; one that is and did not sign is a Fail."""
    found = Attestation(evidence.content("attestation", facts["digest"]))
    for name, value in found.facts.items():
        need(same(facts[name], value), f"the policy was told another {name}")
    keys = trust.having("attester", evidence.predicate["tenantId"], evidence.log_index)
    own = {one["keyId"] for one in evidence.predicate["keys"]}
    known = True
    for one in facts["signers"]:
        key = [k for k in keys if k.id == one["attester"] and k.key_id == one["keyId"]]
        if not key:
            known = False
            continue
        need(key[0].key_id not in own, "a key of the runtime's side", "EXO_TRUST")
        need(found.signed_by(key[0].public), "not signed by the attester", "EXO_ATTESTATION_SIGNATURE")
    return known


def check_attestations(evidence: Evidence, trust: Trust) -> None:
    """Check `attestations`."""
    named = evidence.digests("attestation")
    received = evidence.one("intent_received")
    brought = received[1].get("attestations", []) if received is not None else []
    judged = [
        evidence.document("policy_input", payload["decision"]["inputDigest"], "policy-input").get("attestations", [])
        for _, payload in evidence.all("policy_evaluated")
    ]
    if not judged:
        need(not named, "attestations of an intent that was not judged", "EXO_MATERIAL_SET")
        raise NotApplicable
    for seen in (named, *([one["digest"] for one in facts] for facts in judged)):
        need(seen == brought, "other attestations than came with the intent", "EXO_MATERIAL_SET")
    if not brought:
        raise NotApplicable
    known = [_signers(evidence, trust, one) for facts in judged for one in facts]
    if not all(known):
        raise Unable("no key of an attester", "EXO_ATTESTATION_KEY")
