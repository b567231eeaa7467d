"""Addresses and ports as sensors and JSON documents write them (wire: Identities)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

__all__ = [
    "ipv4_from_signed",
    "ipv4_from_wire",
    "ipv4_to_signed",
    "ipv4_to_wire",
    "ipv6_from_wire",
    "ipv6_to_wire",
    "swap_port",
]


def ipv4_to_wire(address: str) -> int:
    """A uint32 whose little-endian bytes are the address in order, as protobuf events hold it."""
    return int.from_bytes(IPv4Address(address).packed, "little")


def ipv4_from_wire(number: int) -> str:
    """The inverse of `ipv4_to_wire`.

    >>> ipv4_from_wire(1974188)
    '172.31.30.0'
    """
    return str(IPv4Address(number.to_bytes(4, "little")))


def ipv4_to_signed(address: str) -> int:
    """A signed int32, big-endian, as `interface_ip` and `comms_ip` hold it in documents."""
    return int.from_bytes(IPv4Address(address).packed, "big", signed=True)


def ipv4_from_signed(number: int) -> str:
    """The inverse of `ipv4_to_signed`."""
    return str(IPv4Address(number.to_bytes(4, "big", signed=True)))


def ipv6_to_wire(address: str) -> tuple[int, int]:
    """The low and the high half (the address's first eight bytes), each little-endian."""
    packed = IPv6Address(address).packed
    return int.from_bytes(packed[8:], "little"), int.from_bytes(packed[:8], "little")


def ipv6_from_wire(low: int, high: int) -> str:
    """The inverse of `ipv6_to_wire`."""
    return str(IPv6Address(high.to_bytes(8, "little") + low.to_bytes(8, "little")))


def swap_port(port: int) -> int:
    """A port to or from network byte order: 443 is sent as 47873."""
    return (port & 0xFF) << 8 | port >> 8
