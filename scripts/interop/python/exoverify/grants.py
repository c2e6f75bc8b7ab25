"""Check `grants` (spec/verification.md, Checks; spec/policy.md, Narrowing; spec/contracts.md, Constraints)."""

from typing import Any, Callable

from .canonical import same
from .evidence import Evidence
from .execution import grants_of, start_of
from .outcome import Fail, need
from .targets import host_covers, is_alias_path, is_under, path_covers, read_url
from .trust import Trust

SAFE = {"GET", "HEAD", "OPTIONS"}
# spec/capabilities.md, Calls: the effect that a capability needs.
READS = {"fs_read", "fs_list", "fs_stat", "kv_get", "kv_list"}
WRITES = {"fs_write", "fs_append", "fs_remove", "fs_mkdir", "fs_rename", "kv_put", "kv_delete"}
NUMBERS = ("maxBytes", "maxEntries", "maxTotalBytes", "maxRedirects", "timeoutMs")
SETS = ("roots", "responseHeaders", "secrets")


def _place_in(place: dict[str, Any], wider: dict[str, Any]) -> bool:
    return (
        place["scheme"] == wider["scheme"]
        and place["port"] == wider["port"]
        and (place["host"] == wider["host"] or host_covers(wider["host"], place["host"]))
        and set(place["methods"]) <= set(wider["methods"])
        and path_covers(wider["pathPrefix"], place["pathPrefix"])
        and set(place.get("networks", [])) <= set(wider.get("networks", []))
    )


def _path_in(path: str, wider: str) -> bool:
    return is_alias_path(wider) and is_under(path, wider)


LISTS: dict[str, Callable[[Any, Any], bool]] = {
    "paths": _path_in,
    "prefixes": lambda one, wider: one.startswith(wider),
    "allow": _place_in,
}


def inside(narrow: dict[str, Any], wide: dict[str, Any]) -> bool:
    """Whether constraints are nowhere wider; an absent member of the wide ones does not constrain."""
    for name in NUMBERS:
        if name in wide and not narrow.get(name, wide[name] + 1) <= wide[name]:
            return False
    for name in SETS:
        if name in wide and not set(narrow.get(name, ["*"])) <= set(wide[name]):
            return False
    for name, reaches in LISTS.items():
        if name in wide and name not in narrow:
            return False
        if name in wide and not all(any(reaches(one, other) for other in wide[name]) for one in narrow[name]):
            return False
    return True


def _at_url(place: dict[str, Any], text: str) -> bool:
    url = read_url(text)
    return url is not None and (
        place["scheme"] == url.scheme
        and place["port"] == url.port
        and place["host"] == url.host
        and path_covers(url.path, place["pathPrefix"])
    )


def obliged(constraints: dict[str, Any], narrow: dict[str, Any], target: str | None) -> bool:
    """Whether constraints lie inside an obligation, in which {target} is the intent's target."""

    def filled(name: str) -> list[str]:
        found = [target if one == "{target}" else one for one in narrow[name]]
        return [one for one in found if one is not None]

    plain = {name: value for name, value in narrow.items() if name not in ("methods", "pathPrefix", "urls")}
    if "paths" in narrow:
        plain["paths"] = filled("paths")
    if not inside(constraints, plain):
        return False
    places = constraints.get("allow", [])
    return (
        ("methods" not in narrow or all(set(one["methods"]) <= set(narrow["methods"]) for one in places))
        and ("pathPrefix" not in narrow or all(path_covers(narrow["pathPrefix"], p["pathPrefix"]) for p in places))
        and ("urls" not in narrow or all(any(_at_url(one, url) for url in filled("urls")) for one in places))
    )


def _effects(entry: dict[str, Any], effects: str) -> None:
    name = entry["name"]
    writes = name in WRITES or any(
        set(place["methods"]) - SAFE for place in entry.get("constraints", {}).get("allow", [])
    )
    reads = name in READS or name == "http_request"
    need(not writes or effects == "write", f"{name} writes, the function's effects are {effects}")
    need(not reads or effects != "none", f"{name} reads, the function has no effects")


def check_grants(evidence: Evidence, _: Trust) -> None:
    """Check `grants`: nothing wider than manifest, declared effects or obligation."""
    _event, started = start_of(evidence)
    grants, manifest, function = grants_of(evidence, started), evidence.manifest, evidence.function
    if manifest is None or function is None:
        raise Fail("a start without a manifest", "EXO_MATERIAL_SET")
    obligations = evidence.all("policy_evaluated")[-1][1]["decision"]["obligations"]
    names = [entry["name"] for entry in grants["capabilities"]]
    need(same(names, sorted(set(names))), "capabilities out of order, or one twice")
    for limit, value in grants["limits"].items():
        need(value <= manifest["limits"][limit], f"a wider {limit} than the manifest's")
    for entry in grants["capabilities"]:
        constraints = entry.get("constraints", {})
        asked = [one.get("constraints", {}) for one in manifest["capabilities"] if one["name"] == entry["name"]]
        need(bool(asked), f"{entry['name']}, which the manifest does not ask for")
        need(all(inside(constraints, one) for one in asked), f"{entry['name']} is wider than the manifest asks for")
        _effects(entry, function["effects"])
        narrow = obligations.get("narrow", {}).get(entry["name"], {})
        need(obliged(constraints, narrow, evidence.intent.get("target")), f"{entry['name']} is wider than obliged")
