"""Checks `execution`, `transcript`, `answers` and `resolution` (spec/verification.md, Checks)."""

from typing import Any

from . import jsonschema_subset as subset
from .canonical import canonical, digest, digest_of, read, read_lenient, same
from .evidence import Event, Evidence
from .merkle import transcript_root
from .msgpack import first_text
from .outcome import Fail, NotApplicable, need
from .schema import conform
from .signed import unbase64, unbase64url
from .structure import pointer
from .trust import Trust, signer

RESOLUTION = "application/vnd.exoarmur.resolution+json"
# spec/contracts.md, ExecutionRecord.
CODES = {
    "completed": set(),
    "guest_error": {"EXO_GUEST_ERROR", "EXO_OUTPUT_SCHEMA"},
    "trapped": {"EXO_TRAPPED"},
    "out_of_fuel": {"EXO_OUT_OF_FUEL"},
    "out_of_memory": {"EXO_OUT_OF_MEMORY"},
    "stack_overflow": {"EXO_STACK_OVERFLOW"},
    "output_limit": {"EXO_OUTPUT_LIMIT"},
    "host_call_limit": {"EXO_HOST_CALL_LIMIT"},
    "capability_denied": {"EXO_CAPABILITY_DENIED"},
    "timed_out": {"EXO_TIMED_OUT"},
    "host_fault": {"EXO_HOST_FAULT", "EXO_CAPABILITY_UNAVAILABLE"},
    "in_doubt": {"EXO_IN_DOUBT"},
}
# spec/capabilities.md, Calls: what is journaled. Keys and values are not (Keys and values).
# A capability that is not known counts as a write: a bundle may come from anybody.
HARMLESS = {
    "clock_now", "random_bytes", "log", "fs_read", "fs_list", "fs_stat", "kv_get", "kv_list", "kv_put", "kv_delete",
}  # fmt: skip
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# spec/contracts.md, ExecutionRecord.
RUN_CONFIG = {"schema": "exoarmur.run-config/v1", "config": {}, "logLevel": "info"}


def start_of(evidence: Evidence) -> tuple[Event, dict[str, Any]]:
    """The start; without one the check does not apply."""
    started = evidence.one("execution_started")
    if started is None:
        raise NotApplicable
    return started


def record_of(evidence: Evidence) -> dict[str, Any]:
    """The execution record. Without one (no start, or the process died) no output and no call may be there."""
    started, doubt = evidence.one("execution_started"), evidence.one("execution_in_doubt")
    if started is not None and "execution" in evidence.predicate:
        return evidence.predicate["execution"]
    need("execution" not in evidence.predicate, "a record without a start")
    parts = [role for role in ("output", "host_call") if evidence.digests(role)]
    need(not parts, f"{parts} of a run without a record")
    if started is not None:
        need(doubt is not None and doubt[1]["execution"] is None, "the record is left out")
    raise NotApplicable


def grants_of(evidence: Evidence, started: dict[str, Any]) -> dict[str, Any]:
    """The grants of the run."""
    return evidence.document("grants", started["grantsDigest"], "grants")


def _start(evidence: Evidence, started: dict[str, Any]) -> None:
    manifest = evidence.manifest
    if manifest is None:
        raise Fail("a start without a manifest", "EXO_MATERIAL_SET")
    decision = evidence.all("policy_evaluated")[-1][1]["decision"]
    verdict = evidence.all("safety_evaluated")[-1][1]["verdict"]
    snapshot = evidence.document("safety_snapshot", verdict["stateDigest"], "safety-snapshot")
    expected = {
        "pluginDigest": manifest["wasm"]["digest"],
        "manifestDigest": digest_of(manifest),
        "policyDigest": decision["policyDigest"],
        "stateDigest": verdict["stateDigest"],
        "killSwitchEpoch": snapshot["killSwitch"]["epoch"],
        "inputDigest": evidence.single("input"),
        "configDigest": evidence.single("config"),
    }
    for name, value in expected.items():
        need(started[name] == value, f"a start with another {name}")
    need(digest(evidence.content("plugin", evidence.single("plugin"))) == started["pluginDigest"], "another plugin")
    config = read(evidence.content("config", started["configDigest"]))
    need(same(config, RUN_CONFIG), "a configuration that is none", "EXO_SCHEMA")


def _input(evidence: Evidence, function: dict[str, Any], started: dict[str, Any]) -> None:
    intent, parameters = evidence.intent, evidence.intent["parameters"]
    kind, found = function["input"], evidence.content("input", started["inputDigest"])
    if kind == "parameters":
        expected = canonical(parameters)
    elif kind == "intent":
        expected = canonical({name: value for name, value in intent.items() if name != "salt"})
    else:
        need(isinstance(parameters.get("input"), str), "no text parameters.input")
        expected = parameters["input"].encode() if kind == "text" else unbase64(parameters["input"], "EXO_PARAMETERS")
    need(found == expected, "another input than the parameters give")
    if "inputSchema" in function:
        need(subset.holds(parameters, function["inputSchema"]), "the parameters break the schema", "EXO_INPUT_SCHEMA")


def _output(evidence: Evidence, function: dict[str, Any], record: dict[str, Any]) -> None:
    outputs = evidence.digests("output")
    if record["status"] != "completed":
        need("outputDigest" not in record and not outputs, "an output of a run that did not complete")
        return
    need(outputs[:1] == [record.get("outputDigest")], "another output than recorded")
    content = evidence.content("output", outputs[0])
    need(len(content) <= record["limits"]["outputBytes"], "an output over its limit")
    try:
        value = read_lenient(content) if function["output"] == "json" else None
        if function["output"] == "text":
            content.decode("utf-8")
    except (Fail, UnicodeDecodeError) as error:
        raise Fail(f"an output that is not {function['output']}") from error
    if "outputSchema" in function:
        need(subset.holds(value, function["outputSchema"]), "the output breaks the schema", "EXO_OUTPUT_SCHEMA")


def _end(evidence: Evidence, record: dict[str, Any]) -> None:
    status, error = record["status"], record.get("error")
    kind = {"completed": "execution_completed", "in_doubt": "execution_in_doubt"}.get(status, "execution_failed")
    ended = evidence.one(kind)
    if ended is None:
        raise Fail(f"{status} under another end")
    need(same(ended[1]["execution"], record), "the statement holds another record")
    need((error is None) == (status == "completed"), "an error of a completed run, or none of another")
    if error is not None:
        need(error["code"] in CODES[status], f"{error['code']} under {status}")
    if kind == "execution_failed":
        need(ended[1]["reason"]["code"] == (error or {}).get("code"), "a reason that is not the record's")


def check_execution(evidence: Evidence, _: Trust) -> None:
    """Check `execution`: start, record, intent, grants, snapshot and end agree."""
    record = record_of(evidence)
    _event, started = start_of(evidence)
    _start(evidence, started)
    grants, function = grants_of(evidence, started), evidence.function
    if function is None:
        raise Fail("a start of no function")
    _input(evidence, function, started)
    limits = {name: value for name, value in grants["limits"].items() if name != "timeoutMs"}
    expected = {
        "function": function["name"],
        "inputDigest": started["inputDigest"],
        "configDigest": started["configDigest"],
        "limits": limits,
    }
    for name, value in expected.items():
        need(same(record[name], value), f"a record with another {name}")
    need(record["plugin"]["digest"] == started["pluginDigest"], "a record of another plugin")
    need(record["fuel"]["limit"] == limits["fuel"], "another fuel limit than granted")
    need(record["fuel"]["used"] <= record["fuel"]["limit"], "more fuel than the limit")
    _end(evidence, record)
    _output(evidence, function, record)
    broken = record.get("error", {}).get("code") == "EXO_OUTPUT_SCHEMA"
    need(not broken or "outputSchema" in function, "a broken output schema where there is none")


def effect_base(evidence: Evidence) -> str:
    """The effect key's digest if the run has one, else the intent's (spec/capabilities.md, Order of one call)."""
    function, intent = evidence.function, evidence.intent
    if function is None or "effectKey" not in function:
        return evidence.intent_digest
    parts: list[Any] = [intent["tenantId"], intent["action"]]
    for path in function["effectKey"]:
        there, value = pointer(intent["parameters"], path)
        need(there, f"no {path} in the parameters", "EXO_PARAMETERS")
        parts.append([path, value])
    return digest_of(parts)


def check_call(entry: dict[str, Any], seq: int) -> None:
    """Refuses an entry that is not whole, or has another number."""
    need(entry["seq"] == seq, "a call numbered wrongly")
    for name in ("request", "response"):
        data = unbase64url(entry[name], "EXO_SCHEMA")
        need(digest(data) == entry[f"{name}Digest"], f"a {name} that is not its digest's")


def _journaled(entry: dict[str, Any]) -> bool:
    """Whether the call is a write that was performed, or may have been."""
    if entry["outcome"] not in ("ok", "unknown"):
        return False
    if entry["capability"] == "http_request":
        try:
            return first_text(unbase64url(entry["request"], "EXO_SCHEMA"), "method") not in SAFE_METHODS
        except Fail:
            return True
    return entry["capability"] not in HARMLESS


def check_transcript(evidence: Evidence, _: Trust) -> None:
    """Check `transcript`: the calls are whole, in order, under the root, granted and journaled."""
    record = record_of(evidence)
    _event, started = start_of(evidence)
    digests = evidence.digests("host_call")
    calls = [evidence.document("host_call", one, "host-call") for one in digests]
    granted = {one["name"] for one in grants_of(evidence, started)["capabilities"]} | {"log"}
    fuel = 0
    for seq, entry in enumerate(calls):
        check_call(entry, seq)
        need(fuel <= entry["fuel"] <= record["fuel"]["limit"], "fuel that goes back, or more than the limit")
        fuel = entry["fuel"]
        performed = entry["outcome"] in ("ok", "unknown")
        need(not performed or entry["capability"] in granted, "performed without a grant")
    need(record["transcript"]["size"] == len(calls), "another number of calls")
    need(transcript_root(digests) == record["transcript"]["root"], "another root")
    need(len(calls) <= record["limits"]["hostCalls"], "more calls than the limit")
    base, effects = effect_base(evidence), evidence.all("effect_started")
    sequence = [effect["seq"] for _, effect in effects]
    need(sequence == sorted(set(sequence)), "a write journaled twice, or out of order")
    for _event, effect in effects:
        there = effect["seq"] < len(calls)
        need(there or record["status"] == "in_doubt", "a journaled write that never was")
        for name in ("capability", "requestDigest") if there else ():
            need(calls[effect["seq"]][name] == effect[name], "a journaled write that is another call")
        need(effect["effectId"] == digest_of([base, effect["seq"]]), "another effect id")
    for entry in calls:
        need(not _journaled(entry) or entry["seq"] in sequence, "a write that was never journaled")


def check_resolution(evidence: Evidence, trust: Trust) -> None:
    """Check `resolution`: what was in doubt, and the operator's order that closed it."""
    doubt, resolved = evidence.one("execution_in_doubt"), evidence.one("execution_resolved")
    if doubt is None:
        raise NotApplicable
    started = evidence.one("execution_started")
    need(started is not None and doubt[1]["startedDigest"] == started[0].digest, "in doubt of another start")
    effects = [payload for _, payload in evidence.all("effect_started")]
    need(same(doubt[1]["effects"], effects), "in doubt of other writes")
    if resolved is None:
        raise Fail("in doubt and not resolved")
    event, payload = resolved
    need(evidence.digests("resolution") == [payload["envelopeDigest"]], "another order", "EXO_MATERIAL_SET")
    envelope = evidence.envelope("resolution", payload["envelopeDigest"], RESOLUTION)
    key = signer(envelope, trust.having("operator", evidence.predicate["tenantId"], evidence.log_index))
    order = conform(read(envelope.payload), "resolution")
    need(order["operator"]["keyId"] == key.key_id, "an order that names another key", "EXO_ORDER")
    for name in ("cellId", "intentId"):
        need(order[name] == evidence.predicate[name], f"an order of another {name}")
    for name in ("outcome", "evidence"):
        need(same(order[name], payload[name]), f"recorded with another {name}")
    need(order["operator"]["id"] == key.id == payload["resolver"], "recorded of another operator")
    own = evidence.own_names()
    mine = {key.id, key.key_id, key.person} & own or key.person in trust.holders(own)
    need(not mine, "the requester's or actor's own order", "EXO_ORDER")
