"""Ed25519 with the strict rules of spec/keys.md (Admission of a public key, Verification)."""

import functools
import hashlib

from .outcome import Fail

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
# Extended coordinates (X, Y, Z, T), T = XY/Z (RFC 8032, 5.1.4).
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def _add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


@functools.lru_cache(256)
def _doublings(point: Point) -> list[Point]:
    """The point times every power of two below 2^256: few keys make many signatures."""
    found = [point]
    while len(found) < 256:
        found.append(_add(found[-1], found[-1]))
    return found


def _times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    for bit, part in enumerate(_doublings(point)):
        if scalar >> bit & 1:
            result = _add(result, part)
    return result


def _is_identity(point: Point) -> bool:
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def _encode(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | ((x & 1) << 255)).to_bytes(32, "little")


def _decode(data: bytes) -> Point:
    """The point of a canonical encoding (Admission, 1 and 2)."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        raise Fail("a key that is not canonically encoded", "EXO_KEY_REFUSED")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT % P
    if (x * x - square) % P != 0 or (x == 0 and sign == 1):
        raise Fail("a key that is no point of the curve", "EXO_KEY_REFUSED")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


@functools.cache
def admit(key: bytes) -> Point:
    """The point of a public key, if it may be used at all."""
    if len(key) != 32:
        raise Fail(f"a key of {len(key)} bytes", "EXO_KEY")
    point = _decode(key)
    if _is_identity(_times(8, point)):
        raise Fail("a key of small order", "EXO_KEY_REFUSED")
    if not _is_identity(_times(L, point)):
        raise Fail("a key with a torsion component", "EXO_KEY_REFUSED")
    return point


@functools.cache
def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether encode([S]B - [k]A) is R, byte for byte, with S below L."""
    if len(signature) != 64 or len(key) != 32:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= L:
        return False
    try:
        x, y, z, t = _decode(key)
    except Fail:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = (P - x, y, z, P - t)
    return _encode(_add(_times(scalar, BASE), _times(k, minus))) == signature[:32]


def key_id(key: bytes) -> str:
    """The key id (Encodings)."""
    return hashlib.sha256(b"ed25519\x00" + key).hexdigest()[:32]
