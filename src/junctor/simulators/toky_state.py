"""What a simulated Toky account holds, and how it looks when new."""

from __future__ import annotations

import hashlib
import random
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from junctor.simulators.people import Person, person

__all__ = ["TokyState", "filtered", "new_contact", "new_key", "new_state", "query_text", "stamp"]

_COMPARISON = re.compile(r"\(?\s*(\w+)\s*(>=|<=|=|>|<)\s*'?([^()']+?)'?\s*\)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class TokyState:
    """The account's lists. Rows are in the vendor's shape; histories are oldest first."""

    agents: list[dict[str, Any]] = field(default_factory=list)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By phone number in E.164 form."""
    cdrs: list[dict[str, Any]] = field(default_factory=list)
    sms: list[dict[str, Any]] = field(default_factory=list)
    voicemails: list[dict[str, Any]] = field(default_factory=list)
    recordings: dict[str, str] = field(default_factory=dict)
    """Address of the audio by callid."""
    webhooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbered: int = 1600
    """The last number given; Toky's webhooks have small whole numbers as ids."""

    def number(self) -> int:
        """A new id."""
        self.numbered += 1
        return self.numbered

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        return {
            "agents": self.agents,
            "contacts": list(self.contacts.values()),
            "cdrs": self.cdrs,
            "sms": self.sms,
            "voicemails": self.voicemails,
            "recordings": self.recordings,
            "webhooks": list(self.webhooks.values()),
        }


def new_key(seed: int | None) -> str:
    """An API key of 64 hexadecimal digits; always the same for the same seed."""
    if seed is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"junctor simulator toky key {seed}".encode()).hexdigest()


def stamp(date: datetime) -> str:
    """A date as call data records write it, in GMT."""
    return date.strftime("%Y-%m-%d %H:%M:%S")


def new_contact(phone: str) -> dict[str, Any]:
    """An empty contact."""
    return {"contact_name": "", "phone": phone, "country_code": "US", "city": "", "email": ""}


def new_state(chance: random.Random, now: datetime) -> TokyState:
    """Three agents and twenty contacts."""
    state = TokyState()
    taken: set[str] = set()
    for index in range(3):
        state.agents.append(_agent(person(chance, taken), now, admin=index == 0))
    for _ in range(20):
        someone = person(chance, taken)
        state.contacts[someone.phone] = {
            **new_contact(someone.phone),
            "contact_name": someone.name,
            "city": someone.city,
            "email": someone.email,
        }
    return state


def _agent(someone: Person, now: datetime, *, admin: bool) -> dict[str, Any]:
    return {
        "email": someone.email,
        "fullname": someone.name,
        "created_at": stamp(now - timedelta(days=400)),
        "last_update": stamp(now - timedelta(days=3)),
        "last_connection": stamp(now - timedelta(hours=1)),
        "is_admin": "true" if admin else "false",  # a text, as the vendor's sample shows
        "phone_number": someone.phone,
        "phone_country": "US",
        "timezone": "America/New_York",
    }


def query_text(query: dict[str, str]) -> str:
    """A query with its question mark."""
    return "?" + urlencode(query)


def filtered(rows: list[dict[str, Any]], text: str, key: str) -> list[dict[str, Any]]:
    """Rows whose date fits a filter such as ``(created_at >= 2026-06-01) AND (created_at <= …)``.

    ``created_at`` is the only field known to be filtered by; it means each list's own date ``key``.
    A bare day compares by day. `ValueError` if the filter can't be read.
    """
    for part in re.split(r"\s+AND\s+", text.strip()):
        found = _COMPARISON.fullmatch(part.strip())
        if found is None or found[1] != "created_at":
            raise ValueError(
                f"filter: {part!r} can't be read; it takes (created_at >= YYYY-MM-DD), "
                "several joined by AND"
            )
        sign, value = found[2], found[3].strip()
        length = 10 if _DAY.fullmatch(value) else None
        rows = [row for row in rows if _fits(row[key][:length], sign, value)]
    return rows


def _fits(have: str, sign: str, want: str) -> bool:
    # Dates in this form sort as text.
    match sign:
        case ">=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want
        case "<":
            return have < want
        case _:
            return have == want
