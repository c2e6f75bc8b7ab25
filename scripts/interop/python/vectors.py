#!/usr/bin/env python3
"""Compares with the published vectors. The last line is `N vectors hold`; the exit code is 1 where one does not."""

import json
import pathlib
import struct
import sys
from typing import Any, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from exoverify import canonical, ed25519, merkle, p256  # noqa: E402
from exoverify.outcome import Fail  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]


def read(path: str) -> Any:
    """A file of vectors."""
    return json.loads((ROOT / path).read_text("utf-8"))


def code_of(run: Any) -> Any:
    """What a call gives, or the code it is refused with."""
    try:
        return run()
    except Fail as fail:
        return fail.code


def canonical_bytes() -> Iterator[tuple[str, bool]]:
    """spec/vectors/canonical-bytes.json, but for the reader of untrusted input, which a verifier has no use for."""
    vectors = read("spec/vectors/canonical-bytes.json")
    for one in vectors["accept"]:
        data = one["canonical"].encode()
        yield one["comment"], canonical.canonical(canonical.read(data)) == data
        yield one["comment"], canonical.digest(data) == "sha256:" + one["sha256"]
    for one in vectors["numbers"]:
        (value,) = struct.unpack(">d", bytes.fromhex(one["bits"]))
        yield one["bits"], code_of(lambda: canonical.number_text(value)) == one.get("text", one.get("code"))
    for one in vectors["rejectCanonical"]:
        data = bytes.fromhex(one["inputHex"]) if "inputHex" in one else one["input"].encode("utf-8", "surrogatepass")
        yield one["comment"], code_of(lambda: canonical.read(data)) == one["code"]


def transcript_roots() -> Iterator[tuple[str, bool]]:
    """spec/vectors/transcript-root.json."""
    for one in read("spec/vectors/transcript-root.json")["cases"]:
        yield one["name"], merkle.transcript_root(one["entries"]) == one["root"]


def material_salts() -> Iterator[tuple[str, bool]]:
    """spec/vectors/material-salt.json: the digest is over salt and content."""
    for one in read("spec/vectors/material-salt.json")["cases"]:
        yield one["name"], canonical.digest(bytes.fromhex(one["salt"] + one["content"])) == one["digest"]


def leaves() -> Iterator[tuple[str, bool]]:
    """spec/vectors/log.json: the hashes of its leaves."""
    for one in read("spec/vectors/log.json")["leaves"]:
        yield one["digest"], merkle.leaf_hash(one["kind"], one["digest"]).hex() == one["leafHash"]


def signatures() -> Iterator[tuple[str, bool]]:
    """test/vectors/ed25519-strict.json."""
    for one in read("test/vectors/ed25519-strict.json")["vectors"]:
        key, message, made = (bytes.fromhex(one[name]) for name in ("publicKey", "message", "signature"))
        yield one["comment"], ed25519.verify(key, message, made) == one["valid"]
        admitted = not isinstance(code_of(lambda: ed25519.admit(key)), str)
        yield one["comment"], admitted == one["admitted"]


def ecdsa() -> Iterator[tuple[str, bool]]:
    """test/vectors/wycheproof: ECDSA on P-256, whose keys come uncompressed."""
    for group in read("test/vectors/wycheproof/ecdsa_secp256r1_sha256_test.json")["testGroups"]:
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        key = bytes([2 + (point[64] & 1)]) + point[1:33]
        for one in group["tests"]:
            message, made = bytes.fromhex(one["msg"]), bytes.fromhex(one["sig"])
            yield f"{one['tcId']} {one['comment']}", p256.verify(key, message, made) == (one["result"] == "valid")


def main() -> int:
    """The command."""
    held = 0
    for source in (canonical_bytes, transcript_roots, material_salts, leaves, signatures, ecdsa):
        for name, good in source():
            held += good
            if not good:
                print(f"{source.__name__}: {name}", file=sys.stderr)
                return 1
    print(f"{held} vectors hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
