"""Crisp's lists read by hand, where a date says how far: for what was missed, and for probes."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

from junctor.connectors.crisp.account import below, refused, said
from junctor.connectors.crisp.assumptions import PAGE, SHORT_PAGE
from junctor.connectors.crisp.dates import iso, milliseconds
from junctor.errors import DataError
from junctor.language.calls import refusal
from junctor.language.connector import Bundle, Request, Response

__all__ = [
    "MOST_PAGES",
    "Rows",
    "batch",
    "conversations_since",
    "messages_since",
    "number",
    "people_since",
    "rows_of",
    "stamp_of",
]

MOST_PAGES = 400
"""20,000 conversations or people: a longest downtime's worth of the busiest website."""
Rows = Generator[Request, Response, list[Bundle]]


def rows_of(response: Response, what: str) -> list[Bundle]:
    """The rows of a list. `DataError` if it is none."""
    answer = response.json()
    rows = answer.get("data") if isinstance(answer, dict) else None
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(reason=f"Crisp gave no list of {what}")
    return rows


def number(value: Any) -> bool:
    """Whether it is one; ``true`` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def stamp_of(row: Bundle, key: str = "timestamp") -> int:
    """A date of a row in milliseconds; 0 if it has none."""
    stamp: Any = row.get(key)
    return int(stamp) if number(stamp) else 0


def conversations_since(website_id: str, since: datetime, *, empty: bool = False) -> Rows:
    """Conversations updated at ``since`` or later, last updated first; ``empty``: also those
    without a message.

    One that is updated meanwhile moves to the front, so it is seen twice and none is left out.
    """
    query: dict[str, Any] = {
        "per_page": PAGE,
        "filter_date_start": iso(since),
        "order_date_updated": 1,
    }
    if empty:
        query["include_empty"] = 1
    first = milliseconds(since)
    found: dict[Any, Bundle] = {}
    for page in range(1, MOST_PAGES + 1):
        where = f"{below(website_id, 'conversations')}/{page}"
        rows = rows_of((yield Request("GET", where, query=query)), "conversations")
        for row in rows:
            if stamp_of(row, "updated_at") >= first:
                found.setdefault(row.get("session_id"), row)
        if len(rows) < SHORT_PAGE:
            return list(found.values())
    raise _endless("conversations")


def messages_since(website_id: str, session_id: str, since: datetime) -> Rows:
    """Messages of a conversation from ``since`` on, oldest first; none of one that is gone."""
    first = milliseconds(since)
    found: dict[Any, Bundle] = {}
    before: int | None = None
    for _ in range(MOST_PAGES):
        rows = yield from batch(website_id, session_id, before)
        new = [row for row in rows if row.get("fingerprint") not in found]
        # Batches have no announced size: only one without news is the last.
        oldest = min(map(stamp_of, new), default=0)
        found |= {row.get("fingerprint"): row for row in new if stamp_of(row) >= first}
        if oldest < first:
            return sorted(found.values(), key=stamp_of)
        before = oldest + 1  # of several of one instant, some may be in the next batch
    raise _endless("messages")


def batch(website_id: str, session_id: str, before: int | None) -> Rows:
    """The last messages before an instant (milliseconds); none of a conversation that is gone."""
    where = below(website_id, "conversation", session_id, "messages")
    query = {} if before is None else {"timestamp_before": before}
    response = yield Request("GET", where, query=query, raises=False)
    if response.status == 404:
        return []
    error = refused(response) or refusal(response, "read", reason=said(response))
    if error is not None:
        raise error
    return rows_of(response, "messages")


def people_since(website_id: str, since: datetime, field: str) -> Rows:
    """People profiles whose ``created_at`` or ``updated_at`` is ``since`` or later."""
    query: dict[str, Any] = {
        "per_page": PAGE,
        "sort_field": field,
        "sort_order": "descending",
    }
    if field == "created_at":
        query["filter_date_start"] = iso(since)
    first = milliseconds(since)
    found: dict[Any, Bundle] = {}
    last: int | None = None
    sorted_so_far = True
    for page in range(1, MOST_PAGES + 1):
        where = f"{below(website_id, 'people', 'profiles')}/{page}"
        rows = rows_of((yield Request("GET", where, query=query)), "people")
        old = False
        for row in rows:
            stamp = stamp_of(row, field)
            # The list is only believed to be sorted as long as it is.
            sorted_so_far &= last is None or stamp <= last
            last = stamp
            old |= stamp < first
            if stamp >= first:
                found.setdefault(row.get("people_id"), row)
        if len(rows) < SHORT_PAGE or (old and sorted_so_far):
            return list(found.values())
    raise _endless("people")


def _endless(what: str) -> DataError:
    return DataError(reason=f"Crisp's list of {what} does not end within {MOST_PAGES} pages")
