"""Base64, DSSE envelopes and signed notes (spec/keys.md)."""

import base64
import binascii
import hashlib
import re
from typing import Any, NamedTuple

from . import ed25519, passkey
from .outcome import Fail


# What passkeys sign (spec/approval.md, Passkeys).
BY_PASSKEY = (
    "application/vnd.exoarmur.approval-grant+json",
    "application/vnd.exoarmur.control-challenge+json",
)


def unbase64(value: str, code: str) -> bytes:
    """The bytes of canonical, padded, standard base64 (spec/keys.md, Encodings)."""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Fail("malformed base64", code) from error
    if base64.b64encode(data).decode() != value:
        raise Fail("base64 that is not canonical", code)
    return data


def unbase64url(value: str, code: str) -> bytes:
    """The bytes of canonical, unpadded base64url."""
    standard = value.replace("-", "+").replace("_", "/")
    return unbase64(standard + "=" * (-len(standard) % 4), code)


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over (spec/keys.md, What is signed)."""
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


class Signature(NamedTuple):
    """One signature of an envelope."""

    key_id: str
    sig: bytes
    # What a passkey signed; None for every other key.
    assertion: dict[str, bytes] | None


class Envelope(NamedTuple):
    """A DSSE envelope that is taken apart and not yet verified."""

    kind: str
    payload: bytes
    signatures: list[Signature]

    def check(self, key: bytes, place: dict[str, Any] | None, signature: Signature) -> None:
        """Refuses a signature that the key did not make. `place` is what a trust file says of a passkey."""
        if (place is None) != (signature.assertion is None):
            raise Fail("a passkey and another key's signature, or the reverse", "EXO_ENVELOPE")
        if place is None or signature.assertion is None:
            if not ed25519.verify(key, pae(self.kind, self.payload), signature.sig):
                raise Fail("the signature is wrong", "EXO_SIGNATURE")
            return
        if self.kind not in BY_PASSKEY:
            raise Fail(f"a passkey does not sign {self.kind!r}", "EXO_ENVELOPE")
        passkey.check(key, place, self.payload, signature.assertion, signature.sig)


def _signature(value: dict[str, Any]) -> Signature:
    said = value.get("webauthn")
    assertion = None if said is None else {name: unbase64(text, "EXO_PASSKEY") for name, text in said.items()}
    return Signature(value["keyid"], unbase64(value["sig"], "EXO_ENVELOPE"), assertion)


def open_envelope(value: Any, kind: str) -> Envelope:
    """An envelope of the payload type, no signer twice (EXO_ENVELOPE)."""
    if value["payloadType"] != kind:
        raise Fail(f"an envelope of {value['payloadType']!r}, expected {kind!r}", "EXO_ENVELOPE")
    made = [_signature(one) for one in value["signatures"]]
    if len({one.key_id for one in made}) != len(made):
        raise Fail("a signer twice", "EXO_ENVELOPE")
    return Envelope(kind, unbase64(value["payload"], "EXO_ENVELOPE"), made)


class NoteKey(NamedTuple):
    """A verifier key text, taken apart."""

    name: str
    hash: bytes
    kind: int
    key: bytes


def note_key(value: str) -> NoteKey:
    """`name+hash+base64(type || public key)` (spec/keys.md, What is signed)."""
    parts = value.split("+", 2)
    if len(parts) != 3:
        raise Fail("not a verifier key", "EXO_NOTE")
    name, hashed, data = parts[0], parts[1], unbase64(parts[2], "EXO_NOTE")
    expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if len(data) != 33 or hashed != expected.hex():
        raise Fail("a verifier key whose hash is another", "EXO_NOTE")
    return NoteKey(name, expected, data[0], data[1:])


class Note(NamedTuple):
    """A signed note: its text with the last newline, and (name, bytes) of each signature line."""

    text: str
    lines: list[tuple[str, bytes]]

    def by(self, key: NoteKey) -> list[bytes]:
        """The signatures under this name and key hash."""
        return [data[4:] for name, data in self.lines if name == key.name and data[:4] == key.hash]


def read_note(value: str, code: str = "EXO_NOTE") -> Note:
    """The parts of a signed note (c2sp.org/signed-note)."""
    body, gap, tail = value.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise Fail("not a signed note", code)
    lines: list[tuple[str, bytes]] = []
    for line in tail[:-1].split("\n"):
        found = re.fullmatch(r"\u2014 ([^\s+]+) (\S+)", line)
        if found is None:
            raise Fail("a signature line that is none", code)
        data = unbase64(found[2], code)
        if len(data) < 5:
            raise Fail("a signature line that is too short", code)
        lines.append((found[1], data))
    return Note(body + "\n", lines)
