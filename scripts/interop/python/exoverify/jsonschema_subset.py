"""inputSchema and outputSchema of a manifest (spec/contracts.md, ExecutorManifest)."""

import decimal
from typing import Any

from .canonical import canonical, number_text, same
from .schema import TYPES


def _multiple(value: Any, step: Any) -> bool:
    """In exact decimal arithmetic on the shortest form of both numbers."""
    with decimal.localcontext() as context:
        context.prec = 1400
        return decimal.Decimal(number_text(value)) % decimal.Decimal(number_text(step)) == 0


def _scalar(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    if not TYPES["number"](value):
        return True
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and ("multipleOf" not in schema or _multiple(value, schema["multipleOf"]))
    )


def _array(value: list[Any], schema: dict[str, Any], root: Any) -> bool:
    first = schema.get("prefixItems", [])
    rest = schema.get("items", True)
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    if schema.get("uniqueItems") and len({canonical(item) for item in value}) != len(value):
        return False
    return all(holds(item, first[i] if i < len(first) else rest, root) for i, item in enumerate(value))


def _object(value: dict[str, Any], schema: dict[str, Any], root: Any) -> bool:
    known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(name in value for name in schema.get("required", [])) and all(
        holds(item, known.get(name, other), root) for name, item in value.items()
    )


def holds(value: Any, schema: Any, root: Any = None) -> bool:
    """Whether a document is as the schema says. The bound on the work is not counted here."""
    if isinstance(schema, bool):
        return schema
    root = schema if root is None else root
    if "$ref" in schema and not holds(value, root["$defs"][schema["$ref"].split("/")[-1]], root):
        return False
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    parts = {
        "type": not kinds or any(TYPES[kind](value) for kind in kinds),
        "const": "const" not in schema or same(value, schema["const"]),
        "enum": "enum" not in schema or any(same(value, one) for one in schema["enum"]),
        "allOf": all(holds(value, one, root) for one in schema.get("allOf", [])),
        "anyOf": "anyOf" not in schema or any(holds(value, one, root) for one in schema["anyOf"]),
        "oneOf": "oneOf" not in schema or sum(holds(value, one, root) for one in schema["oneOf"]) == 1,
        "not": "not" not in schema or not holds(value, schema["not"], root),
    }
    if not all(parts.values()):
        return False
    if isinstance(value, dict):
        return _object(value, schema, root)
    return _array(value, schema, root) if isinstance(value, list) else _scalar(value, schema)
