"""What a passkey signs (spec/approval.md, Passkeys; spec/keys.md, Passkeys)."""

import base64
import hashlib
import re
from typing import Any

from . import p256
from .canonical import read_untrusted
from .outcome import Fail

CODE = "EXO_PASSKEY"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP = 0x01, 0x04, 0x08, 0x10
RESERVED, ATTESTED, EXTENDED = 0x22, 0x40, 0x80
MAX_CLIENT_DATA = 4096
ORIGIN = re.compile(r"(https?)://([a-z0-9_.-]+)(?::(\d{1,5}))?")


def admit(public: bytes, passkey: dict[str, Any]) -> None:
    """A passkey that a trust file may have: a key of P-256, origins of its own domain."""
    p256.admit(public)
    for origin in passkey["origins"]:
        found = ORIGIN.fullmatch(origin)
        if found is None:
            raise Fail(f"{origin!r} is no origin", "EXO_SCHEMA")
        host = found[2]
        if host != passkey["rpId"] and not host.endswith("." + passkey["rpId"]):
            raise Fail(f"{origin!r} is of another domain", "EXO_SCHEMA")
        if found[1] == "http" and host != "localhost" and not host.endswith(".localhost"):
            raise Fail(f"{origin!r} is not by https", "EXO_SCHEMA")


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise Fail(message, CODE)


def _client_data(data: bytes, payload: bytes, origins: list[str]) -> None:
    _need(len(data) <= MAX_CLIENT_DATA, "client data that is too long")
    try:
        said = read_untrusted(data)
    except Fail as fail:
        raise Fail(f"client data: {fail}", CODE) from fail
    _need(isinstance(said, dict), "client data that is no object")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(payload).digest()).decode().rstrip("=")
    _need(said.get("type") == "webauthn.get", "another type than webauthn.get")
    _need(said.get("challenge") == challenge, "another challenge than the payload's SHA-256")
    _need(said.get("origin") in origins, "another origin")
    _need("crossOrigin" not in said or said["crossOrigin"] is False, "in a frame of another origin")
    _need("topOrigin" not in said, "under another origin")


def _authenticator_data(data: bytes, relying_party: str) -> None:
    _need(len(data) == 37, f"authenticator data of {len(data)} bytes")
    flags = data[32]
    _need(data[:32] == hashlib.sha256(relying_party.encode()).digest(), "another relying party")
    _need(flags & (RESERVED | ATTESTED | EXTENDED) == 0, "flags that an assertion here has not")
    _need(flags & PRESENT != 0, "nobody was present")
    _need(flags & VERIFIED != 0, "nobody was verified")
    _need(flags & BACKED_UP == 0 or flags & ELIGIBLE != 0, "backed up though it may not be")


def check(public: bytes, passkey: dict[str, Any], payload: bytes, said: dict[str, bytes], sig: bytes) -> None:
    """Refuses an assertion that is not one over the payload (EXO_PASSKEY), or whose signature is wrong."""
    _client_data(said["clientDataJSON"], payload, passkey["origins"])
    _authenticator_data(said["authenticatorData"], passkey["rpId"])
    message = said["authenticatorData"] + hashlib.sha256(said["clientDataJSON"]).digest()
    if not p256.verify(public, message, sig):
        raise Fail("the passkey's signature is wrong", "EXO_SIGNATURE")
