"""The policy's rules: evaluator exoarmur.rules, revision 1 (spec/policy.md, Evaluation and Match)."""

import re
from typing import Any, Callable

from .canonical import same
from .outcome import Unable
from .schema import TYPES
from .structure import pointer
from .targets import is_alias_path, is_under, path_covers, read_url

# A member holds, does not hold, or is unclear.
Answer = bool | None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _any(answers: list[Answer]) -> Answer:
    """A list holds if one item does, else is unclear if one item is."""
    return True if True in answers else (None if None in answers else False)


def _action(pattern: str, action: str) -> bool:
    return pattern == "*" or pattern == action or (pattern.endswith(".*") and action.startswith(pattern[:-1]))


def _url(wanted: dict[str, Any], target: str) -> Answer:
    url = read_url(target)
    if url is None:
        return None
    tests: dict[str, Callable[[Any], bool]] = {
        "scheme": lambda one: one == url.scheme,
        "host": lambda one: one == url.host,
        "port": lambda one: one == url.port,
        "path": lambda one: path_covers(one, url.path),
    }
    return all(any(tests[name](one) for one in _list(value)) for name, value in wanted.items())


def _under(bases: Any, target: str) -> Answer:
    if is_alias_path(target):
        return any(is_under(target, base) for base in _list(bases))
    return False if target.startswith("/") or read_url(target) is not None else None


def _target(pattern: Any, target: str | None) -> Answer:
    if target is None:
        return None
    if isinstance(pattern, str):
        return target == pattern
    if "prefix" in pattern:
        return any(target.startswith(one) for one in _list(pattern["prefix"]))
    if "under" in pattern:
        return _under(pattern["under"], target)
    return _url(pattern["url"], target)


def _parameter(wanted: Any, there: bool, value: Any) -> Answer:
    if not there:
        return None
    if not isinstance(wanted, dict):
        return same(value, wanted)
    if "in" in wanted:
        return any(same(value, one) for one in wanted["in"])
    if "matches" in wanted:
        if not isinstance(value, str):
            return None
        raise Unable("a rule decides by a pattern, which this verifier does not evaluate", "EXO_REVISION")
    if not TYPES["number"](value):
        return None
    return wanted.get("min", value) <= value <= wanted.get("max", value)


def _sha256(subject: dict[str, Any], intent: dict[str, Any]) -> str | None:
    """The digest that a rule looks for; null where the parameters have none."""
    if "digest" in subject:
        return subject["digest"]
    there, value = pointer(intent["parameters"], subject["parameter"])
    return value if there and isinstance(value, str) and re.fullmatch("sha256:[0-9a-f]{64}", value) else None


def _attestation(wanted: dict[str, Any], intent: dict[str, Any], attestations: list[dict[str, Any]]) -> Answer:
    kinds, who = _list(wanted["predicateType"]), _list(wanted.get("attester", []))
    fitting = [
        one
        for one in attestations
        if one["predicateType"] in kinds and (not who or any(signer["attester"] in who for signer in one["signers"]))
    ]
    if not fitting or "subject" not in wanted:
        return bool(fitting)
    digests = [_sha256(one, intent) for one in _list(wanted["subject"])]
    if any(subject["digest"] in digests for one in fitting for subject in one["subjects"]):
        return True
    return None if None in digests else False


Member = tuple[str, Callable[[], Answer]]


def _members(match: dict[str, Any], intent: dict[str, Any], attestations: list[dict[str, Any]]) -> list[Member]:
    """The members that are present, under the names an evaluation error gives them."""
    actor, executor = match.get("actor", {}), intent.get("executor")
    found: list[Member] = []
    if "tenant" in match:
        found.append(("/tenant", lambda: intent["tenantId"] in _list(match["tenant"])))
    for name in ("id", "type"):
        if name in actor:
            found.append((f"/actor/{name}", lambda name=name: intent["actor"][name] in _list(actor[name])))
    if "action" in match:
        found.append(("/action", lambda: any(_action(one, intent["action"]) for one in _list(match["action"]))))
    if "executor" in match:
        found.append(("/executor", lambda: executor is not None and executor["name"] in _list(match["executor"])))
    if "target" in match:
        target = intent.get("target")
        found.append(("/target", lambda: _any([_target(one, target) for one in _list(match["target"])])))
    for path, wanted in match.get("parameters", {}).items():
        name = "/parameters/" + path.replace("~", "~0").replace("/", "~1")
        judged = lambda path=path, wanted=wanted: _parameter(wanted, *pointer(intent["parameters"], path))  # noqa: E731
        found.append((name, judged))
    if "attestation" in match:
        asked = _list(match["attestation"])
        found.append(("/attestation", lambda: _any([_attestation(one, intent, attestations) for one in asked])))
    return found


def _matches(
    match: dict[str, Any], intent: dict[str, Any], attestations: list[dict[str, Any]], strict: bool
) -> tuple[Answer, str]:
    """Whether a rule matches, and which members are unclear. `strict`: of a deny rule, where unclear is no no."""
    answers: list[tuple[str, Answer]] = []
    cannot: Unable | None = None
    for name, member in _members(match, intent, attestations):
        try:
            answers.append((name, member()))
        except Unable as unable:
            cannot = unable
    unclear = ", ".join(name for name, answer in answers if answer is None)
    if False in [answer for _, answer in answers] or (unclear and not strict):
        return False, ""
    if cannot is not None:
        raise cannot
    return (None, unclear[:1000]) if unclear else (True, "")


def evaluate(policy: dict[str, Any], intent: dict[str, Any], attestations: list[dict[str, Any]]) -> dict[str, Any]:
    """Verdict, ruleIds, rationale and obligations that the policy gives for an intent and what came with it."""
    for rule in policy["rules"]:
        answer, unclear = _matches(rule["match"], intent, attestations, rule["verdict"] == "deny")
        if answer is None:
            return {
                "verdict": "deny",
                "ruleIds": [rule["id"]],
                "rationale": f"evaluation error: {unclear} could not be judged",
                "obligations": {},
            }
        if answer is True:
            return {
                "verdict": rule["verdict"],
                "ruleIds": [rule["id"]],
                "rationale": rule.get("rationale", f"rule {rule['id']} matched"),
                "obligations": rule.get("obligations", {}),
            }
    return {"verdict": "deny", "ruleIds": ["default"], "rationale": "no rule matched", "obligations": {}}
