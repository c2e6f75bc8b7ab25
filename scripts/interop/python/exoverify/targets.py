"""Root-alias paths and URLs in normal form (spec/policy.md, Paths and URLs)."""

import re
from typing import NamedTuple

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
PLAIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def is_alias_path(text: str) -> bool:
    """Whether the text is a root-alias path."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False
    if not 0 < size <= 4096 or "\\" in text or CONTROL.search(text) or re.match("[A-Za-z]:", text):
        return False
    return all(part not in ("", ".", "..") for part in text.split("/"))


def is_under(path: str, base: str) -> bool:
    """Segment by segment; both are root-alias paths."""
    return path == base or path.startswith(base + "/")


class Url(NamedTuple):
    """A URL in normal form. `port` is the scheme's own when none is written, null when it has none."""

    scheme: str
    host: str
    port: int | None
    path: str


def _host(text: str) -> bool:
    if not 0 < len(text) <= 253 or not re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", text):
        return False
    labels = text.split(".")
    if any(len(label) > 63 for label in labels):
        return False
    if re.fullmatch(r"[0-9]+|0x.*", labels[-1]):
        plain = re.fullmatch(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})", text)
        return plain is not None and all(int(label) <= 255 for label in labels)
    return True


def _percent(text: str, path: bool) -> bool:
    for found in re.finditer("%(.{0,2})", text, re.DOTALL):
        if not re.fullmatch("[0-9A-F]{2}", found[1]):
            return False
        code = int(found[1], 16)
        if chr(code) in UNRESERVED or code < 0x20 or code == 0x7F or (path and chr(code) in "/\\"):
            return False
    return True


def read_url(text: str) -> Url | None:
    """The parts of a URL in normal form, else null."""
    found = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(/[^?#]*)(\?[^#]*)?", text)
    if found is None:
        return None
    scheme, authority, path, query = found[1], found[2], found[3], found[4] or ""
    if not PLAIN.fullmatch(path) or not QUERY.fullmatch(query[1:]):
        return None
    host, colon, written = authority.partition(":")
    port = PORTS.get(scheme)
    if colon:
        if not re.fullmatch("[1-9][0-9]{0,4}", written) or int(written) > 65535 or int(written) == port:
            return None
        port = int(written)
    parts = path.split("/")[1:]
    if any(part == "" for part in parts[:-1]) or any(part.split(";")[0] in (".", "..") for part in parts):
        return None
    if not _host(host) or not _percent(path, True) or not _percent(query, False):
        return None
    return Url(scheme, host, port, path)


def path_covers(prefix: str, path: str) -> bool:
    """A prefix at a segment boundary: `/v1` covers `/v1/x`, `/v1/` does not cover `/v1`."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")


def host_covers(pattern: str, host: str) -> bool:
    """`*.example.com` covers one label before `.example.com`; any other pattern is the host itself."""
    label, _, rest = host.partition(".")
    return (label != "" and rest == pattern[2:]) if pattern.startswith("*.") else host == pattern
