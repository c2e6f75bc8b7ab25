"""Writes golden.json with ExoArmur-Core itself: texts with their canonical form and hash, streams with their report.

    PYTHONPATH=<checkout of ExoArmur-Core v2.1.0>/src PYTHONHASHSEED=0 python3 make.py > golden.json
"""

import json
import logging
import random
import sys

from exoarmur.replay.canonical_utils import canonical_json, stable_hash
from exoarmur.replay.event_envelope import CanonicalEvent, EnvelopeValidationError
from exoarmur.replay.replay_engine import ReplayEngine

logging.disable(logging.CRITICAL)
chance = random.Random(20261127)
CORRELATION = "corr-1"


def hashed(text):
    canonical = canonical_json(json.loads(text))
    return {"text": text, "canonical": canonical, "hash": stable_hash(canonical)}


NUMBERS = """0 -0 0.0 -0.0 1 1.0 -1 1e2 1E+2 1e0 100.50 0.1 0.2 0.30000000000000004 1e-4 1e-5 0.00012345678901234567
1e15 1e16 1.5e16 123456789012345678 9007199254740993 123456789012345678901234567890 -12345678901234567890 1e21 1e22 1e100
1.7976931348623157e308 5e-324 2.2250738585072014e-308 1e400 -1e400 1.23456789012345 0.0001220703125 0.0003662109375
-0.0001220703125 -0.0003662109375 0.0006103515625 4.9999999999995e-13 5e-13 0.5e-12 1e-12 1e-13 -1e-13 1234.5678901234567
4503599627370495.5 4503599627370496.5 9007199254740991.0 0.1234567890125 2.675 1.0000000000005 99999999999.9999999999995
33.3333333333333333 1e-7 12345678.9 0.000001 8.5e-5""".split()

TEXTS = [
    '{"b":1,"a":{"d":[],"c":{}}}',
    '"\\u0000\\u001f\\u007f\\u0080\\u2028\\u2029\\/\\"\\\\\\b\\f\\n\\r\\t"',
    '{"\\ud83d\\ude00":1,"\\uffff":2,"\\ue000":3,"z":4,"\\u00e9":5,"e\\u0301":6,"":7}',
    '{"\\ud7ff":1,"\\ud800\\udc00":2,"\\udbff\\udfff":3,"\\ufffd":4}',
    '[true,false,null,"null",[[[]]],{"a":[{}]}]',
    '{"10":1,"9":2,"1":3,"01":4,"-1":5}',
    '"\\u00e4\\u20ac\\ud83d\\ude00"',
]


def random_number():
    kind = chance.randrange(4)
    if kind == 0:
        return repr(chance.uniform(-1000, 1000))
    if kind == 1:
        return repr(chance.uniform(-1, 1) * 10 ** chance.randrange(-20, 25))
    if kind == 2:
        # Halves, quarters ... of a power of two: the ones that can lie between two neighbours of the last decimal.
        return repr(chance.randrange(-(2**20), 2**20) / 2 ** chance.randrange(10, 16))
    return str(chance.randrange(-(10**20), 10**20))


class Stream:
    """Events of one correlation, made as the reference makes them unless a change says otherwise."""

    def __init__(self):
        self.events = []

    def add(self, event_type, ref, wrap="legacy", **changes):
        payload = {"kind": {"ref": ref}} if wrap == "legacy" else {"kind": "inline", "ref": ref} if wrap == "inline" else ref
        number = len(self.events)
        event = {
            "event_id": f"01J4NR5X9Z8GABCDEF123456{number:02d}",
            "event_type": event_type,
            "actor": "system",
            "correlation_id": CORRELATION,
            "payload": payload,
            "payload_hash": stable_hash(canonical_json(payload)),
            "sequence_number": number,
            "parent_event_id": None,
            "cell_id": "cell-1",
            "tenant_id": "tenant-1",
            "trace_id": "trace-1",
        }
        event.update(changes)
        self.events.append(event)
        return self

    def reported(self, name, requested=CORRELATION):
        text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in self.events)
        events = [CanonicalEvent(**json.loads(line)) for line in text.splitlines()]
        report = ReplayEngine(audit_store={CORRELATION: events}).replay_correlation(requested).to_dict()
        return {"name": name, "correlation": requested, "stream": text, "report": report}


TELEMETRY = {"event_id": "event-1", "correlation_id": CORRELATION, "trace_id": "trace-1"}
INTENT = {
    "schema_version": "1.0.0",
    "intent_id": "01J4NR5X9Z8GABCDEF12345678",
    "tenant_id": "tenant-1",
    "cell_id": "cell-1",
    "idempotency_key": "key-1",
    "subject": {"subject_type": "host", "subject_id": "host-1"},
    "intent_type": "isolate_host",
    "action_class": "A3_irreversible",
    "requested_at": "2023-01-01T12:00:00Z",
    "policy_context": {},
    "safety_context": {"human_approval_id": "approval-123"},
    "correlation_id": CORRELATION,
    "trace_id": "trace-1",
}


def whole():
    return (
        Stream()
        .add("telemetry_ingested", TELEMETRY)
        .add("safety_gate_evaluated", {"verdict": "require_human", "rationale": "A3 action"})
        .add("approval_requested", {"approval_id": "approval-123"})
    )


def shuffled(stream, order):
    stream.events = [stream.events[index] for index in order]
    return stream


def edited(stream, index, **changes):
    stream.events[index].update(changes)
    return stream


def rehashed(stream):
    for event in stream.events:
        event["payload_hash"] = stable_hash(canonical_json(event["payload"]))
    return stream


def intent_hash(intent):
    from exoarmur.control_plane.intent_store import IntentStore
    from spec.contracts.models_v1 import ExecutionIntentV1

    return IntentStore().compute_intent_hash(ExecutionIntentV1(**intent))


def executed(intent, **binding):
    return (
        whole()
        .add("approval_bound_to_intent", {"approval_id": "approval-123", "intent_hash": intent_hash(INTENT), **binding})
        .add("intent_executed", {"intent": intent})
    )


def streams():
    quick = Stream().add("belief_creation_started", {"event_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "inline")
    for field in ("sequence_number", "parent_event_id", "cell_id", "tenant_id", "trace_id"):
        del quick.events[0][field]
    yield quick.reported("quickstart")
    yield whole().reported("whole")
    yield whole().reported("no records", "nobody")
    for order in ([2, 1, 0], [1, 2, 0], [2, 0, 1]):
        yield shuffled(whole(), order).reported(f"shuffled {order}")
    for index in range(3):
        yield edited(whole(), index, payload_hash="0" * 64).reported(f"hash of {index} changed")
        yield edited(whole(), index, payload={"kind": {"ref": {"forged": True}}}).reported(f"payload of {index} changed")
        missing = whole()
        del missing.events[index]
        yield missing.reported(f"without {index}")
    yield edited(edited(edited(whole(), 0, payload_hash="a"), 1, payload_hash="b"), 2, payload_hash="c").reported("all changed")
    yield edited(whole(), 1, payload_hash="").reported("blank hash")
    for field in ("actor", "tenant_id", "cell_id", "trace_id", "parent_event_id"):
        yield edited(whole(), 1, **{field: "somebody-else"}).reported(f"{field} changed")
    yield edited(whole(), 1, event_type="telemetry_replayed").reported("unknown type")
    yield edited(whole(), 1, event_type="approval_approved").reported("a type with an order and no handler")
    yield edited(whole(), 0, event_type="Telemetry_Ingested").reported("a type in capitals")
    yield edited(whole(), 1, sequence_number=9).reported("sequence changed")
    twice = whole()
    twice.events.append(dict(twice.events[1]))
    yield twice.reported("one event twice")
    other = edited(whole(), 2, event_id="01J4NR5X9Z8GABCDEF12345600")
    yield other.reported("two events with one id")
    yield edited(other, 1, payload_hash="x").reported("two events with one id, another changed")
    for first, second in ((1, 2), (2, 1)):
        verdicts = Stream().add("safety_gate_evaluated", {"verdict": "allow"}, event_id="one", sequence_number=first)
        verdicts.add("safety_gate_evaluated", {"verdict": "deny"}, event_id="one", sequence_number=second)
        yield verdicts.reported(f"two verdicts under one id, numbers {first} and {second}")
    quote = edited(edited(whole(), 0, event_id="it's"), 2, event_id="it's")
    yield quote.reported("a quote in a doubled id")
    yield edited(edited(whole(), 0, event_id="\U0001f600"), 1, event_id="\ufffd").reported("ids beyond the first plane")

    for name, ref in (("empty", {}), ("event only", {"event_id": "e"}), ("no trace", {**TELEMETRY, "trace_id": None})):
        yield Stream().add("telemetry_ingested", ref).reported(f"telemetry: {name}")
    yield Stream().add("telemetry_ingested", {"event_id": "e", "correlation_id": "c"}).reported("telemetry: trace missing")
    one_field = ("belief_creation_started", "belief_created", "intent_created", "approval_requested", "approval_denied")
    for event_type in (*one_field, "intent_denied", "safety_gate_evaluated", "approval_bound_to_intent", "intent_executed"):
        for name, ref in (("empty", {}), ("other", {"other": 1}), ("good", {"event_id": "e", "belief_id": "b", "intent_id": "i", "approval_id": "a"})):
            yield Stream().add(event_type, ref).reported(f"{event_type}: {name}")
        for blank in ("", 0, None) if event_type != "safety_gate_evaluated" else ("", 0, False, None, [], {}):
            fields = ("event_id", "belief_id", "intent_id", "approval_id", "verdict", "intent_hash")
            yield Stream().add(event_type, dict.fromkeys(fields, blank)).reported(f"{event_type}: blank {json.dumps(blank)}")
    shapes = {
        "inline": {"kind": "inline", "ref": TELEMETRY},
        "inline text": {"kind": "inline", "ref": json.dumps(TELEMETRY)},
        "inline text that is none": {"kind": "inline", "ref": "{"},
        "inline text of a list": {"kind": "inline", "ref": "[1]"},
        "inline number": {"kind": "inline", "ref": 5},
        "inline without ref": {"kind": "inline"},
        "other kind": {"kind": "elsewhere", "ref": TELEMETRY},
        "other kind, text": {"kind": "elsewhere", "ref": json.dumps(TELEMETRY)},
        "no kind": {"ref": TELEMETRY},
        "kind of null": {"kind": None, "ref": TELEMETRY},
        "kind without ref": {"kind": {}},
        "kind with text": {"kind": {"ref": json.dumps(TELEMETRY)}},
    }
    for name, payload in shapes.items():
        yield Stream().add("telemetry_ingested", payload, "raw").reported(f"payload: {name}")
    for verdict in ("allow", "deny", "require_human", "require_quorum", "approved", "ALLOW"):
        yield Stream().add("safety_gate_evaluated", {"verdict": verdict}).reported(f"verdict {verdict}")
    yield Stream().add("intent_denied", {"verdict": "deny", "rationale": "x"}).reported("denied")

    yield executed(INTENT).reported("executed")
    yield executed({**INTENT, "parameters": {"n": 1.5, "big": 123456789012345}, "ttl_seconds": 60}).reported("executed, with parameters")
    for when in ("2023-01-01T12:00:00", "2023-01-01T12:00:00.5Z", "2023-01-01T12:00:00.1234567Z", "2023-01-01T14:30:00+02:30", "2024-02-29T00:00:00-00:00"):
        yield executed({**INTENT, "requested_at": when}).reported(f"executed, requested {when}")
    for name, change in {
        "another field": {"extra": 1},
        "another class": {"action_class": "A9"},
        "no ULID": {"intent_id": "x"},
        "no time": {"requested_at": "yesterday"},
        "no such day": {"requested_at": "2023-02-29T00:00:00Z"},
        "a number for a text": {"tenant_id": 5},
        "a list for an object": {"policy_context": []},
        "a fraction of a second to live": {"ttl_seconds": 1.5},
    }.items():
        yield executed({**INTENT, **change}).reported(f"executed: {name}")
    for field in INTENT:
        yield executed({key: value for key, value in INTENT.items() if key != field}).reported(f"executed without {field}")
    for name, intent in (("text", "x"), ("list", [1]), ("number", 5), ("true", True)):
        yield Stream().add("intent_executed", {"intent": intent}).reported(f"executed: {name}")
    yield Stream().add("intent_executed", INTENT).reported("executed, not wrapped")
    yield executed(INTENT, intent_hash="0" * 64).reported("bound to another intent")
    yield executed({**INTENT, "parameters": {"path": "/"}}).reported("another intent than bound")

    texts = whole()
    texts.add("belief_created", {"belief_id": "\u00e4\U0001f600\u2028", "n": [1.0, 1, 1e22, 0.1, 1e-7]})
    yield texts.reported("unicode and numbers")
    yield edited(whole(), 1, payload={"kind": {"ref": {"verdict": "allow", "n": 0.1234567890125}}}).reported("digits changed, hash not")
    digits = rehashed(edited(whole(), 1, payload={"kind": {"ref": {"verdict": "allow", "n": 0.12345678901241}}}))
    yield digits.reported("digits beyond the twelfth")
    yield edited(digits, 1, payload={"kind": {"ref": {"verdict": "allow", "n": 0.12345678901243}}}).reported("digits beyond the twelfth changed")
    types = [*one_field, "intent_denied", "safety_gate_evaluated", "telemetry_ingested", "approval_granted", "odd"]
    for round_ in range(30):
        stream = Stream()
        for _ in range(chance.randrange(1, 7)):
            ref = chance.choice([TELEMETRY, {}, {"verdict": chance.choice(["allow", "no"])}, {"approval_id": "a", "belief_id": "b"}])
            stream.add(chance.choice(types), ref, chance.choice(["legacy", "inline"]))
            if chance.random() < 0.15:
                stream.events[-1]["payload_hash"] = "f" * 64
        for event in stream.events:
            if chance.random() < 0.1:
                event["sequence_number"] = chance.choice([None, 0, 7])
        chance.shuffle(stream.events)
        yield stream.reported(f"random {round_}")


def refusals():
    event = whole().events[0]
    for name, change in {"an audit record": {"audit_id": "x"}, "a timestamp": {"timestamp": "2023-01-01T12:00:00Z"}}.items():
        yield name, {**event, **change}
    for field in ("event_id", "event_type", "actor", "correlation_id", "payload", "payload_hash"):
        yield f"no {field}", {key: value for key, value in event.items() if key != field}
    for name, value in (("text", "x"), ("null", None), ("a list", [event])):
        yield name, value


def refused():
    for name, value in refusals():
        try:
            records = [CanonicalEvent(**value) if isinstance(value, dict) else value]
            ReplayEngine(audit_store={CORRELATION: records}).replay_correlation(CORRELATION)
        except (TypeError, EnvelopeValidationError) as error:
            yield {"name": name, "stream": json.dumps([value]), "error": type(error).__name__}
            continue
        raise AssertionError(f"{name}: not refused")


def lenient():
    """What ExoArmur-Core takes and ours does not, by the rows of spec/reference-replay.md."""
    line = json.dumps(whole().events[1])
    good = whole().events[1]
    yield "blank hash", [json.dumps(event) for event in edited(whole(), 1, payload_hash="").events]
    yield "conflicting ids", [json.dumps(event) for event in edited(whole(), 2, event_id=whole().events[0]["event_id"]).events]
    yield "sequence gap", [json.dumps(event) for event in edited(whole(), 2, sequence_number=7).events]
    yield "sequence repeat", [json.dumps(event) for event in edited(whole(), 2, sequence_number=1).events]
    yield "event removed", [json.dumps(event) for event in (whole().events[0], whole().events[2])]
    yield "two tenants", [json.dumps(event) for event in edited(whole(), 2, tenant_id="tenant-2").events]
    yield "rounded number", [json.dumps(event) for event in rehashed(edited(whole(), 1, payload={"kind": {"ref": {"verdict": "allow", "n": 0.12345678901241}}})).events]
    yield "binding unchecked", [json.dumps(event) for event in executed(INTENT).events[:-1]]
    yield "binding mismatch", [json.dumps(event) for event in executed({**INTENT, "parameters": {"path": "/"}}).events]
    yield "duplicate key", [line.replace('"actor": "system"', '"actor": "somebody", "actor": "system"')]
    yield "no such number", [json.dumps(event) for event in rehashed(edited(whole(), 1, payload={"kind": {"ref": {"verdict": "allow", "n": float("nan")}}})).events]
    yield "lone surrogate", [line.replace('"system"', '"\\ud800"')]
    yield "forbidden key", [json.dumps(event) for event in rehashed(edited(whole(), 1, payload={"kind": {"ref": {"verdict": "allow", "__proto__": {}}}})).events]
    nested = {"verdict": "allow", "n": eval("[" * 130 + "]" * 130)}
    yield "deep", [json.dumps(event) for event in rehashed(edited(whole(), 1, payload={"kind": {"ref": nested}})).events]
    yield "another type", [json.dumps({**good, "actor": {"id": "system"}})]
    yield "a list as payload", [json.dumps({**good, "event_type": "odd", "payload": [1], "payload_hash": stable_hash(canonical_json([1]))})]
    yield "null as hash", [json.dumps({**good, "payload_hash": None})]
    yield "empty id", [json.dumps({**good, "event_id": ""})]
    loose = Stream().add("telemetry_ingested", json.dumps(TELEMETRY)[:-1] + ', "trace_id": NaN}', "inline")
    yield "loose JSON in a text", [json.dumps(event) for event in loose.events]
    yield "spaces around a text", [json.dumps(event) for event in Stream().add("intent_executed", {**INTENT, "tenant_id": " tenant-1 "}).events]
    yield "seconds as time", [json.dumps(event) for event in Stream().add("intent_executed", {**INTENT, "requested_at": 1672574400}).events]
    yield "a text as number", [json.dumps(event) for event in Stream().add("intent_executed", {**INTENT, "ttl_seconds": "60"}).events]
    yield "a list as intent hash", [json.dumps(event) for event in executed(INTENT, intent_hash=["x"]).events]


def accepted():
    for name, lines in lenient():
        events = [CanonicalEvent(**json.loads(line)) for line in lines]
        report = ReplayEngine(audit_store={CORRELATION: events}).replay_correlation(CORRELATION)
        yield {"name": name, "stream": "".join(line + "\n" for line in lines), "result": report.to_dict()["result"]}


numbers = NUMBERS + [random_number() for _ in range(300)]
golden = {
    "source": "ExoArmur-Core 2.1.0, 11f75c0520ed0832e1cd985a6df92b059566c28f",
    "texts": [hashed(text) for text in [*numbers, *TEXTS]],
    "streams": list(streams()),
    "refused": list(refused()),
    "lenient": list(accepted()),
}
json.dump(golden, sys.stdout, indent=0, sort_keys=True)
sys.stdout.write("\n")
