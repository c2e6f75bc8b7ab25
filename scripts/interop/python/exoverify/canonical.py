"""Canonical bytes, revision 1 (spec/canonical-bytes.md)."""

import hashlib
import json
import math
import re
from typing import Any

from .outcome import Fail

MAX_SAFE = 2**53 - 1
MAX_DEPTH = 128
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
ESCAPED = re.compile('["\\\\\x00-\x1f]')
SURROGATE = re.compile("[\ud800-\udfff]")


def number_text(value: int | float) -> str:
    """A number as ECMAScript's Number::toString writes it (Encoding)."""
    if isinstance(value, int):
        if abs(value) > MAX_SAFE:
            raise Fail("an integer beyond 2^53-1", "EXO_JSON_NUMBER")
        return str(value)
    if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
        raise Fail("a number that has no canonical form", "EXO_JSON_NUMBER")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    # `point` is where the decimal point stands, counted from the first significant digit.
    point = len(whole) - (len(whole + part) - len(digits)) + (int(exponent) if exponent else 0)
    digits = digits.rstrip("0")
    size = len(digits)
    if size <= point <= 21:
        if abs(value) > MAX_SAFE:
            raise Fail("an integer beyond 2^53-1 without an exponent", "EXO_JSON_NUMBER")
        return sign + digits + "0" * (point - size)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if size > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"


def string_text(value: str) -> str:
    """A string with the escapes of the page and no others (Encoding)."""
    if SURROGATE.search(value):
        raise Fail("a lone surrogate", "EXO_JSON_SURROGATE")
    return '"' + ESCAPED.sub(lambda c: ESCAPES.get(c[0], f"\\u{ord(c[0]):04x}"), value) + '"'


def key_order(key: str) -> bytes:
    """Members are sorted by the UTF-16 code units of their keys (Encoding)."""
    return key.encode("utf-16-be", "surrogatepass")


def text(value: Any, depth: int = 0) -> str:
    """The canonical text of a value."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return string_text(value)
    if depth >= MAX_DEPTH:
        raise Fail("more than 128 levels", "EXO_JSON_DEPTH")
    if isinstance(value, list):
        return "[" + ",".join(text(item, depth + 1) for item in value) + "]"
    if "__proto__" in value:
        raise Fail("the key __proto__", "EXO_JSON_FORBIDDEN_KEY")
    members = (f"{string_text(k)}:{text(value[k], depth + 1)}" for k in sorted(value, key=key_order))
    return "{" + ",".join(members) + "}"


def canonical(value: Any) -> bytes:
    """The canonical bytes of a value."""
    return text(value).encode("utf-8")


def same(left: Any, right: Any) -> bool:
    """Equality of values, type and all: Python would take true for 1."""
    return canonical(left) == canonical(right)


def digest(data: bytes) -> str:
    """A digest as text (Digests, ids and times)."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """The digest of a document."""
    return digest(canonical(value))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Fail(f"the key {key!r} twice in one object", "EXO_JSON_NOT_CANONICAL")
        result[key] = value
    return result


def _no_constant(word: str) -> Any:
    raise Fail(f"{word} is not JSON", "EXO_JSON_SYNTAX")


def _integer(literal: str) -> int | float:
    # RFC 8785 numbers are doubles: an integer too long for Python's own parser is one as well.
    return int(literal) if len(literal) < 20 and literal != "-0" else float(literal)


def _float(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise Fail("a number beyond the doubles", "EXO_JSON_NUMBER")
    return value


def read(data: bytes) -> Any:
    """The value of canonical bytes; anything else is refused (Reader of canonical bytes)."""
    try:
        decoded = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Fail("not well-formed UTF-8", "EXO_JSON_UTF8") from error
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise Fail("nested too deep", "EXO_JSON_DEPTH") from error
    except ValueError as error:
        raise Fail(f"not JSON: {error}", "EXO_JSON_SYNTAX") from error
    if canonical(value) != data:
        raise Fail("JSON, but not canonical", "EXO_JSON_NOT_CANONICAL")
    return value


def read_untrusted(data: bytes) -> Any:
    """JSON that need not be canonical but has a canonical form (Reader of untrusted input)."""
    try:
        value = json.loads(
            data.decode("utf-8", "strict"),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Fail(f"not JSON: {error}", "EXO_JSON_SYNTAX") from error
    canonical(value)
    return value


def read_lenient(data: bytes) -> Any:
    """A trust file: JSON that need not be canonical (Reader of untrusted input)."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Fail(f"not JSON: {error}", "EXO_JSON_SYNTAX") from error
