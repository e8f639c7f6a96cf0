"""Which addresses requests may go to.

Private, loopback, link-local, metadata and all other special ranges are refused, however they are
written, unless their exact address and port is allowed. The check happens where a socket is made
(`adapters.transport`), so that no name, redirect or rebinding gets past it; the checks here by host
name only give better messages, earlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from junctor.errors import Misconfigured

__all__ = ["Egress", "Refused"]

_NAT64 = ip_network("64:ff9b::/96")
_UNROUTED = (ip_network("::/96"), ip_network("64:ff9b:1::/48"), ip_network("2001::/32"))
"""IPv4-compatible, local NAT64 and Teredo: an IPv4 address may hide inside."""
_REMEMBERED = 10_000
"""Hosts whose spelling was found good."""
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


class Refused(OSError):
    """An address that may not be reached. An `OSError`, so that it passes through a connect."""


class Egress:
    """Decides about addresses. ``allow`` holds exact ones, as ``127.0.0.1:8801``, ``[::1]:80``."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = frozenset(_exact(entry) for entry in allow if entry.strip())
        self._passed: set[tuple[str, int]] = set()

    def check_host(self, host: str, port: int) -> None:
        """Refuses literal addresses that may not be reached and disguised numbers."""
        if (host, port) in self._passed:
            return
        bare = host.removeprefix("[").removesuffix("]").rstrip(".")
        if not bare:
            raise Refused("the address has no host name")
        try:
            ip_address(bare.partition("%")[0])
        except ValueError:
            if _NUMERIC.fullmatch(bare.rpartition(".")[2]):
                raise Refused(f"{host} is a number written in an unusual way") from None
        else:
            self.check_address(bare, port)
        if len(self._passed) < _REMEMBERED:
            self._passed.add((host, port))

    def check_address(self, address: str, port: int) -> None:
        """Refuses an address that may not be reached at this port."""
        literal = ip_address(address.partition("%")[0])
        if (literal, port) in self._allow:
            return
        if not _public(literal):
            raise Refused(
                f"{address} is not a public address; "
                f"JUNCTOR_EGRESS_ALLOW may list {_written(literal, port)}"
            )


def _public(address: IPv4Address | IPv6Address) -> bool:
    inner = address
    if isinstance(address, IPv6Address):
        if any(address in network for network in _UNROUTED):
            return False
        inner = address.ipv4_mapped or address.sixtofour or address
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def _exact(entry: str) -> tuple[IPv4Address | IPv6Address, int]:
    host, _, port = entry.strip().rpartition(":")
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")), int(port)
    except ValueError:
        raise Misconfigured(
            reason=f"JUNCTOR_EGRESS_ALLOW: {entry!r} is not an exact address and port; "
            "write it as 127.0.0.1:8801"
        ) from None


def _written(address: IPv4Address | IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
