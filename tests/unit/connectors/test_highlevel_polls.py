"""What HighLevel sends no event about is listed page by page and told apart by its dates."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from junctor.connectors.highlevel import highlevel
from junctor.errors import DataError
from junctor.language.connector import Ask, Request, Response
from junctor.language.forms import bind
from junctor.language.polling import fresh, listed_since
from junctor.runtime.effects import listed as listed_back
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


DAY = datetime(2026, 11, 1, tzinfo=UTC)
WATCHED = {
    "pollNewContacts": ("contacts", "dateAdded"),
    "pollUpdatedContacts": ("contacts", "dateUpdated"),
    "pollNewOpportunities": ("opportunities", "createdAt"),
    "pollConversations": ("conversations", "lastMessageDate"),
    "pollFormSubmissions": ("submissions", "createdAt"),
    "pollTransactions": ("data", "updatedAt"),
    "pollBusinesses": ("businesses", "updatedAt"),
}


class Location:
    """So many things of one kind, one an hour since `DAY`, listed newest first as each list is."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.steps = name, total, list[int]()

    async def __call__(self, request: Request | Ask, step: int) -> Response:
        assert isinstance(request, Request)
        self.steps.append(step)
        given: dict[str, Any] = {**dict(request.query), **(request.json or {})}
        size = int(given.get("limit") or given.get("pageLimit") or 0)
        after = given.get("searchAfter", [given.get("startAfterDate", given.get("startAfter", 0))])
        start = int(given.get("offset") or given.get("skip") or after[0])
        if "page" in given and "pageLimit" not in given:
            start = (int(given["page"]) - 1) * size
        items, date = WATCHED[self.name]
        places = range(start, min(start + size, self.total))
        rows = [
            {
                "id": str(self.total - 1 - place),
                date: (DAY + timedelta(hours=self.total - 1 - place)).isoformat(),
                "sort": [place + 1],
                "searchAfter": [place + 1],
            }
            for place in places
        ]
        meta = {"startAfter": start + size, "startAfterId": "x"}
        return Response(200, {}, json.dumps({items: rows, "meta": meta}).encode())


class Look:
    """What a trigger does at each look: a state goes in, what is new and a state come out."""

    def __init__(self, name: str, total: int, start: str, **mapper: Any) -> None:
        self.module = highlevel.modules[name]
        self.arguments = bind(self.module, mapper, {})
        self.location, self.start, self.state = Location(name, total), start, None

    def new(self) -> list[int]:
        poll, self.location.steps = self.module.poll, []
        assert poll is not None
        since = listed_since(self.state, poll, start=self.start)
        items = run(listed_back(self.module, self.arguments, self.location, since=since))
        limit = self.arguments[poll.limit_field]
        taken, state = fresh(items, self.state, poll, limit=limit, start=self.start)
        self.state = state  # type: ignore[assignment]  # None only before the first look
        assert self.location.steps == list(range(len(self.location.steps))), "each its own"
        return [int(item["id"]) for item in taken]


@pytest.mark.parametrize("name", WATCHED)
def test_every_trigger_starts_where_it_is_told_to(name: str) -> None:
    now = Look(name, 5, "now")
    assert now.new() == []
    now.location.total += 2
    assert (now.new(), now.new()) == ([5, 6], [])

    all_ = Look(name, 5, "all", limit=3)
    assert (all_.new(), all_.new(), all_.new()) == ([0, 1, 2], [3, 4], [])

    # A date, further back than what is looked at: nothing since then is left out.
    dated = Look(name, 470, (DAY + timedelta(hours=100)).isoformat(), limit=200)
    assert dated.new() == list(range(100, 300))
    assert dated.new() == list(range(300, 470))
    assert dated.new() == []
    dated.location.total += 1
    assert dated.new() == [470]
    pages = -(-min(dated.arguments["looked_at"], 471) // 100)
    assert len(dated.location.steps) == pages, "then no more than is looked at"


@pytest.mark.parametrize("name", WATCHED)
def test_more_than_is_looked_at_between_two_looks_is_not_lost(name: str) -> None:
    look = Look(name, 50, "now", limit=1000, lookedAt=10)
    assert look.new() == []
    look.location.total += 250
    assert look.new() == list(range(50, 300))
    assert look.new() == []


def test_a_start_too_far_back_is_an_error_and_no_gap() -> None:
    look = Look("pollNewContacts", 10_500, DAY.isoformat())
    with pytest.raises(DataError, match="more than 10000 new items since 2026-11-01"):
        look.new()
