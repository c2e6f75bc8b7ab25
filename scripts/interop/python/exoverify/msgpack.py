"""As much of the msgpack profile (spec/abi.md) as finding one text in a request's map takes."""

from .outcome import Fail


class Reader:
    """A cursor over the bytes of one document."""

    def __init__(self, data: bytes, numbers: bool = False):
        """`numbers`: whole numbers from 0 are read as well, else every number is null."""
        self.data, self.at, self.numbers = data, 0, numbers

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self.at + size > len(self.data):
            raise Fail("a document that is cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """A big-endian unsigned number."""
        return int.from_bytes(self.take(size), "big")

    def value(self) -> object:
        """The next value; numbers and extensions are passed over as null."""
        tag = self.number(1)
        if self.numbers and tag <= 0x7F:
            return tag
        if self.numbers and 0xCC <= tag <= 0xCF:
            return self.number(1 << (tag - 0xCC))
        if tag <= 0x7F or tag >= 0xE0 or tag in (0xC0, 0xC2, 0xC3):
            return None
        if tag <= 0x8F:
            return self.map(tag & 0x0F)
        if tag <= 0x9F:
            return [self.value() for _ in range(tag & 0x0F)]
        if tag <= 0xBF:
            return self.take(tag & 0x1F).decode("utf-8", "replace")
        if tag in (0xC4, 0xC5, 0xC6):
            return self.take(self.number(1 << (tag - 0xC4)))
        if tag in (0xCA, 0xCB, *range(0xCC, 0xD4)):
            return self.take({0xCA: 4, 0xCB: 8}.get(tag, 1 << ((tag - 0xCC) % 4))) and None
        if tag in (0xD9, 0xDA, 0xDB):
            return self.take(self.number(1 << (tag - 0xD9))).decode("utf-8", "replace")
        if tag in (0xDC, 0xDD):
            return [self.value() for _ in range(self.number(2 << (tag - 0xDC)))]
        if tag in (0xDE, 0xDF):
            return self.map(self.number(2 << (tag - 0xDE)))
        raise Fail("a document with an extension")

    def map(self, size: int) -> dict[object, object]:
        """The next members."""
        found: dict[object, object] = {}
        for _ in range(size):
            key = self.value()
            found[key if isinstance(key, str) else None] = self.value()
        return found


def first_text(data: bytes, name: str) -> str | None:
    """The text under a name in the map that the bytes are, else null."""
    value = Reader(data).value()
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
