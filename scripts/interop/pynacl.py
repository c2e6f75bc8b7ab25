"""Judges notes, cosignatures and DSSE envelopes with PyNaCl. Reads a JSON array of inputs from standard input and writes
one verdict a line: "accepted", or "refused: " and why. Anything it cannot read ends it with another exit code than 0."""

import base64
import hashlib
import json
import struct
import sys

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


def signatures_of(note):
    """The signed text of a note, and its signature lines as (name, key hash, signature)."""
    text, _, lines = note.rpartition("\n\n")
    found = []
    for line in lines.splitlines():
        dash, name, data = line.split(" ")
        raw = base64.b64decode(data, validate=True)
        assert dash == "\u2014"
        found.append((name, raw[:4], raw[4:]))
    return (text + "\n").encode(), found


def verify_line(note, vkey, kind):
    """Verifies the line of this verifier key, of type 1 (the log) or 4 (a witness)."""
    name, key_hash, data = vkey.split("+", 2)
    raw = base64.b64decode(data, validate=True)
    computed = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    assert raw[0] == kind and computed.hex() == key_hash
    text, lines = signatures_of(note)
    mine = [signature for by, by_hash, signature in lines if (by, by_hash) == (name, computed)]
    if len(mine) != 1:
        raise BadSignatureError(f"{len(mine)} lines by {name}")
    signature = mine[0]
    if kind == 4:
        (time,) = struct.unpack(">Q", signature[:8])
        text = b"cosignature/v1\ntime %d\n" % time + text
        signature = signature[8:]
    VerifyKey(raw[1:]).verify(text, signature)


def checkpoint(given):
    verify_line(given["note"], given["vkey"], 1)


def cosignature(given):
    verify_line(given["note"], given["vkey"], 1)
    verify_line(given["note"], given["witness"], 4)


def dsse(given):
    payload_type = given["payloadType"].encode()
    payload, signature, key = (base64.b64decode(given[name]) for name in ("payload", "signature", "publicKey"))
    encoded = b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(payload), payload)
    VerifyKey(key).verify(encoded, signature)


CHECKS = {"checkpoint": checkpoint, "cosignature": cosignature, "dsse": dsse}

for given in json.load(sys.stdin):
    try:
        CHECKS[given["check"]](given)
        print("accepted")
    except BadSignatureError as error:
        print("refused:", error)
