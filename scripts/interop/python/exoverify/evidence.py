"""A bundle, taken apart (spec/bundle.md). The `format` check of spec/verification.md is the opening."""

import functools
from typing import Any, NamedTuple

from . import merkle, payloads
from .canonical import digest, digest_of, read
from .outcome import Fail, Unable, need
from .schema import check, conform, load
from .signed import Envelope, open_envelope, unbase64

STATEMENT = "application/vnd.in-toto+json"
SALTED = {
    "policy_input", "safety_config", "safety_snapshot", "preview", "grants", "attestation",
    "config", "input", "output", "host_call", "event_payload",
}  # fmt: skip


class Event(NamedTuple):
    """An event of the intent: its digest, its type as the statement says, and its header."""

    digest: str
    kind: str
    header: dict[str, Any]


# Many bundles of one run of this program hold the same documents; nobody changes what is read.
@functools.lru_cache(4096)
def _document(data: bytes, schema: str) -> Any:
    return conform(read(data), schema)


@functools.lru_cache(4096)
def _payload(data: bytes, kind: str) -> Any:
    value = read(data)
    payloads.conform(kind, value)
    return value


@functools.lru_cache(4096)
def _header(data: bytes) -> Any:
    value = read(data)
    payloads.header(value)
    return value


class Evidence:
    """The parts of a bundle. Whatever is missing raises Unable where it is asked for."""

    def __init__(self, data: bytes):
        file = read(data)
        if isinstance(file, dict) and isinstance(file.get("mediaType"), str):
            known = "application/vnd.exoarmur.proof+json;version="
            kind = file["mediaType"]
            if kind.startswith(known) and kind != known + "1" and kind[len(known) :].isdigit():
                raise Unable("another revision of the layout", "EXO_REVISION")
        conform(file, "proof")
        self.envelope_value: Any = file["envelope"]
        self.payload = unbase64(file["envelope"]["payload"], "EXO_SCHEMA")
        self.bytes = {key: unbase64(value, "EXO_SCHEMA") for key, value in file["materials"].items()}
        self.log_proof: str = file["logProof"]
        need(file["envelope"]["payloadType"] == STATEMENT, "the payload is no statement", "EXO_BUNDLE")
        try:
            self.statement = read(self.payload)
            revision = self.statement["predicate"]["revisions"]["bundle"]
        except (Fail, KeyError, TypeError) as error:
            raise Fail("the payload is no statement", "EXO_BUNDLE") from error
        if revision != 1:
            raise Unable("another revision of the layout", "EXO_REVISION")
        try:
            conform(self.statement, "statement")
        except Fail as error:
            raise Fail(f"the payload is no statement: {error}", "EXO_BUNDLE") from error
        self.predicate: dict[str, Any] = self.statement["predicate"]
        self._payloads: dict[str, tuple[str, dict[str, Any]]] = {}
        self.named: list[dict[str, Any]] = self.predicate["materials"]

    @functools.cached_property
    def leaf(self) -> bytes:
        """The hash of the bundle's leaf (spec/log.md, Leaf)."""
        return merkle.leaf_hash("bundle", digest(self.payload))

    @functools.cached_property
    def proof(self) -> merkle.LogProof:
        """The log proof; none at all is Unable."""
        if self.log_proof == "":
            raise Unable("no log proof", "EXO_MATERIAL_MISSING")
        return merkle.read_proof(self.log_proof)

    @functools.cached_property
    def log_index(self) -> int | None:
        """The bundle's index, or null when the proof does not show it."""
        try:
            self.proof.require(self.leaf)
            return self.proof.index
        except (Fail, Unable):
            return None

    def digests(self, role: str) -> list[str]:
        """The digests of a role's materials, in the statement's order."""
        return [one["digest"] for one in self.named if one["role"] == role]

    def content(self, role: str, key: str) -> bytes:
        """A material's content, without its salt."""
        need(key in self.digests(role), f"no {role} {key} is named", "EXO_MATERIAL_SET")
        if key not in self.bytes:
            raise Unable(f"the {role} {key} is missing", "EXO_MATERIAL_MISSING")
        need(digest(self.bytes[key]) == key, f"the {role} has other bytes", "EXO_MATERIAL_DIGEST")
        if role not in SALTED:
            return self.bytes[key]
        need(len(self.bytes[key]) >= 32, "a salted material without a salt", "EXO_MATERIAL_DIGEST")
        return self.bytes[key][32:]

    def document(self, role: str, key: str, schema: str) -> Any:
        """A material that is a document of a schema."""
        return _document(self.content(role, key), schema)

    def single(self, role: str) -> str:
        """The digest of the one material of a role."""
        found = self.digests(role)
        if not found:
            raise Fail(f"no {role} is named", "EXO_MATERIAL_SET")
        need(len(found) == 1, f"{len(found)} materials of the role {role}", "EXO_MATERIAL_SET")
        return found[0]

    def envelope(self, role: str, key: str, kind: str) -> Envelope:
        """A material that is a DSSE envelope."""
        value = read(self.content(role, key))
        shape = load("proof")["properties"]["envelope"]
        try:
            check(value, shape, shape)
        except Fail as error:
            raise Fail(str(error), "EXO_ENVELOPE") from error
        return open_envelope(value, kind)

    @functools.cached_property
    def intent(self) -> dict[str, Any]:
        """The intent."""
        return self.document("intent", self.single("intent"), "intent")

    @functools.cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest, null when no executor was found."""
        if not self.digests("manifest"):
            return None
        return self.document("manifest", self.single("manifest"), "executor")

    @functools.cached_property
    def function(self) -> dict[str, Any] | None:
        """The function that the intent asks for (spec/contracts.md, ActionIntent and ExecutorManifest)."""
        if self.manifest is None:
            return None
        wanted = self.intent.get("executor", {}).get("function")
        if wanted is not None:
            found = [one for one in self.manifest["functions"] if one["name"] == wanted]
        else:
            found = [one for one in self.manifest["functions"] if one["action"] == self.intent["action"]]
        return found[0] if found else None

    @functools.cached_property
    def events(self) -> list[Event]:
        """The events in the statement's order."""
        found: list[Event] = []
        for one in self.predicate["events"]:
            header = _header(self.content("event", one["digest"]))
            found.append(Event(one["digest"], one["eventType"], header))
        return found

    def payload_of(self, event: Event) -> dict[str, Any]:
        """An event's payload, of its type's shape."""
        known = self._payloads.get(event.digest)
        if known is not None and known[0] == event.kind:
            return known[1]
        value = _payload(self.content("event_payload", event.header["payloadDigest"]), event.kind)
        self._payloads[event.digest] = (event.kind, value)
        return value

    def all(self, kind: str) -> list[tuple[Event, dict[str, Any]]]:
        """The events of a type with their payloads."""
        return [(event, self.payload_of(event)) for event in self.events if event.kind == kind]

    def one(self, kind: str) -> tuple[Event, dict[str, Any]] | None:
        """The only event of a type, or null."""
        found = self.all(kind)
        return found[0] if found else None

    @property
    def requester(self) -> dict[str, Any]:
        """Who asked, as it was received."""
        received = self.one("intent_received")
        if received is None:
            raise Fail("the intent was not received")
        return received[1]["requester"]

    def own_names(self) -> set[str]:
        """Requester's principal, whom it acts for, and the actor (spec/approval.md, Roster)."""
        who = {self.requester["principal"], self.intent["actor"]["id"]}
        return who | ({self.requester["onBehalfOf"]} if "onBehalfOf" in self.requester else set())

    @property
    def intent_digest(self) -> str:
        """The digest of the intent."""
        return digest_of(self.intent)
