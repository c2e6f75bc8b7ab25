"""All checks over one file (spec/verification.md, States and result; spec/conformance.md, Contract)."""

from typing import Any, Callable

from . import answers, approvals, attestations, calls, execution, governance, grants, publisher, structure, trust
from .evidence import Evidence
from .outcome import Fail, NotApplicable, Unable
from .trust import Trust

Check = Callable[[Any, Trust], Any]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("signature", trust.check_signature),
    ("revisions", structure.check_revisions),
    ("materials", structure.check_materials),
    ("intent", structure.check_intent),
    ("events", structure.check_events),
    ("payloads", structure.check_payloads),
    ("policy-author", governance.check_author),
    ("policy", governance.check_policy),
    ("attestations", attestations.check_attestations),
    ("safety", governance.check_safety),
    ("verdict", governance.check_verdict),
    ("target", structure.check_target),
    ("grants", grants.check_grants),
    ("approvals", approvals.check_approvals),
    ("plugin", publisher.check_plugin),
    ("publisher", publisher.check_publisher),
    ("execution", execution.check_execution),
    ("transcript", execution.check_transcript),
    ("answers", answers.check_answers),
    ("resolution", execution.check_resolution),
    ("inclusion", trust.check_inclusion),
    ("checkpoint", trust.check_checkpoint),
    ("witnesses", trust.check_witnesses),
    ("log", trust.check_log),
)
NOT_MADE = (
    "plugin: admission of the module (EXO_WASM_*) and its metering",
    "replay: that the plugin gives this output",
)


def _state(check: Check, evidence: Any, trusted: Trust) -> tuple[str, str, str]:
    """State, code and message of one check."""
    try:
        check(evidence, trusted)
    except NotApplicable:
        return "not_applicable", "", ""
    except Unable as unable:
        return "unable", unable.code, str(unable)
    except Fail as fail:
        return "fail", fail.code, str(fail)
    return "pass", "", ""


def verify(data: bytes, trusted: Trust) -> dict[str, Any]:
    """The verdict on a file: `verdict`, `codes`, and `checks` with what each found."""
    found: list[tuple[str, str, str, str]] = []
    kind, checks = (calls.Disclosure, calls.CHECKS) if data.endswith(calls.ENDING) else (Evidence, CHECKS)
    try:
        evidence = kind(data)
        found.append(("format", "pass", "", ""))
    except Unable as unable:
        found.append(("format", "unable", unable.code, str(unable)))
    except Fail as fail:
        found.append(("format", "fail", fail.code, str(fail)))
    if found[0][1] == "pass":
        found += [(name, *_state(check, evidence, trusted)) for name, check in checks]
    states = {state for _, state, _, _ in found}
    verdict = "reject" if "fail" in states else "indeterminate" if "unable" in states else "accept"
    return {
        "verdict": verdict,
        "codes": sorted({code for _, _, code, _ in found if code != ""}),
        "checks": [
            {"id": name, "state": state, **({"code": code, "message": text} if code else {})}
            for name, state, code, text in found
        ],
    }
