"""What Toky does not publish, in one place, and how a connection says otherwise.

A connection's field *Corrections* takes lines such as

    list_messages = GET /sms/history
    get_contact = GET /contacts/by-phone/{}
    key.created_by = agent
    rate = 20 in 10

The left side is a name of `ROUTES`, ``key.`` and a name of `KEYS`, or ``rate``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urlsplit

from junctor.errors import Misconfigured
from junctor.language.connector import Request

__all__ = ["DATES", "IDENTIFIERS", "KEYS", "RATE", "ROUTES", "corrected", "rate", "route"]

ROUTES: Mapping[str, tuple[str, str]] = {
    "get_contact": ("GET", "/contacts/{}"),
    "update_contact": ("PUT", "/contacts/{}"),
    "list_messages": ("GET", "/sms"),
    "list_voicemails": ("GET", "/voicemails"),
    "get_voicemail": ("GET", "/voicemails/{}"),
}
"""Method and path of operations whose address isn't documented; ``{}`` is the one argument."""

KEYS: Mapping[str, str] = {
    "created_by": "created_by",
    "first_name": "first_name",
    "last_name": "last_name",
    "phone": "phone",
    "email": "email",
    "company": "company_name",
}
"""Names of a contact's fields when written; only those of reading are documented."""

IDENTIFIERS = ("callid", "id", "sms_id", "voicemail_id", "message_id")
"""Keys of a webhook's payload that may identify its event; only ``callid`` is documented."""

DATES = ("init_dt", "date", "created_at", "start_time")
"""Keys of a listed row that may say when it happened; ``init_dt`` of calls is documented. All are
taken to be in GMT, as those of calls are."""

RATE = (100, 10.0)
"""Requests of an account, and in how many seconds. A guess: Toky publishes no limits, and no header
that says what remains. A 429 pauses the account's requests all the same."""


def rate(corrections: str) -> tuple[int, float] | None:
    """The rate that a connection names itself; ``None``: the assumed one."""
    return _read(corrections).rate


def route(name: str, segment: str = "") -> tuple[str, str]:
    """Method and path of an assumed operation; ``segment`` is already quoted."""
    method, template = ROUTES[name]
    return method, template.replace("{}", segment.lstrip("/"))


def corrected(request: Request, corrections: str) -> Request:
    """The request as the connection's corrections have it. Its URL is absolute."""
    if not corrections.strip():
        return request
    read = _read(corrections)
    routes, keys = read.routes, read.keys
    parts = urlsplit(request.url)
    for name, (method, template) in routes.items():
        shape = _shape(*ROUTES[name]).fullmatch(f"{request.method} {parts.path}")
        if shape is not None:
            segment = shape["segment"] if "segment" in shape.groupdict() else ""
            changed = shape["base"] + template.replace("{}", segment)
            url = parts._replace(path=changed).geturl()
            request = replace(request, method=method, url=url)
            break
    if keys and isinstance(request.json, dict) and "/contacts" in parts.path:
        body = {keys.get(key, key): value for key, value in request.json.items()}
        request = replace(request, json=body)
    return request


@dataclass(frozen=True, slots=True)
class _Read:
    """Corrections, understood."""

    routes: Mapping[str, tuple[str, str]]
    keys: Mapping[str, str]
    rate: tuple[int, float] | None


_RATE = re.compile(r"([1-9]\d{0,5})\s+in\s+([1-9]\d{0,4})")


@lru_cache(maxsize=64)
def _read(text: str) -> _Read:
    routes: dict[str, tuple[str, str]] = {}
    keys: dict[str, str] = {}
    permitted: tuple[int, float] | None = None
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, value = (part.strip() for part in line.partition("="))
        method, _, path = value.partition(" ")
        found = _RATE.fullmatch(value) if name == "rate" else None
        if found is not None:
            permitted = (int(found[1]), float(found[2]))
        elif name in ROUTES and method.isupper() and path.startswith("/"):
            routes[name] = (method, path.strip())
        elif name.startswith("key.") and name[4:] in KEYS and value:
            keys[KEYS[name[4:]]] = value
        else:
            raise Misconfigured(
                reason=f"the correction {line!r} of the Toky connection can't be read; "
                "write it as 'get_contact = GET /contacts/{}', 'key.phone = number' or "
                "'rate = 20 in 10' (requests, seconds)"
            )
    return _Read(routes, keys, permitted)


@lru_cache(maxsize=64)
def _shape(method: str, template: str) -> re.Pattern[str]:
    path = re.escape(template).replace(re.escape("{}"), "(?P<segment>[^/]+)")
    return re.compile(f"{method} (?P<base>.*){path}")
