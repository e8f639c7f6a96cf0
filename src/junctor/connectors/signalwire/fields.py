"""Fields that several modules share, and how their values go on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any, Literal

from junctor.errors import BundleInvalid
from junctor.language.connector import Bundle, Field, Paging, Poll, Request

__all__ = [
    "NEW",
    "PAGES",
    "Depth",
    "HttpMethod",
    "Limit",
    "When",
    "created",
    "dated",
    "day",
    "filtered",
    "instant",
    "rows",
    "second",
    "sid",
    "when",
]

PAGES = Paging(style="next_url", size=1000, limit_param="PageSize", next_key="next_page_uri")
"""Up to 1,000 rows a page; the next address is followed as it is given (the vendor's page on paging
asks for that), and is null on the last page."""

Limit = Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)]
Depth = Annotated[
    int,
    Field(
        label="Look back",
        help="How many of the newest are looked through for new ones. Raise it if more come "
        "between two runs.",
        minimum=1,
        maximum=50_000,
        advanced=True,
    ),
]
HttpMethod = Literal["POST", "GET"]
When = Literal["at", "before", "after"]

_SIGNS = {"at": "", "before": "<", "after": ">"}


def when(name: str, kind: str, text: str) -> tuple[str, str]:
    """A date filter: ``StartTime``, ``StartTime<`` or ``StartTime>``."""
    return f"{name}{_SIGNS[kind]}", text


def instant(moment: datetime) -> str:
    """A moment as calls are filtered by it: RFC 2822, in GMT."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def day(moment: datetime) -> str:
    """A day as messages, recordings and faxes are filtered by it: YYYY-MM-DD, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def second(moment: datetime) -> str:
    """A moment as faxes are filtered by it: ISO 8601, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(*pairs: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    """What is filled in, as names and values of a query or form; a list repeats its name."""
    made: list[tuple[str, str]] = []
    for name, value in pairs:
        values: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
        made += [(name, _text(each)) for each in values if each is not None and each != ""]
    return tuple(made)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def sid(bundle: Bundle) -> str:
    """What identifies a call, message, recording or fax."""
    return str(bundle.get("sid") or "")


def created(bundle: Bundle) -> datetime | None:
    """When it was made."""
    return dated(bundle.get("date_created"))


def dated(text: Any) -> datetime | None:
    """One of SignalWire's dates: RFC 2822 text, of faxes ISO 8601; ``None`` if it is neither."""
    if not isinstance(text, str):
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def filtered(request: Request, *pairs: tuple[str, str]) -> Request:
    """A listing with more filters."""
    return replace(request, query={**dict(request.query), **dict(pairs)})


NEW = Poll(id=sid, date=created, overlap=timedelta(hours=4), page=100)
"""How triggers that poll tell what is new. What comes into the state that one waits for up to four
hours later, as long as a message may wait to be sent if nobody says otherwise, is new, too. Calls
and messages are not filtered by date: ``StartTime`` and ``DateSent`` are empty, and so fit no
filter, where a call never began or a message was not sent.
"""


def needed(field: str, value: str, why: str) -> str:
    """The value; `BundleInvalid` if another field asks for it and it is empty."""
    if not value:
        raise BundleInvalid(field=field, reason=why)
    return value
