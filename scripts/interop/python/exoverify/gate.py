"""The safety gate, revision 1 (spec/safety.md, Steps, Action classes, Sources)."""

from typing import Any, Callable

from .canonical import number_text

CLASSES = ("A0_observe", "A1_soft_containment", "A2_hard_containment", "A3_irreversible")
SIGNALS = (("trust-score", "trustScore"), ("cell-load", "cellLoad"), ("network-health", "networkHealth"))
BUDGETS = ("runs", "fuel")


def action_class(intent: dict[str, Any], function: dict[str, Any] | None) -> str:
    """The higher of what the intent says and what the declared effects make of it (Action classes)."""
    said = intent.get("context", {}).get("actionClass")
    word = 0 if said is None else CLASSES.index(said) if said in CLASSES else 3
    effects = 2 if function is not None and function["effects"] == "write" else 0
    return CLASSES[max(word, effects)]


# What fired: the rule, and the text it gives to the rationale (spec/safety.md, Rationale).
Findings = list[tuple[str, str]]


def _rows(snapshot: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [row for row in snapshot["budgets"] if row["name"] == name]


def _policy(snapshot: dict[str, Any], _: dict[str, Any]) -> Findings:
    return [] if snapshot["policyVerified"] else [("policy-unverified", "the policy is not the activated one")]


def _switches(snapshot: dict[str, Any], _: dict[str, Any]) -> Findings:
    kill, fired = snapshot["killSwitch"], []
    if kill["global"] is True:
        fired.append(("kill-switch-global", "the global kill switch is on"))
    if kill["tenant"] is True:
        fired.append(("kill-switch-tenant", "the tenant's kill switch is on"))
    if None in (kill["global"], kill["tenant"]):
        fired.append(("kill-switch-unknown", "a kill switch has no state"))
    return fired


def _availability(snapshot: dict[str, Any], config: dict[str, Any]) -> Findings:
    """Step 3. What is no number from 0 to 1 is refused by the snapshot's schema already."""
    fired = [
        (f"{rule}-unavailable", f"the source of {rule} gave nothing")
        for rule, name in SIGNALS
        if config["sources"][name] != "off" and snapshot[name] is None
    ]
    for name in BUDGETS:
        rows, wanted = _rows(snapshot, name), config["budgets"].get(name)
        if wanted is None:
            continue
        if not rows:
            fired.append((f"budget-{name}-unavailable", f"the use of the {name} budget is not known"))
        elif len(rows) > 1 or any(rows[0][member] != wanted[member] for member in ("limit", "windowSeconds")):
            fired.append((f"budget-{name}-invalid", f"the use of the {name} budget contradicts its configuration"))
    if "operatorApproval" in config and "actionClass" not in snapshot:
        fired.append(("action-class-unavailable", "the class of the action is not known"))
    return fired


def _budgets(snapshot: dict[str, Any], config: dict[str, Any]) -> Findings:
    fired = []
    for name in BUDGETS:
        for row in _rows(snapshot, name) if name in config["budgets"] else []:
            used, reserved, asked, limit = (row[one] for one in ("used", "reserved", "asked", "limit"))
            if used + reserved + asked > limit:
                why = f"{name}: {used} used, {reserved} reserved and {asked} asked exceed {limit}"
                fired.append((f"budget-{name}", why))
    return fired


def _trust(snapshot: dict[str, Any], config: dict[str, Any]) -> Findings:
    score = snapshot["trustScore"]
    if config["sources"]["trustScore"] == "off" or score >= 0.5:
        return []
    return [("trust-score", f"trust score {number_text(score)} is below 0.5")]


def _load(snapshot: dict[str, Any], config: dict[str, Any]) -> Findings:
    load, health, fired = snapshot["cellLoad"], snapshot["networkHealth"], []
    if config["sources"]["cellLoad"] != "off" and load > 0.9:
        fired.append(("cell-load", f"cell load {number_text(load)} is above 0.9"))
    if config["sources"]["networkHealth"] != "off" and health < 0.7:
        fired.append(("network-health", f"network health {number_text(health)} is below 0.7"))
    return fired


def _class(snapshot: dict[str, Any], config: dict[str, Any]) -> Findings:
    found = snapshot.get("actionClass")
    if found not in config.get("operatorApproval", []):
        return []
    return [("operator-approval", f"{found} needs the approval of an operator")]


STEPS: tuple[tuple[Callable[[dict[str, Any], dict[str, Any]], Findings], str], ...] = (
    (_policy, "deny"),
    (_switches, "deny"),
    (_availability, "deny"),
    (_budgets, "deny"),
    (_trust, "require_human"),
    (_load, "require_quorum"),
    (_class, "require_human"),
    (lambda _snapshot, _config: [("safe", "no rule fired")], "allow"),
)


def judge(snapshot: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Verdict, ruleIds, rationale and rulesOff of the first step in which a rule fires."""
    off = [rule for rule, name in SIGNALS if config["sources"][name] == "off"]
    off += [f"budget-{name}" for name in BUDGETS if name not in config["budgets"]]
    for step, verdict in STEPS:
        fired = step(snapshot, config)
        if fired:
            rules, why = [rule for rule, _ in fired], "; ".join(text for _, text in fired)
            return {"verdict": verdict, "ruleIds": rules, "rationale": why, "rulesOff": off}
    raise AssertionError("the last step always fires")
