"""A trigger that polls asks for what can be new, and no further back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from junctor.language.connector import Ask, ModuleDef, Paging, Poll, Request, Response
from junctor.language.polling import fresh, listed_since
from junctor.runtime.effects import perform
from tests.support import asynchronous

POLL = Poll(
    id=lambda item: item["id"],
    date=lambda item: datetime.fromisoformat(item["at"]),
    overlap=timedelta(minutes=2),
    page=3,
)


def listing(poll: Poll = POLL) -> ModuleDef:
    return ModuleDef(
        connector="x",
        name="watch",
        label="Watch",
        kind="trigger",
        function=lambda **_: Request("GET", "/items"),
        items="items",
        paging=Paging(style="next_url", size=10, limit_param="size", next_key="next"),
        poll=poll,
    )


class Vendor:
    """So many items, one a minute, newest first; what it was asked."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, request: Request | Ask, _step: int) -> Any:
        assert isinstance(request, Request)
        query = dict(request.query)
        self.asked.append((request.url, query))
        start, size = 0, int(query.get("size", 0))
        if "?" in request.url:
            start, size = map(int, request.url.partition("?")[2].split(","))
        rows = [
            {"id": str(n), "at": (FIRST + timedelta(minutes=n)).isoformat()}
            for n in range(self.count - 1 - start, -1, -1)
        ][:size]
        more = f"/items?{start + size},{size}" if start + size < self.count else None
        return Response(200, {}, msgspec.json.encode({"items": rows, "next": more}))


FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@asynchronous
async def test_a_listing_ends_at_the_page_that_is_old_enough() -> None:
    vendor = Vendor(25)
    module = listing()
    found = await perform(module, {}, vendor, since=listed_since(None, POLL))
    assert (len(found), len(vendor.asked)) == (25, 3)
    _, state = fresh(found, None, POLL)

    vendor.asked.clear()
    vendor.count += 5
    found = await perform(module, {}, vendor, since=listed_since(state, POLL))
    new, state = fresh(found, state, POLL)
    assert [each["id"] for each in new] == [str(n) for n in range(25, 30)]
    assert [url for url, _ in vendor.asked] == ["/items", "/items?3,3", "/items?6,3"]

    vendor.asked.clear()
    found = await perform(module, {}, vendor, since=listed_since(state, POLL))
    assert fresh(found, state, POLL)[0] == []
    assert len(vendor.asked) == 2, "the overlap is looked through each time"


@asynchronous
async def test_a_limit_still_holds() -> None:
    vendor = Vendor(25)
    module = replace(listing(), limit_field="depth")
    found = await perform(module, {"depth": 4}, vendor, since=FIRST)
    assert len(found) == 4


@asynchronous
async def test_a_vendor_that_filters_is_asked_for_less() -> None:
    vendor = Vendor(2)
    poll = replace(
        POLL, since=lambda request, since: replace(request, query={"after": since.isoformat()})
    )
    await perform(listing(poll), {}, vendor, since=FIRST)
    await perform(listing(poll), {}, vendor, since=None)
    assert [query.get("after") for _, query in vendor.asked] == [FIRST.isoformat(), None]


@asynchronous
async def test_what_is_no_poll_lists_all() -> None:
    vendor = Vendor(5)
    assert len(await perform(replace(listing(), poll=None), {}, vendor, since=FIRST)) == 5
    plain = replace(POLL, page=None)
    assert len(await perform(listing(plain), {}, vendor, since=FIRST + timedelta(days=1))) == 5
