"""Cookies that the requests of one run share: a jar is a tuple of them, and nothing here waits.

The rules are those of RFC 6265 as far as a run needs them: domain, path and `Secure` decide where a
cookie goes, and a server may delete one. How long it lives is not looked at otherwise: a run is
shorter than a session. Whatever breaks a rule is left out, as browsers do.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Cookie", "cookie_header", "jar_after"]

MOST = 180
"""Cookies in a jar; older ones make room."""
LONGEST = 4096
"""Characters of name and value."""


class Cookie(NamedTuple):
    """One cookie, and where it goes."""

    name: str
    value: str
    domain: str
    path: str = "/"
    exact: bool = True
    """Whether it goes to this very host only."""
    secure: bool = False


def cookie_header(jar: Iterable[Cookie], url: str) -> str:
    """The value of ``Cookie`` for a request to ``url``; empty if none fits."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    fitting = [
        cookie
        for cookie in jar
        if (host == cookie.domain or (not cookie.exact and _below(host, cookie.domain)))
        and _within(parts.path or "/", cookie.path)
        and (parts.scheme == "https" or not cookie.secure)
    ]
    fitting.sort(key=lambda cookie: -len(cookie.path))
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)


def jar_after(
    jar: Iterable[Cookie], url: str, lines: Iterable[str], *, date: str = ""
) -> tuple[Cookie, ...]:
    """The jar after an answer from ``url`` with these ``Set-Cookie`` lines.

    ``date`` is the answer's own `Date`: what expired before it is deleted.
    """
    kept = {(each.name, each.domain, each.path): each for each in jar}
    for line in lines:
        read = _read(line, url, date)
        if read is None:
            continue
        cookie, gone = read
        key = (cookie.name, cookie.domain, cookie.path)
        kept.pop(key, None)
        if not gone:
            kept[key] = cookie
    return tuple(kept.values())[-MOST:]


def _read(line: str, url: str, date: str) -> tuple[Cookie, bool] | None:
    """A cookie, and whether it is to be deleted."""
    pair, *attributes = line.split(";")
    name, found, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not found or not name or len(name) + len(value) > LONGEST:
        return None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in line):
        return None
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    said = {}
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        said[key.strip().lower()] = text.strip()
    domain = said.get("domain", "").lower().removeprefix(".")
    if domain and domain != host and not (_below(host, domain) and "." in domain):
        return None
    secure = "secure" in said
    if secure and parts.scheme != "https":
        return None
    where = said.get("path", "")
    if not where.startswith("/"):
        where = parts.path.rpartition("/")[0] or "/"
    cookie = Cookie(name, value, domain or host, where, not domain, secure)
    return cookie, _expired(said, date)


def _expired(said: dict[str, str], date: str) -> bool:
    age = said.get("max-age", "")
    if age.removeprefix("-").isdecimal():
        return age.startswith("-") or not int(age[:12])
    try:
        until = parsedate_to_datetime(said["expires"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return False
    try:
        now = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        now = 0.0  # without a date, only what was over in 1970 is deleted for sure
    return until <= now


def _below(host: str, domain: str) -> bool:
    if not host.endswith("." + domain):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
