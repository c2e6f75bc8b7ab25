"""The generated JSON Schemas under spec/schemas, as far as they use the language (spec/contracts.md)."""

import functools
import json
import pathlib
import re
from typing import Any

from .canonical import same
from .outcome import Fail

FOLDER = pathlib.Path(__file__).resolve().parents[4] / "spec" / "schemas"
TYPES: dict[str, Any] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: (isinstance(v, int) and not isinstance(v, bool)) or (isinstance(v, float) and v.is_integer()),
}
NOTES = {"$schema", "$id", "title", "description", "default", "$comment", "$defs"}


@functools.cache
def load(name: str) -> dict[str, Any]:
    """The schema of a document, by the name before `.v1.json`."""
    return json.loads((FOLDER / f"exoarmur.{name}.v1.json").read_text("utf-8"))


@functools.cache
def _pattern(source: str) -> re.Pattern[str]:
    # ECMAScript: `\d` is ASCII, and `$` is the very end. No pattern has a dollar that is not an anchor.
    return re.compile(source.replace("$", r"\Z"), re.ASCII)


def _ref(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    target: Any = root
    for part in schema["$ref"].lstrip("#/").split("/"):
        if part:
            target = target[part.replace("~1", "/").replace("~0", "~")]
    return target


def _object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    for name in schema.get("required", []):
        if name not in value:
            raise Fail(f"{at}/{name} is missing", "EXO_SCHEMA")
    known = schema.get("properties", {})
    for name, item in value.items():
        if "propertyNames" in schema:
            check(name, schema["propertyNames"], root, f"{at}/{name}")
        if name in known:
            check(item, known[name], root, f"{at}/{name}")
        elif schema.get("additionalProperties", True) is False:
            raise Fail(f"{at}/{name} is not known", "EXO_SCHEMA")
        elif isinstance(schema.get("additionalProperties"), dict):
            check(item, schema["additionalProperties"], root, f"{at}/{name}")


def _array(value: list[Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        raise Fail(f"{at} has {len(value)} items", "EXO_SCHEMA")
    first = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        if index < len(first):
            check(item, first[index], root, f"{at}/{index}")
        elif "items" in schema:
            check(item, schema["items"], root, f"{at}/{index}")


def _scalar(value: Any, schema: dict[str, Any], at: str) -> None:
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            raise Fail(f"{at} has {len(value)} characters", "EXO_SCHEMA")
        if "pattern" in schema and not _pattern(schema["pattern"]).search(value):
            raise Fail(f"{at} does not match {schema['pattern']}", "EXO_SCHEMA")
    elif TYPES["number"](value):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            raise Fail(f"{at} is out of bounds", "EXO_SCHEMA")


def check(value: Any, schema: Any, root: dict[str, Any], at: str = "") -> None:
    """Refuses a value that is not of the schema, with the JSON pointer of the place."""
    if schema is True or schema == {}:
        return
    if schema is False:
        raise Fail(f"{at} may not be there", "EXO_SCHEMA")
    if "$ref" in schema:
        check(value, _ref(schema, root), root, at)
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(TYPES[kind](value) for kind in kinds):
            raise Fail(f"{at} is not {' or '.join(kinds)}", "EXO_SCHEMA")
    if "const" in schema and not same(value, schema["const"]):
        raise Fail(f"{at} is not {schema['const']!r}", "EXO_SCHEMA")
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        raise Fail(f"{at} is none of {schema['enum']}", "EXO_SCHEMA")
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            _alternatives(value, schema[word], word, root, at)
    if isinstance(value, dict):
        _object(value, schema, root, at)
    elif isinstance(value, list):
        _array(value, schema, root, at)
    else:
        _scalar(value, schema, at)


def _alternatives(value: Any, options: list[Any], word: str, root: dict[str, Any], at: str) -> None:
    good = 0
    for option in options:
        try:
            check(value, option, root, at)
            good += 1
        except Fail:
            pass
    if not {"anyOf": good > 0, "oneOf": good == 1, "allOf": good == len(options)}[word]:
        raise Fail(f"{at} is none of its alternatives", "EXO_SCHEMA")


def conform(value: Any, name: str) -> Any:
    """The value, if it is a document of this name."""
    check(value, load(name), load(name), "")
    return value
