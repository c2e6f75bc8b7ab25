"""Answers that a counterparty signed (spec/capabilities.md, Assurance; spec/verification.md, Host answers)."""

import base64
import binascii
import hashlib
import re
from datetime import datetime
from typing import Any, Callable

from . import ed25519
from .canonical import read_lenient
from .evidence import Evidence
from .msgpack import Reader
from .outcome import Fail, NotApplicable, Unable, need
from .signed import pae, unbase64, unbase64url
from .trust import Key, Trust

CODE = "EXO_ANSWER_SIGNATURE"
ITEM = r'"(?:@?[a-z0-9_*.-]+)"(?:;req)?'
TEXT = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
PARAMS = re.compile(
    rf"\((?P<items>{ITEM}(?: {ITEM})*)\)(?P<params>(?:;(?:created|expires)=\d{{1,15}}|;(?:keyid|alg|nonce|tag)={TEXT})*)"
)
PARAM = re.compile(rf";([a-z]+)=(\d+|{TEXT})")
WHOLE = (
    {'"@target-uri";req'},
    {'"@authority";req', '"@request-target";req'},
    {'"@authority";req', '"@path";req', '"@query";req'},
)
SLACK = 300


def _decoded(value: str) -> Any:
    try:
        return Reader(unbase64url(value, "EXO_SCHEMA"), True).value()
    except RecursionError as error:
        raise Fail("a document nested too deep") from error


class Exchange:
    """What was asked and what came, as the entry has it."""

    def __init__(self, entry: dict[str, Any]):
        asked, came = _decoded(entry["request"]), _decoded(entry["response"])
        came = came.get("ok") if isinstance(came, dict) else None
        kinds = {"method": str, "url": str, "headers": dict, "body": bytes}
        shaped = isinstance(asked, dict) and all(isinstance(asked.get(k), t) for k, t in kinds.items())
        need(shaped, "a request that is none")
        kinds = {"status": int, "headers": dict, "body": bytes}
        shaped = isinstance(came, dict) and all(isinstance(came.get(k), t) for k, t in kinds.items())
        need(shaped, "an answer that is none")
        self.asked, self.came = asked, came
        found = re.fullmatch(r"(https?)://([^/?#]+)(/[^?#]*)(\?[^#]*)?", asked["url"])
        if found is None:
            raise Fail("a URL that is none")
        self.scheme, self.authority, self.path, self.query = (one or "" for one in found.groups())
        host, _, port = self.authority.rpartition(":") if re.search(r":\d+$", self.authority) else (self.authority, "", "")
        self.origin = (self.scheme, host, int(port) if port else {"http": 80, "https": 443}[self.scheme])

    def known(self, item: str) -> str | None:
        """What the record has for a component; null when it has none."""
        name, of_request = item.split('"')[1], item.endswith(";req")
        if not name.startswith("@"):
            return (self.asked if of_request else self.came)["headers"].get(name)
        values = {
            '"@status"': str(self.came["status"]),
            '"@method";req': self.asked["method"],
            '"@target-uri";req': self.asked["url"],
            '"@scheme";req': self.scheme,
            '"@authority";req': self.authority,
            '"@request-target";req': self.path + self.query,
            '"@path";req': self.path,
            '"@query";req': self.query or "?",
        }
        need(item in values, f"a component nobody knows: {item}", CODE)
        return values[item]

    def holds(self, item: str, stated: str) -> bool:
        """Whether a line of the base is true of the record, or nothing in it contradicts the line."""
        if item.startswith('"content-digest"'):
            return _is_digest(stated, (self.asked if item.endswith(";req") else self.came)["body"])
        known = self.known(item)
        return known is None or known == stated


def _is_digest(stated: str, body: bytes) -> bool:
    """RFC 9530: SHA-256 or SHA-512, and each that is there is the body's."""
    names = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
    known = 0
    for part in stated.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not re.fullmatch(r":[A-Za-z0-9+/]*={0,2}:", value):
            return False
        if name in names:
            if base64.b64encode(names[name](body).digest()).decode() != value[1:-1]:
                return False
            known += 1
    return known > 0


def _base(signed: dict[str, Any], exchange: Exchange, since: int, until: int) -> None:
    """The signature base: well formed, whole, true of the record, and of its time (milliseconds)."""
    *lines, last = signed["base"].split("\n")
    found = PARAMS.fullmatch(last.removeprefix('"@signature-params": '))
    if found is None or not last.startswith('"@signature-params": '):
        raise Fail("a signature base that is none", CODE)
    items = found["items"].split(" ")
    pairs = PARAM.findall(found["params"])
    params = dict(pairs)
    need(len(params) == len(pairs) and len(set(items)) == len(items), "something twice in the base", CODE)
    need(params.get("alg", '"ed25519"') == '"ed25519"', "another algorithm", CODE)
    need(params.get("keyid", f'"{signed["keyId"]}"') == f'"{signed["keyId"]}"', "another key's id", CODE)
    need("created" in params, "a signature without its time", CODE)
    created, expires = int(params["created"]), int(params.get("expires", 2**53))
    need(since - SLACK * 1000 <= created * 1000 <= until + SLACK * 1000, "signed at another time", CODE)
    need(expires * 1000 >= since, "an expired signature", CODE)
    wanted = {'"@status"', '"content-digest"', '"@method";req'}
    wanted |= {'"content-digest";req'} if exchange.asked["body"] else set()
    need(wanted <= set(items) and any(one <= set(items) for one in WHOLE), "signed without a part", CODE)
    need(len(lines) == len(items), "lines that are not listed", CODE)
    for item, line in zip(items, lines):
        need(line.startswith(f"{item}: "), "another order than listed", CODE)
        need(exchange.holds(item, line[len(item) + 2 :]), f"signed for another {item}", CODE)


def _by_message(signed: dict[str, Any], _: Exchange) -> Callable[[Key], bool]:
    signature = unbase64(signed["signature"], CODE)
    return lambda key: ed25519.verify(key.public, signed["base"].encode(), signature)


def _by_envelope(signed: dict[str, Any], exchange: Exchange) -> Callable[[Key], bool]:
    try:
        value = read_lenient(exchange.came["body"])
        kind, payload = value["payloadType"], base64.b64decode(value["payload"], validate=True)
        made = [base64.b64decode(one["sig"], validate=True) for one in value["signatures"]]
    except (Fail, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise Fail("an answer that is no envelope", CODE) from error
    need(kind == signed["payloadType"], "an envelope of another type", CODE)
    return lambda key: any(ed25519.verify(key.public, pae(kind, payload), one) for one in made)


def check_answer(
    entry: dict[str, Any], trust: Trust, *, tenant: str, index: int | None, ours: set[bytes], times: tuple[int, int]
) -> None:
    """One answer. A signed one is true of the record, and by a key of the counterparty; no such key is Unable."""
    outside = entry["outcome"] == "ok" and entry["capability"] == "http_request"
    need(outside or entry["assurance"] == "local", "an answer that nobody outside gave")
    if not isinstance(entry["assurance"], dict) or "signed" not in entry["assurance"]:
        return
    signed, exchange = entry["assurance"]["signed"], Exchange(entry)
    if signed["scheme"] == "dsse":
        by = _by_envelope(signed, exchange)
    else:
        _base(signed, exchange, *times)
        by = _by_message(signed, exchange)
    keys = [
        key
        for key in trust.having("counterparty", tenant, index)
        if key.id == signed["keyId"]
        and any((one["scheme"], one["host"], one["port"]) == exchange.origin for one in key.entry["origins"])
    ]
    if not keys:
        raise Unable(f"no key of {signed['keyId']} is trusted for it", "EXO_ANSWER_KEY")
    need(not any(key.public in ours for key in keys), "the runtime's own key", "EXO_TRUST")
    need(any(by(key) for key in keys), "the counterparty did not sign this", CODE)


def milliseconds(time: str) -> int:
    """A time of a document, since 1970."""
    return round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)


def check_answers(evidence: Evidence, trust: Trust) -> None:
    """Check `answers`."""
    digests = evidence.digests("host_call")
    if "execution" not in evidence.predicate or not digests:
        raise NotApplicable
    listed = [one for one in evidence.predicate["keys"] if one["role"] == "runtime"]
    ours = {unbase64(one["publicKey"], "EXO_KEY") for one in listed}
    until = milliseconds(evidence.events[-1].header["recordedAt"])
    effects = [(one["seq"], event) for event, one in evidence.all("effect_started")]
    unable: Unable | None = None
    for digest in digests:
        try:
            entry = evidence.document("host_call", digest, "host-call")
            started = evidence.one("execution_started")
            before = [event for seq, event in effects if seq < entry["seq"]] or ([started[0]] if started else [])
            since = milliseconds(before[-1].header["recordedAt"]) if before else until
            check_answer(
                entry,
                trust,
                tenant=evidence.predicate["tenantId"],
                index=evidence.log_index,
                ours=ours,
                times=(since, until),
            )
        except Unable as error:
            # Another answer may still be proven wrong.
            unable = unable or error
    if unable is not None:
        raise unable
