"""What HighLevel sends no event about is listed page by page and told apart by its dates."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from junctor.connectors.highlevel import highlevel
from junctor.language.connector import Ask, Request, Response
from junctor.language.forms import bind
from junctor.runtime.effects import perform
from tests.support import run

LISTS = {
    "pollTransactions": ("/payments/transactions", "data", "offset", "_id"),
    "pollSubscriptions": ("/payments/subscriptions", "data", "offset", "_id"),
    "pollBusinesses": ("/businesses/", "businesses", "skip", "id"),
    "pollFormSubmissions": ("/forms/submissions", "submissions", "page", "id"),
    "pollSurveySubmissions": ("/surveys/submissions", "submissions", "page", "id"),
}
CHANGING = [name for name in LISTS if "Submissions" not in name]


def listed(
    name: str, total: int, *, since: datetime | None = None, **mapper: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a trigger lists of a location that has so many, and the queries that it asked with."""
    module = highlevel.modules[name]
    path, items, step, own = LISTS[name]
    asked: list[dict[str, Any]] = []

    async def send(request: Request | Ask, _number: int) -> Response:
        assert isinstance(request, Request)
        assert request.url == path
        query = dict(request.query)
        asked.append(query)
        size, place = int(query["limit"]), int(query[step])
        start = (place - 1) * size if step == "page" else place
        rows = [{own: str(number)} for number in range(start, min(start + size, total))]
        return Response(200, {}, json.dumps({items: rows}).encode())

    return run(perform(module, bind(module, mapper, {}), send, since=since)), asked


@pytest.mark.parametrize("name", LISTS)
def test_pages_are_asked_for_up_to_what_is_looked_at(name: str) -> None:
    found, asked = listed(name, 250, lookedAt=220)
    assert len({row[LISTS[name][3]] for row in found}) == len(found) == 220
    last = 100 if LISTS[name][2] == "page" else 20  # numbers count pages of one size
    assert [query["limit"] for query in asked] == [100, 100, last]
    found, asked = listed(name, 30, lookedAt=220)
    assert (len(found), len(asked)) == (30, 1)


@pytest.mark.parametrize("name", CHANGING)
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
    _, (query,) = listed("pollTransactions", 1, contactId="c1")
    assert query["contactId"] == "c1"
    assert query["altType"] == "location"


@pytest.mark.parametrize(
    "since",
    [
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 21, 23, 59, tzinfo=UTC),
        datetime(2026, 11, 22, 2, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_submissions_are_asked_for_from_the_day_before(since: datetime) -> None:
    _, (query,) = listed("pollFormSubmissions", 1, since=since, formId="f1")
    assert (query["startAt"], query["formId"]) == ("2026-11-20", "f1")
    _, (query,) = listed("pollSurveySubmissions", 1)
    assert not {"startAt", "surveyId"} & set(query)


def test_what_may_change_is_not_asked_for_by_when_it_was_made() -> None:
    _, (query,) = listed("pollTransactions", 1, since=datetime(2026, 11, 21, tzinfo=UTC))
    assert set(query) == {"altId", "altType", "limit", "offset"}
