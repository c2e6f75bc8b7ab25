"""The trust file and which keys count (spec/keys.md; spec/verification.md, Trust)."""

from typing import Any, Callable, NamedTuple

from . import ed25519, p256, passkey
from .canonical import read_lenient
from .evidence import STATEMENT, Evidence
from .outcome import Fail, NotApplicable, Unable
from .schema import conform
from .signed import Envelope, note_key, open_envelope, unbase64


def key_id(public: bytes) -> str:
    """The key id of either kind of key, which differ in length (spec/keys.md, Encodings)."""
    return (p256 if len(public) == p256.LENGTH else ed25519).key_id(public)


class Key(NamedTuple):
    """A key of the trust file."""

    role: str
    id: str
    person: str
    public: bytes
    key_id: str
    entry: dict[str, Any]

    def valid_at(self, index: int | None) -> bool:
        """from <= index < until; a bounded key needs a known index."""
        start, end = self.entry["from"], self.entry["until"]
        if start is None and end is None:
            return True
        return index is not None and (start is None or start <= index) and (end is None or index < end)

    def acts_for(self, tenant: str) -> bool:
        """Whether it may act for the tenant."""
        tenants = self.entry.get("tenants")
        return tenants is None or tenant in tenants


class Trust:
    """What a verifier was told to trust. Every key is admitted before it is used."""

    def __init__(self, data: bytes):
        self.file = conform(read_lenient(data), "trust")
        self.keys: list[Key] = []
        for entry in self.file["keys"]:
            public = unbase64(entry["publicKey"], "EXO_KEY")
            if "passkey" in entry:
                passkey.admit(public, entry["passkey"])
                if entry["role"] != "approver":
                    raise Fail("a passkey in another role than approver", "EXO_SCHEMA")
            else:
                ed25519.admit(public)
            person = entry.get("person", entry["id"])
            self.keys.append(Key(entry["role"], entry["id"], person, public, key_id(public), entry))
        self.logs = [(one["origin"], note_key(one["vkey"])) for one in self.file["logs"]]
        for _, log in self.logs:
            ed25519.admit(log.key)
        for role in ("counterparty", "attester"):
            self._foreign(role)

    def _foreign(self, role: str) -> None:
        foreign = {key.public for key in self.keys if key.role == role}
        others = {key.public for key in self.keys if key.role != role}
        others |= {log.key for _, log in self.logs}
        others |= {note_key(one).key for one in self.file["witnesses"]["vkeys"]}
        if foreign & others:
            raise Fail(f"a key of the role {role} in another role", "EXO_SCHEMA")
        for key in self.keys:
            if ("origins" in key.entry) != (key.role == "counterparty"):
                raise Fail("origins belong to a counterparty's key", "EXO_SCHEMA")

    def having(self, role: str, tenant: str, index: int | None) -> list[Key]:
        """The keys that count for a role, a tenant and a place in the log."""
        return [k for k in self.keys if k.role == role and k.acts_for(tenant) and k.valid_at(index)]

    def people(self, key: Key) -> set[str]:
        """Whose an approver's key is; one listed for two people counts for neither (spec/approval.md, Roster)."""
        return {one.person for one in self.keys if one.role == "approver" and one.public == key.public}

    def holders(self, names: set[str]) -> set[str]:
        """The persons who hold a key, of any role and validity, under one of the names (spec/approval.md, Roster)."""
        return {k.person for k in self.keys if {k.id, k.key_id, k.person} & names}


def signer(envelope: Envelope, keys: list[Key], of: Callable[[Key], bool] = lambda _: True) -> Key:
    """The key of the envelope's only signature: listed (EXO_TRUST) and right (EXO_SIGNATURE)."""
    if len(envelope.signatures) != 1:
        raise Fail(f"{len(envelope.signatures)} signatures, expected one", "EXO_ENVELOPE")
    signature = envelope.signatures[0]
    found = [key for key in keys if key.key_id == signature.key_id and of(key)]
    if not found:
        raise Fail(f"signed by {signature.key_id}, which is not trusted for it", "EXO_TRUST")
    envelope.check(found[0].public, found[0].entry.get("passkey"), signature)
    return found[0]


def all_signed(envelope: Envelope, keys: list[Key]) -> None:
    """Every signature is by a listed key (EXO_TRUST) and right (EXO_SIGNATURE)."""
    for signature in envelope.signatures:
        found = [key for key in keys if key.key_id == signature.key_id]
        if not found:
            raise Fail(f"signed by {signature.key_id}, which is not trusted for it", "EXO_TRUST")
        envelope.check(found[0].public, found[0].entry.get("passkey"), signature)


def check_signature(evidence: Evidence, trust: Trust) -> None:
    """Check `signature` of spec/verification.md."""
    envelope = open_envelope(evidence.envelope_value, STATEMENT)
    for listed in evidence.predicate["keys"]:
        public = unbase64(listed["publicKey"], "EXO_KEY")
        if len(public) != (p256.LENGTH if "passkey" in listed else 32) or key_id(public) != listed["keyId"]:
            raise Fail("a listed key has another id", "EXO_KEY")
        if "passkey" in listed and listed["role"] != "approver":
            raise Fail("a passkey listed in another role", "EXO_KEY")
    signer(envelope, trust.having("runtime", evidence.predicate["tenantId"], evidence.log_index))


def check_inclusion(evidence: Evidence, _: Trust) -> None:
    """Check `inclusion`."""
    proof = evidence.proof
    if proof.extra:
        raise Fail("extra data that nothing signs", "EXO_LOG_PROOF")
    proof.require(evidence.leaf)


def log_signed(proof: Any, trust: Trust) -> None:
    """Whether a trusted log signed a proof's checkpoint (EXO_TRUST, EXO_SIGNATURE)."""
    logs = [key for origin, key in trust.logs if origin == proof.origin]
    if not logs:
        raise Fail(f"the log {proof.origin} is not trusted", "EXO_TRUST")
    for key in logs:
        made = proof.note.by(key)
        if any(ed25519.verify(key.key, proof.note.text.encode(), one) for one in made):
            return
    raise Fail("the log's key did not sign", "EXO_SIGNATURE")


def check_checkpoint(evidence: Evidence, trust: Trust) -> None:
    """Check `checkpoint`."""
    log_signed(evidence.proof, trust)


def cosigned(evidence: Evidence, trust: Trust) -> dict[bytes, int]:
    """The trusted witnesses' keys that cosigned the checkpoint, each with the first time it gave, in seconds."""
    note, times = evidence.proof.note, {}
    for text in trust.file["witnesses"]["vkeys"]:
        key = note_key(text)
        for made in note.by(key):
            time = int.from_bytes(made[:8], "big")
            message = f"cosignature/v1\ntime {time}\n{note.text}".encode()
            if not ed25519.verify(key.key, message, made[8:]):
                raise Fail("a witness's line does not verify", "EXO_SIGNATURE")
            times.setdefault(key.key, time)
    return times


def check_witnesses(evidence: Evidence, trust: Trust) -> None:
    """Check `witnesses` (spec/keys.md, What is signed; spec/verification.md)."""
    threshold = trust.file["witnesses"]["threshold"]
    if "witnessed" in trust.file.get("require", []):
        threshold = max(1, threshold)
    if threshold == 0:
        raise NotApplicable
    keys = set(cosigned(evidence, trust))
    if len(keys) < threshold:
        raise Fail(f"{len(keys)} of {threshold} witnesses", "EXO_TRUST" if keys else "EXO_SIGNATURE")


def check_log(_: Evidence, trust: Trust) -> None:
    """Check `log`: only the whole log can show it."""
    if "log" in trust.file.get("require", []):
        raise Unable("the trust file asks for the whole log", "EXO_MATERIAL_MISSING")
    raise NotApplicable
