"""Field tables with the types that their sender chose, which pamqp's decoder forgets.

RabbitMQ compares arguments by type and names the types in its errors; dead-lettered messages keep
every header as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Field", "Table", "decode", "encode"]

TYPE_NAMES = {
    "t": "bool",
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "f": "float",
    "d": "double",
    "D": "decimal",
    "S": "longstr",
    "A": "array",
    "T": "timestamp",
    "F": "table",
    "V": "void",
    "x": "binary",
}
"""How RabbitMQ names the type of a value."""

_NUMBERS = {
    "b": struct.Struct(">b"),
    "B": struct.Struct(">B"),
    "s": struct.Struct(">h"),
    "u": struct.Struct(">H"),
    "I": struct.Struct(">i"),
    "i": struct.Struct(">I"),
    "l": struct.Struct(">q"),
    "L": struct.Struct(">q"),
    "f": struct.Struct(">f"),
    "d": struct.Struct(">d"),
    "T": struct.Struct(">Q"),
}
_LONG = struct.Struct(">I")
_DECIMAL = struct.Struct(">BI")
_INTEGERS = frozenset("bBsuIilL")
_DEEPEST = 100


class Field(NamedTuple):
    """A value and its type's letter on the wire.

    `value` is a bool, int, float, bytes (S, x), a list of Field (A), a Table (F), a pair of scale
    and number (D) or None (V).
    """

    kind: str
    value: Any

    @property
    def number(self) -> int | None:
        """The value, when its type is one of the integers'."""
        return self.value if self.kind in _INTEGERS else None

    @property
    def text(self) -> str | None:
        """The value, when it is a string."""
        return self.value.decode("utf-8", "surrogateescape") if self.kind == "S" else None

    @property
    def type_name(self) -> str:
        """What RabbitMQ calls its type."""
        return TYPE_NAMES[self.kind]

    @property
    def shown(self) -> str:
        """The value as Erlang prints it."""
        if self.kind == "S":
            return f'<<"{self.text}">>'
        if self.kind == "t":
            return "true" if self.value else "false"
        return str(self.value)

    def equals(self, other: Field) -> bool:
        """Whether value and class of type are the same: an integer's width does not matter."""
        return _class(self.kind) == _class(other.kind) and bool(self.value == other.value)


def _class(kind: str) -> str:
    if kind in _INTEGERS:
        return "integer"
    return "float" if kind in "fd" else kind


Table = Mapping[str, Field]


def decode(data: bytes, offset: int = 0) -> tuple[dict[str, Field], int]:
    """The table at `offset`, and where it ends; raises ValueError."""
    try:
        return _table(data, offset, 0)
    except (struct.error, IndexError):
        raise ValueError("a field table that is cut short") from None


def encode(table: Table) -> bytes:
    """The bytes of a table, its length first."""
    return _sized(
        b"".join(_short(name) + _value(field.kind, field.value) for name, field in table.items())
    )


def _table(data: bytes, offset: int, depth: int) -> tuple[dict[str, Field], int]:
    start, end = _span(data, offset)
    table: dict[str, Field] = {}
    while start < end:
        size = data[start]
        name = data[start + 1 : start + 1 + size].decode("utf-8", "surrogateescape")
        table[name], start = _field(data, start + 1 + size, depth)
    if start != end:
        raise ValueError("a field table whose length is wrong")
    return table, end


def _field(data: bytes, offset: int, depth: int) -> tuple[Field, int]:
    if depth > _DEEPEST:
        raise ValueError("a field table nested too deep")
    kind = chr(data[offset])
    offset += 1
    if number := _NUMBERS.get(kind):
        return Field(kind, number.unpack_from(data, offset)[0]), offset + number.size
    if kind in "Sx":
        start, end = _span(data, offset)
        return Field(kind, data[start:end]), end
    if kind == "t":
        return Field(kind, data[offset] != 0), offset + 1
    if kind == "F":
        table, end = _table(data, offset, depth + 1)
        return Field(kind, table), end
    if kind == "A":
        start, end = _span(data, offset)
        items: list[Field] = []
        while start < end:
            item, start = _field(data, start, depth + 1)
            items.append(item)
        return Field(kind, items), end
    if kind == "D":
        return Field(kind, _DECIMAL.unpack_from(data, offset)), offset + 5
    if kind == "V":
        return Field(kind, None), offset
    raise ValueError(f"a field table with the unknown type {kind!r}")


def _span(data: bytes, offset: int) -> tuple[int, int]:
    start = offset + 4
    end = start + _LONG.unpack_from(data, offset)[0]
    if end > len(data):
        raise ValueError("a field table that is cut short")
    return start, end


def _value(kind: str, value: Any) -> bytes:
    letter = kind.encode()
    if number := _NUMBERS.get(kind):
        return letter + bytes(number.pack(value))
    if kind in "Sx":
        return letter + _sized(value)
    if kind == "t":
        return letter + (b"\x01" if value else b"\x00")
    if kind == "F":
        return letter + encode(value)
    if kind == "A":
        return letter + _sized(b"".join(_value(*item) for item in value))
    if kind == "D":
        return letter + _DECIMAL.pack(*value)
    return letter


def _sized(data: bytes) -> bytes:
    return _LONG.pack(len(data)) + data


def _short(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return bytes((len(data),)) + data
