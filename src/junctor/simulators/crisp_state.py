"""What a simulated Crisp account holds, and how it looks when new."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from junctor.simulators.people import person, uuid_text

__all__ = ["CrispState", "WebsiteState", "merged", "millis", "new_state"]

_SEGMENTS = ("customer", "lead", "support", "billing")
_GREETINGS = (
    "Hello, is anybody there?",
    "When do you open on Saturday?",
    "I can't find my invoice.",
    "Do you ship abroad?",
)


def millis(date: datetime) -> int:
    """Crisp's times: milliseconds since 1970."""
    return round(date.timestamp() * 1000)


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What PATCH makes of a record: nested objects merge, all else is replaced."""
    out = dict(old)
    for key, value in new.items():
        before = out.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            out[key] = merged(before, value)
        else:
            out[key] = value
    return out


@dataclass(slots=True)
class WebsiteState:
    """One website with all that belongs to it. Rows are in the vendor's shape."""

    facts: dict[str, Any]
    plugin: bool = True
    """Whether the plugin is installed on it."""
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By session; oldest first."""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Values of one's own, by people ID."""
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By people ID."""
    visitors: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    inboxes: list[dict[str, Any]] = field(default_factory=list)
    reminders: list[dict[str, Any]] = field(default_factory=list)
    deletion: bool = False
    """Whether it is scheduled to be deleted."""

    @property
    def id(self) -> str:
        """The website's ID."""
        return str(self.facts["website_id"])

    def conversation(self, session_id: str, now: int) -> dict[str, Any]:
        """A new, empty conversation. What isn't known is left out: the vendor's types have no null
        there (but its events have one for the inbox).
        """
        row: dict[str, Any] = {
            "session_id": session_id,
            "website_id": self.id,
            "state": "pending",
            "status": 0,
            "is_verified": False,
            "is_blocked": False,
            "availability": "offline",
            "active": {"now": False, "last": now},
            "last_message": "",
            "topic": "",
            "verifications": [],
            "participants": [],
            "mentions": [],
            "compose": {"operator": {}, "visitor": {}},
            "unread": {"operator": 0, "visitor": 0},
            "assigned": {},
            "meta": {
                "nickname": "",
                "email": "",
                "phone": "",
                "address": "",
                "subject": "",
                "origin": "chat",
                "ip": "",
                "avatar": "",
                "segments": [],
                "data": {},
                "device": {"capabilities": [], "locales": ["en"]},
            },
            "created_at": now,
            "updated_at": now,
        }
        self.conversations[session_id] = row
        self.messages[session_id] = []
        return row

    def person(self, key: str) -> dict[str, Any] | None:
        """A profile, by its ID or its e-mail address."""
        found = self.people.get(key)
        if found is not None or "@" not in key:
            return found
        return self.by_email(key)

    def by_email(self, email: str) -> dict[str, Any] | None:
        """The profile with an e-mail address."""
        wanted = email.lower()
        rows = (row for row in self.people.values() if row["email"].lower() == wanted)
        return next(rows, None)

    def segments(self) -> list[dict[str, Any]]:
        """Segments of people, and how many are in each."""
        counts: dict[str, int] = {}
        for row in self.people.values():
            for segment in row["segments"]:
                counts[segment] = counts.get(segment, 0) + 1
        return [{"segment": name, "count": counts[name]} for name in sorted(counts)]

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        return {
            "website": self.facts,
            "plugin": self.plugin,
            "deletion": self.deletion,
            "conversations": list(self.conversations.values()),
            "messages": self.messages,
            "people": list(self.people.values()),
            "data": self.data,
            "events": self.events,
            "visitors": self.visitors,
            "operators": self.operators,
            "inboxes": self.inboxes,
            "reminders": self.reminders,
        }


@dataclass(slots=True)
class CrispState:
    """All websites of the account, by ID; the first is the credentials'."""

    websites: dict[str, WebsiteState] = field(default_factory=dict)
    numbered: int = 163_408_807_661_000
    """The last fingerprint given."""

    def number(self) -> int:
        """A new fingerprint."""
        self.numbered += 1
        return self.numbered

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        return {"websites": [site.as_record() for site in self.websites.values()]}


def website(website_id: str, name: str, domain: str) -> dict[str, Any]:
    """A website's own fields."""
    return {
        "website_id": website_id,
        "name": name,
        "domain": domain,
        "verified": False,
        "institutional": False,
    }


def new_state(
    chance: random.Random, now: datetime, website_ids: Iterable[str], *, people: int = 24
) -> CrispState:
    """A website with people, conversations, visitors, operators and inboxes, and a second, empty
    one that the plugin is not installed on.
    """
    first, second = website_ids
    state = CrispState()
    site = WebsiteState(website(first, "Harbour Bakery", "harbour-bakery.example"))
    other = WebsiteState(website(second, "Harbour Café", "harbour-cafe.example"), plugin=False)
    state.websites = {first: site, second: other}
    stamp = millis(now)
    taken: set[str] = set()
    for index in range(3):
        who = person(chance, taken)
        site.operators.append(
            {
                "type": "operator",
                "details": {
                    "user_id": uuid_text(chance),
                    "email": who.email,
                    "first_name": who.first,
                    "last_name": who.last,
                    "role": "owner" if index == 0 else "member",
                    "title": "",
                    "availability": "online" if index < 2 else "offline",
                    "has_token": index == 0,
                    "timestamp": stamp,
                },
            }
        )
    site.inboxes = [
        {"inbox_id": uuid_text(chance), "name": name, "emoji": "", "order": order}
        for order, name in enumerate(("Sales", "Support"))
    ]
    for index in range(people):
        who = person(chance, taken)
        created = stamp - (people - index) * 3_600_000
        profile = {
            "people_id": uuid_text(chance),
            "email": who.email,
            "person": {
                "nickname": who.name,
                "phone": who.phone,
                "geolocation": {"country": "US", "region": who.state, "city": who.city},
            },
            "company": {},
            "segments": [chance.choice(_SEGMENTS)],
            "notepad": "",
            "score": 0,
            "active": {"now": False, "last": created},
            "created_at": created,
            "updated_at": created,
        }
        site.people[str(profile["people_id"])] = profile
        if index % 2 == 0:
            _talk(state, site, chance, profile, created)
        if index < 3:
            site.visitors.append(_visitor(chance, profile, stamp))
    return state


def _talk(
    state: CrispState,
    site: WebsiteState,
    chance: random.Random,
    profile: dict[str, Any],
    created: int,
) -> None:
    row = site.conversation(f"session_{uuid_text(chance)}", created)
    row["people_id"] = profile["people_id"]
    row["meta"] |= {
        "nickname": profile["person"]["nickname"],
        "email": profile["email"],
        "segments": list(profile["segments"]),
    }
    text = chance.choice(_GREETINGS)
    row |= {"last_message": text, "state": chance.choice(("pending", "unresolved", "resolved"))}
    site.messages[row["session_id"]].append(
        {
            "session_id": row["session_id"],
            "website_id": site.id,
            "fingerprint": state.number(),
            "type": "text",
            "from": "user",
            "origin": "chat",
            "content": text,
            "preview": [],
            "mentions": [],
            "read": "",
            "delivered": "",
            "edited": False,
            "translated": False,
            "automated": False,
            "stamped": True,
            "user": {"type": "user", "nickname": profile["person"]["nickname"]},
            "timestamp": created,
        }
    )


def _visitor(chance: random.Random, profile: dict[str, Any], stamp: int) -> dict[str, Any]:
    return {
        "session_id": f"session_{uuid_text(chance)}",
        "nickname": profile["person"]["nickname"],
        "email": profile["email"],
        "useragent": "Mozilla/5.0",
        "initiated": True,
        "active": True,
        "last_page": {
            "page_title": "Menu",
            "page_url": "https://harbour-bakery.example/menu",
            "timestamp": stamp,
        },
        "geolocation": profile["person"]["geolocation"],
        "timezone": 60,
        "capabilities": ["browsing"],
        "locales": ["en"],
    }
