"""ECDSA on P-256 with SHA-256, keys compressed and signatures in strict DER (spec/keys.md, Passkeys)."""

import functools
import hashlib

from .outcome import Fail

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
LENGTH = 33
# Jacobian coordinates; Z = 0 is the identity.
Point = tuple[int, int, int]
IDENTITY: Point = (1, 1, 0)
BASE: Point = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)


def _double(p: Point) -> Point:
    x, y, z = p
    if z == 0 or y == 0:
        return IDENTITY
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = ((y + z) * (y + z) - gamma - delta) % P
    return (x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, z3)


def _add(p: Point, q: Point) -> Point:
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    pp, qq = p[2] * p[2] % P, q[2] * q[2] % P
    u, v = p[0] * qq % P, q[0] * pp % P
    s, t = p[1] * q[2] * qq % P, q[1] * p[2] * pp % P
    if u == v:
        return _double(p) if s == t else IDENTITY
    h, r = (v - u) % P, (t - s) % P
    hh = h * h % P
    hhh, uhh = h * hh % P, u * hh % P
    x3 = (r * r - hhh - 2 * uhh) % P
    return (x3, (r * (uhh - x3) - s * hhh) % P, h * p[2] * q[2] % P)


def _times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result


@functools.cache
def admit(key: bytes) -> Point:
    """The point of a public key, if it may be used at all."""
    if len(key) != LENGTH:
        raise Fail(f"a P-256 key of {len(key)} bytes", "EXO_KEY")
    x = int.from_bytes(key[1:], "big")
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    if key[0] not in (2, 3) or x >= P or y * y % P != square:
        raise Fail("a key that is no compressed point of P-256", "EXO_KEY_REFUSED")
    return (x, y if y & 1 == key[0] & 1 else P - y, 1)


def _integer(der: bytes) -> tuple[int, bytes]:
    """The first INTEGER, from 1 to n-1 in its shortest form, and what follows it."""
    if len(der) < 3 or der[0] != 2 or not 1 <= der[1] <= 33 or len(der) < 2 + der[1]:
        raise Fail("no integer of a signature", "EXO_SIGNATURE")
    data, rest = der[2 : 2 + der[1]], der[2 + der[1] :]
    value = int.from_bytes(data, "big")
    shortest = data[0] < 0x80 and (data[0] != 0 or len(data) == 1 or data[1] > 0x7F)
    if not shortest or not 0 < value < N:
        raise Fail("an integer that no signature has", "EXO_SIGNATURE")
    return value, rest


@functools.cache
def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature in DER holds; a high s is as good as a low one."""
    if len(signature) < 2 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return False
    try:
        point = admit(key)
        r, rest = _integer(signature[2:])
        s, rest = _integer(rest)
    except Fail:
        return False
    if rest:
        return False
    inverse = pow(s, -1, N)
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    x, _, scale = _add(_times(z * inverse % N, BASE), _times(r * inverse % N, point))
    return scale != 0 and x * pow(scale, -2, P) % P % N == r


def key_id(key: bytes) -> str:
    """The key id (spec/keys.md, Encodings)."""
    return hashlib.sha256(b"p256\x00" + key).hexdigest()[:32]
