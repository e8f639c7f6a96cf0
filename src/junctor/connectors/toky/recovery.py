"""What happened at Toky while nobody listened, and whether what was sent was done.

Calls come from its call data records, the rest from its lists. A row becomes the payload that the
webhook would have had; what a row doesn't say (names, the recording's address) is empty.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from junctor.connectors.toky.assumptions import DATES, route
from junctor.errors import DataError
from junctor.language.connector import (
    Asked,
    Backfill,
    Bundle,
    Missed,
    Probe,
    Request,
    Response,
    path,
)

__all__ = [
    "ANSWERED",
    "CONTACT_CREATED",
    "MESSAGE_SENT",
    "call_event",
    "contact_in",
    "digits",
    "missed_calls",
    "missed_messages",
    "missed_voicemails",
]

ANSWERED = "200"
"""The disposition code of a call that was completed (developer.toky.co, *Call data records*)."""
PAGE = 500
MOST_PAGES = 200
"""100,000 rows: a longest downtime's worth of the busiest account."""
EARLY = timedelta(seconds=6)
"""How much earlier than our clock says a message may be dated: its dates have whole seconds."""
LATE = timedelta(minutes=2)
"""How much later."""

Rows = Generator[Request, Response, list[Bundle]]


def dated(row: Mapping[str, Any]) -> datetime | None:
    """When a row happened, of the first of its dates that can be read."""
    for key in DATES:
        try:
            date = datetime.fromisoformat(str(row.get(key) or ""))
        except ValueError:
            continue
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def rows_since(
    method: str, where: str, since: datetime, *, filtered: bool, fitting: bool = False
) -> Rows:
    """Rows of a list that are not older than ``since``, page by page.

    Without a filter the list must be newest first, and reading ends with the first older row. With
    one, the day before is asked for, too, and the rows decide: Toky filters by day, and of which
    time zone is not said. ``fitting``: an empty list in place of the error of a refused list.
    """
    since = since.replace(microsecond=0)  # as Toky's dates
    query: dict[str, str] = {"limit": str(PAGE)}
    if filtered:
        day = (since.astimezone(UTC) - timedelta(days=1)).date().isoformat()
        query["filter"] = f"(created_at >= {day})"
    found: list[Bundle] = []
    offset = 0
    for _ in range(MOST_PAGES):
        request = Request(method, where, query={**query, "offset": str(offset)}, raises=not fitting)
        response = yield request
        if not 200 <= response.status < 300:
            return []
        content = response.json()
        page = content.get("results") if isinstance(content, dict) else content
        if not isinstance(page, list):
            raise DataError(reason=f"Toky gave no list at {where}")
        old = False
        for row in page:
            date = dated(row) if isinstance(row, dict) else None
            if date is None:
                raise DataError(
                    reason=f"a row of Toky's list {where} has no date that can be read "
                    f"(looked at {', '.join(DATES)})"
                )
            old |= date < since
            if date >= since:
                found.append(row)
        offset += len(page)
        more = content.get("next") if isinstance(content, dict) else None
        if not page or not more or (old and not filtered):
            return found
    raise DataError(reason=f"Toky's list {where} does not end within {MOST_PAGES} pages")


def missed_calls(direction: str = "", code: str = "") -> Backfill:
    """The backfill of a call event: calls of a direction and disposition code, empty: any."""

    def backfill(
        since: datetime, _settings: Mapping[str, Any]
    ) -> Generator[Request, Response, list[Missed]]:
        calls = yield from rows_since("GET", "/cdrs", since, filtered=True)
        wanted = [
            row
            for row in calls
            if (not direction or row.get("direction") == direction)
            and (not code or str(row.get("disposition_code")) == code)
        ]
        left: set[str] = set()
        if any(str(row.get("disposition_code")) != ANSWERED for row in wanted):
            # Its address is an assumption; without it, a voicemail is a missed call all the same.
            voicemails = yield from rows_since(
                *route("list_voicemails"), since, filtered=False, fitting=True
            )
            left = {str(row["callid"]) for row in voicemails if row.get("callid")}
        return [
            Missed(body=call_event(row, voicemail=str(row.get("callid")) in left), at=_at(row))
            for row in wanted
        ]

    return backfill


def call_event(row: Mapping[str, Any], *, voicemail: bool = False) -> Bundle:
    """A call data record as the payload of a call event (developer.toky.co, *Webhooks*)."""
    answered = str(row.get("disposition_code")) == ANSWERED
    inbound = row.get("direction") != "outbound"
    unanswered = ("voicemail" if voicemail else "missed") if inbound else "unsuccessful"
    duration = str(row.get("duration") or "0")
    agent = str(row.get("agent_id") or "").replace("__", "@")
    return {
        "callid": row.get("callid"),
        "direction": row.get("direction") or "inbound",
        "web_call": row.get("web_call") or "no",
        "agent": agent,
        "agent_name": "",
        "duration": int(duration) if duration.isdecimal() else 0,
        "state": "completed" if answered else unanswered,
        "from_number": row.get("from"),
        "to_number": row.get("to_number"),
        "date": row.get("init_dt"),
        "record_url": "",
        "record_url_raw": "",
        "caller_name": "",
        "caller_email": "",
        "caller_country": row.get("country") or "",
        "contact_name": "",
        "contact_email": "",
    }


def missed_messages(
    since: datetime, _settings: Mapping[str, Any]
) -> Generator[Request, Response, list[Missed]]:
    """Text messages that came in."""
    rows = yield from rows_since(*route("list_messages"), since, filtered=True)
    return [
        Missed(body=_event(row), at=_at(row)) for row in rows if row.get("direction") != "outbound"
    ]


def missed_voicemails(
    since: datetime, _settings: Mapping[str, Any]
) -> Generator[Request, Response, list[Missed]]:
    """Voicemails; their list is documented to be newest first."""
    rows = yield from rows_since(*route("list_voicemails"), since, filtered=False)
    return [Missed(body=_event(row), at=_at(row)) for row in rows]


def _event(row: Mapping[str, Any]) -> Bundle:
    """A row of a list as its event's payload: there the ends are called as those of calls."""
    kept = {key: value for key, value in row.items() if key not in {"from", "to"}}
    ends = {"from_number": row.get("from"), "to_number": row.get("to")}
    return kept | {key: value for key, value in ends.items() if value and key not in kept}


def _at(row: Mapping[str, Any]) -> datetime:
    found = dated(row)
    assert found is not None  # `rows_since` gives no other
    return found


# Whether something was done.


def _sent(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """Looks for the message among those sent about then, by its ends and its text.

    If somebody else sent the same text to the same number in those two minutes, it is taken for
    this one: the person has it, and does not get it again.
    """
    since = at - EARLY
    rows = yield from rows_since(*route("list_messages"), since, filtered=True)
    found = [
        row
        for row in rows
        if row.get("text") == arguments["text"]
        and same_number(str(row.get("from")), arguments["from_"])
        and same_number(str(row.get("to")), arguments["to"])
        and row.get("direction") != "inbound"
        and _at(row) <= at + LATE
    ]
    if not found:
        return False
    # Of two equal ones nobody can say which was this one.
    return {"success": True, **found[0]} if len(found) == 1 else None


def _created(arguments: Mapping[str, Any], _at: datetime) -> Asked:
    """Looks the number up: it can be in the directory only once."""
    method, where = route("get_contact", path(digits(arguments["phone"])))
    response = yield Request(method, where, raises=False)
    if response.status == 404:
        return False
    if not 200 <= response.status < 300:
        return None
    contact = contact_in(response.json())
    names = (arguments.get("first_name") or "", arguments.get("last_name") or "")
    name = " ".join(part for part in names if part)
    has = str(contact.get("contact_name") or "")
    return contact if contact and has.split() == name.split() else None


def contact_in(found: Any) -> Bundle:
    """One contact, from an object or from a page of at most one."""
    if isinstance(found, dict) and isinstance(found.get("results"), list):
        found = found["results"][0] if found["results"] else {}
    return found if isinstance(found, dict) else {}


def digits(phone: str) -> str:
    """A phone number as Toky keys its directory: no blanks, dots or brackets."""
    return "".join(letter for letter in phone if letter not in " ()-./\u00a0")


def same_number(listed: str, typed: str) -> bool:
    """Whether Toky's number can be the one that was typed, maybe without its country code.

    In doubt it is: a message taken for sent is not sent twice.
    """
    if digits(listed) == digits(typed):
        return True
    ends = ["".join(filter(str.isdigit, each)).lstrip("0") for each in (listed, typed)]
    shorter, longer = sorted(ends, key=len)
    return len(shorter) >= _NATIONAL and longer.endswith(shorter)


_NATIONAL = 7
"""Digits from which on a number without its country code can be told from others."""


MESSAGE_SENT = Probe(ask=_sent)
CONTACT_CREATED = Probe(ask=_created, sure_after=120.0)
