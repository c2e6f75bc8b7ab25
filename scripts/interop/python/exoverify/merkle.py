"""The log's tree and proof files (spec/log.md) and the transcript's root (spec/bundle.md)."""

import hashlib
import re
from typing import NamedTuple

from .canonical import canonical
from .outcome import Fail
from .signed import Note, read_note, unbase64

TRANSCRIPT = b"exoarmur.transcript/v1\x00"


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def transcript_leaf(entry: str) -> bytes:
    """The leaf of an entry with this digest (spec/bundle.md, Transcript root)."""
    return _sha(b"\x00", TRANSCRIPT, bytes.fromhex(entry[7:]))


def transcript_root(entries: list[str]) -> str:
    """The root over the digests of the host_call materials (spec/bundle.md, Transcript root)."""

    def root(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        split = 1 << ((len(leaves) - 1).bit_length() - 1)
        return _sha(b"\x01", root(leaves[:split]), root(leaves[split:]))

    if not entries:
        return "sha256:" + _sha(TRANSCRIPT).hex()
    return "sha256:" + root([transcript_leaf(entry) for entry in entries]).hex()


def leaf_hash(kind: str, digest: str) -> bytes:
    """The hash of a leaf (spec/log.md, Leaf)."""
    return _sha(b"\x00", canonical({"digest": digest, "kind": kind, "schema": "exoarmur.leaf/v1"}))


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); a hash too many or too few is refused."""
    first, second, node = index, size - 1, leaf
    for step in path:
        if second == 0:
            raise Fail("a hash too many in the proof", "EXO_LOG_PROOF")
        if first & 1 or first == second:
            node = _sha(b"\x01", step, node)
            while first & 1 == 0 and first != 0:
                first >>= 1
                second >>= 1
        else:
            node = _sha(b"\x01", node, step)
        first >>= 1
        second >>= 1
    if second != 0:
        raise Fail("a hash too few in the proof", "EXO_LOG_PROOF")
    return node


class LogProof(NamedTuple):
    """A tlog-proof, taken apart. `extra` is whether there is extra data."""

    extra: bool
    index: int
    path: list[bytes]
    note: Note
    origin: str
    size: int
    root: bytes

    def require(self, leaf: bytes) -> None:
        """Refuses unless the leaf is at the index of the checkpoint's tree."""
        if root_from(leaf, self.index, self.size, self.path) != self.root:
            raise Fail("not the leaf at this index", "EXO_LOG_PROOF")


def _decimal(value: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", value) or int(value) > 2**53 - 1:
        raise Fail("not a number from 0 to 2^53-1", "EXO_LOG_PROOF")
    return int(value)


def read_proof(value: str) -> LogProof:
    """A proof file (spec/log.md, Proof file); every other spelling is EXO_LOG_PROOF."""
    head, gap, checkpoint = value.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Fail("not a proof file", "EXO_LOG_PROOF")
    extra = bool(lines) and lines[0].startswith("extra ")
    if extra and not unbase64(lines.pop(0)[6:], "EXO_LOG_PROOF"):
        raise Fail("empty extra data", "EXO_LOG_PROOF")
    if not lines or not lines[0].startswith("index "):
        raise Fail("no index", "EXO_LOG_PROOF")
    index = _decimal(lines.pop(0)[6:])
    path = [unbase64(line, "EXO_LOG_PROOF") for line in lines]
    if len(path) > 53 or any(len(one) != 32 for one in path):
        raise Fail("hashes that are none, or more than 53", "EXO_LOG_PROOF")
    note = read_note(checkpoint, "EXO_LOG_PROOF")
    parts = note.text.split("\n")
    if len(parts) != 4 or parts[3] != "" or parts[0] == "":
        raise Fail("a checkpoint that has not three lines", "EXO_LOG_PROOF")
    size, root = _decimal(parts[1]), unbase64(parts[2], "EXO_LOG_PROOF")
    if len(root) != 32 or index >= size:
        raise Fail("an index not below the size, or a root that is none", "EXO_LOG_PROOF")
    return LogProof(extra, index, path, note, parts[0], size, root)
