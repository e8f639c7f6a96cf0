"""Lists read whole, or as far back as matters, by what happens after trouble."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from urllib.parse import urlsplit

from junctor.connectors.signalwire.fields import created
from junctor.errors import DataError
from junctor.language.connector import Bundle, Request, Response

__all__ = ["ORIGIN", "Listing", "listed", "made_at", "whole"]

MOST_PAGES = 1_000
"""A million rows: a longest downtime's worth of the busiest project."""
ORIGIN = "$origin"

Listing = Generator[Request, Response, list[Bundle]]


def listed(where: str, key: str, since: datetime, **query: str) -> Listing:
    """Rows of a list of the Compatibility API, newest first, that were made at ``since`` or later.

    Each has `ORIGIN`, where it came from: its own addresses are below that. `DataError` on what
    is no list, or has no dates.
    """
    request = Request("GET", where, query={**query, "PageSize": "1000"})
    found: list[Bundle] = []
    for _ in range(MOST_PAGES):
        response = yield request
        content = response.json()
        page = content.get(key) if isinstance(content, dict) else None
        if not isinstance(page, list):
            raise DataError(reason=f"SignalWire gave no list of {key}")
        old = False
        for row in page:
            date = created(row) if isinstance(row, dict) else None
            if date is None:
                raise DataError(reason=f"one of SignalWire's {key} has no date_created to be read")
            if date < since:
                old = True
            else:
                found.append({**row, ORIGIN: _origin(response.url)})
        after = content.get("next_page_uri")
        if old or not page or not after:
            return found
        request = Request("GET", str(after))
    raise DataError(reason=f"SignalWire's list of {key} does not end")


def whole(where: str, key: str, after: str, **query: str) -> Listing:
    """All rows of a list; ``after``: where it says the address of the next page. `DataError` as
    `listed`.
    """
    request = Request("GET", where, query=query)
    found: list[Bundle] = []
    for _ in range(MOST_PAGES):
        content = (yield request).json()
        page = content.get(key) if isinstance(content, dict) else None
        if not isinstance(page, list):
            raise DataError(reason=f"SignalWire gave no list at {where}")
        found += [row for row in page if isinstance(row, dict)]
        outer, _, inner = after.rpartition(".")
        links = content.get(outer) if outer else content
        more = links.get(inner) if isinstance(links, dict) else None
        if not page or not more:
            return found
        request = Request("GET", str(more))
    raise DataError(reason=f"SignalWire's list at {where} does not end")


def made_at(row: Bundle) -> datetime:
    """When a row of `listed` was made."""
    found = created(row)
    assert found is not None  # `listed` gives no other
    return found


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
