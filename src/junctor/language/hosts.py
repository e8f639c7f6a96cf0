"""Which hosts a credential may be sent to, as typed: ``api.example.com, *.example.org``.

An entry is one host, or every host below a domain. It means HTTPS on port 443 unless it says
otherwise: ``api.example.com:8443``, or ``http://printer.example.com`` for a host without
encryption.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from junctor.errors import BundleInvalid, Misconfigured

__all__ = ["Host", "bound_to", "origin", "read_hosts"]

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_LITERAL = re.compile(r"[0-9a-f:.]+")
_PORTS = {"https": 443, "http": 80}


class Host(NamedTuple):
    """One entry."""

    scheme: str
    name: str
    """In lower case; of an entry with ``*.``, what follows it."""
    below: bool
    port: int


@lru_cache(maxsize=1024)
def read_hosts(text: str, *, field: str = "hosts") -> tuple[Host, ...]:
    """The entries. `BundleInvalid` on one that is none, or if there is none."""
    found = tuple(_entry(part, field) for part in re.split(r"[,;\s]+", text) if part)
    if not found:
        raise BundleInvalid(
            field=field,
            reason="name the hosts that this may be sent to, such as api.example.com",
        )
    return found


def bound_to(url: str, hosts: str, *, what: str) -> None:
    """`Misconfigured` unless ``url`` is at one of the hosts; ``what`` is the credential's name."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    # What is no plain host name may be read in another way by who connects.
    plain = not re.search(r"[\s\\@\x00-\x1f]", parts.netloc) and "\\" not in url and _plain(host)
    if plain and "@" not in parts.netloc:
        for entry in read_hosts(hosts):
            if entry.scheme != parts.scheme or entry.port != port:
                continue
            bare = host.rstrip(".")
            if bare.endswith("." + entry.name) if entry.below else bare == entry.name:
                return
    default = _PORTS.get(parts.scheme) == port
    entry_text = (
        ("http://" if parts.scheme == "http" else "")
        + (f"[{host}]" if ":" in host else host)
        + ("" if default else f":{port}")
    )
    raise Misconfigured(
        f"The {what} may not be sent to {entry_text}: its hosts are {hosts}. "
        "If it should be, add this host to the connection and type its secret again.",
        host=entry_text,
        hosts=hosts,
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)


def _plain(host: str) -> bool:
    return bool(_NAME.fullmatch(host) or _LITERAL.fullmatch(host))


def _entry(part: str, field: str) -> Host:
    scheme, mark, rest = part.lower().rpartition("://")
    scheme = scheme if mark else "https"
    below = rest.startswith("*.")
    try:
        parts = urlsplit("//" + rest.removeprefix("*."))
        name, port = parts.hostname or "", parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        name, port, parts = "", 0, urlsplit("")
    name = name.rstrip(".")
    extra = parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc
    if not port or extra or not _plain(name):
        raise BundleInvalid(
            field=field,
            reason=f"{part[:80]!r} is no host; write api.example.com, *.example.org, "
            "api.example.com:8443 or http://printer.example.com, without a path",
        )
    if below and "." not in name:
        raise BundleInvalid(
            field=field, reason=f"{part!r} is too wide; name a domain, such as *.example.org"
        )
    return Host(scheme, name, below, port)
