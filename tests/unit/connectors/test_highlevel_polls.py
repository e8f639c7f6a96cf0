"""What HighLevel sends no event about is listed page by page and told apart by its dates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.connectors.highlevel import highlevel
from junctor.language.connector import Request, Response
from junctor.language.forms import bind

LISTS = {
    "pollTransactions": ("/payments/transactions", "data", "offset", "_id"),
    "pollSubscriptions": ("/payments/subscriptions", "data", "offset", "_id"),
    "pollBusinesses": ("/businesses/", "businesses", "skip", "id"),
}


def listed(name: str, total: int, **mapper: Any) -> tuple[list[dict[str, Any]], list[Request]]:
    """What a trigger lists of a location that has so many, and what it asked for."""
    module = highlevel.modules[name]
    path, items, step, own = LISTS[name]
    flow = module.function(**bind(module, mapper, {}))
    asked: list[Request] = []
    request = next(flow)
    while True:
        assert request.url == path
        asked.append(request)
        start, size = dict(request.query)[step], dict(request.query)["limit"]
        rows = [{own: str(number)} for number in range(start, min(start + size, total))]
        try:
            request = flow.send(Response(200, {}, json.dumps({items: rows}).encode()))
        except StopIteration as end:
            return end.value, asked


@pytest.mark.parametrize("name", LISTS)
def test_pages_are_asked_for_up_to_what_is_looked_at(name: str) -> None:
    found, asked = listed(name, 250, lookedAt=220)
    assert len({row[LISTS[name][3]] for row in found}) == len(found) == 220
    assert [dict(request.query)["limit"] for request in asked] == [100, 100, 20]
    found, asked = listed(name, 30, lookedAt=220)
    assert (len(found), len(asked)) == (30, 1)


@pytest.mark.parametrize("name", LISTS)
def test_a_changed_item_is_another(name: str) -> None:
    poll = highlevel.modules[name].poll
    assert poll is not None
    assert poll.date is not None
    item = {LISTS[name][3]: "1", "createdAt": "2026-01-01T00:00:00Z"}
    later = {**item, "updatedAt": "2026-01-02T00:00:00Z"}
    other = {**item, LISTS[name][3]: "2"}
    assert len({poll.id(item), poll.id(later), poll.id(other)}) == 3
    first, then = poll.date(item), poll.date(later)
    assert first is not None
    assert then is not None
    assert first < then


def test_payments_of_one_contact() -> None:
    _, (request,) = listed("pollTransactions", 1, contactId="c1")
    assert dict(request.query)["contactId"] == "c1"
    assert dict(request.query)["altType"] == "location"
