"""One host call disclosed alone (spec/bundle.md, Disclosing one call; spec/verification.md, One call)."""

from typing import Any, Callable

from . import merkle, payloads, trust
from .answers import check_answer, milliseconds
from .canonical import digest, read
from .execution import check_call
from .outcome import Fail, need
from .schema import conform
from .signed import unbase64

ENDING = b'"schema":"exoarmur.call-disclosure/v1"}'
RECORDS = {"execution_completed", "execution_failed", "execution_in_doubt"}
LONGEST_RUN = 600_000


class Disclosure:
    """A disclosed call, taken apart. It has what the checks of a bundle's log look at, under the same names."""

    def __init__(self, data: bytes):
        file = conform(read(data), "call-disclosure")
        material, header = unbase64(file["call"], "EXO_SCHEMA"), unbase64(file["event"], "EXO_SCHEMA")
        self.payload = unbase64(file["payload"], "EXO_SCHEMA")
        self.path = [unbase64(one, "EXO_SCHEMA") for one in file["path"]]
        need(len(material) >= 32, "a call without a salt", "EXO_MATERIAL_DIGEST")
        self.entry: Any = conform(read(material[32:]), "host-call")
        self.entry_digest = digest(material)
        self.header: Any = read(header)
        payloads.header(self.header)
        self.leaf = merkle.leaf_hash("event", digest(header))
        self.proof = merkle.read_proof(file["logProof"])


def check_answers(call: Disclosure, trusted: trust.Trust) -> None:
    """Check `answers`: the call is taken to be at most 600 s older than the event."""
    until = milliseconds(call.header["recordedAt"])
    place = {"tenant": call.header["tenantId"], "index": call.proof.index}
    check_answer(call.entry, trusted, **place, ours=set(), times=(until - LONGEST_RUN, until))


def check_payload(call: Disclosure, _: trust.Trust) -> None:
    """Check `payload`."""
    need(digest(call.payload) == call.header["payloadDigest"], "another payload", "EXO_MATERIAL_DIGEST")


def check_transcript(call: Disclosure, _: trust.Trust) -> None:
    """Check `transcript`: the entry is at its number under the recorded root."""
    kind = call.header["eventType"]
    need(kind in RECORDS, f"{kind} records no execution")
    need(len(call.payload) >= 32, "a payload without a salt")
    value: Any = read(call.payload[32:])
    payloads.conform(kind, value)
    need(value["execution"] is not None, "no execution is recorded")
    transcript, seq = value["execution"]["transcript"], call.entry["seq"]
    need(seq < transcript["size"] and all(len(one) == 32 for one in call.path), "no entry of the transcript")
    leaf = merkle.transcript_leaf(call.entry_digest)
    try:
        root = merkle.root_from(leaf, seq, transcript["size"], call.path)
    except Fail as error:
        raise Fail(str(error)) from error
    need("sha256:" + root.hex() == transcript["root"], "not the entry at its number")


CHECKS: tuple[tuple[str, Callable[[Any, trust.Trust], Any]], ...] = (
    ("call", lambda call, _: check_call(call.entry, call.entry["seq"])),
    ("payload", check_payload),
    ("transcript", check_transcript),
    ("answers", check_answers),
    ("inclusion", trust.check_inclusion),
    ("checkpoint", trust.check_checkpoint),
    ("witnesses", trust.check_witnesses),
)
