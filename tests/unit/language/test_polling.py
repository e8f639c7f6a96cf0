"""What a trigger that polls takes for new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import Misconfigured
from junctor.language.connector import Poll
from junctor.language.polling import REMEMBERED, fresh, listed_since, reaches

DATED = Poll(id=lambda item: item["id"], date=lambda item: item.get("at"))
PLAIN = Poll(id=lambda item: item["id"], newest_first=False)


def at(day: int, id_: str) -> dict[str, Any]:
    return {"id": id_, "at": datetime(2026, 11, day, tzinfo=UTC)}


def test_the_first_look_takes_all_as_seen() -> None:
    items = [at(3, "c"), at(2, "b")]
    assert fresh(items, None, DATED)[0] == []
    state = fresh(items, None, DATED)[1]
    assert fresh([at(4, "d"), *items], state, DATED)[0] == [at(4, "d")]


def test_a_first_look_may_take_all_or_from_a_date() -> None:
    items = [at(3, "c"), at(2, "b"), at(1, "a")]
    assert [item["id"] for item in fresh(items, None, DATED, start="all")[0]] == ["a", "b", "c"]
    since = fresh(items, None, DATED, start="2026-11-02")[0]
    assert [item["id"] for item in since] == ["b", "c"]
    with pytest.raises(Misconfigured, match="soon"):
        fresh(items, None, DATED, start="soon")


def test_the_limit_leaves_the_newest_for_the_next_look() -> None:
    items = [at(3, "c"), at(2, "b"), at(1, "a")]
    first, state = fresh(items, None, DATED, start="all", limit=2)
    second, state = fresh(items, state, DATED, limit=2)
    assert [item["id"] for item in (*first, *second)] == ["a", "b", "c"]
    assert fresh(items, state, DATED, limit=2) == ([], state)


def test_two_items_of_one_instant_are_two() -> None:
    _, state = fresh([at(1, "a")], None, DATED, start="all")
    assert fresh([at(1, "b"), at(1, "a")], state, DATED)[0] == [at(1, "b")]


def test_an_older_item_that_appears_late_is_not_taken() -> None:
    _, state = fresh([at(5, "e")], None, DATED, start="all")
    assert fresh([at(5, "e"), at(1, "x")], state, DATED)[0] == []


LATE = Poll(id=lambda item: item["id"], date=lambda item: item.get("at"), overlap=timedelta(days=2))


def test_an_item_that_appears_late_is_taken_within_the_overlap() -> None:
    _, state = fresh([at(5, "e")], None, LATE, start="all")
    assert listed_since(state, LATE) == datetime(2026, 11, 3, tzinfo=UTC)
    found, state = fresh([at(5, "e"), at(3, "x"), at(2, "old")], state, LATE)
    assert found == [at(3, "x")]
    assert fresh([at(5, "e"), at(3, "x")], state, LATE)[0] == []
    assert listed_since(state, LATE) == datetime(2026, 11, 3, tzinfo=UTC), "it never goes back"


def test_the_overlap_does_not_reach_back_before_the_beginning() -> None:
    _, state = fresh([at(5, "e")], None, LATE, start="2026-11-04")
    found, state = fresh([at(5, "e"), at(3, "x")], state, LATE)
    assert found == []
    assert fresh([at(6, "f"), at(4, "y"), at(3, "x")], state, LATE)[0] == [at(4, "y"), at(6, "f")]


def test_from_when_on_a_listing_must_be_whole() -> None:
    assert listed_since(None, DATED) is None
    assert listed_since(None, DATED, start="all") is None
    assert listed_since(None, DATED, start="2026-11-02") == datetime(2026, 11, 2, tzinfo=UTC)
    assert listed_since({"date": None, "ids": []}, DATED) is None
    assert listed_since({"date": "0001-01-01T00:00:00+00:00", "ids": []}, LATE) is not None
    assert listed_since({"date": "2026-11-02T00:00:00+00:00"}, PLAIN) is None
    assert listed_since({"date": "2026-11-02T00:00:00+00:00"}, MARKED) is None


def test_a_listing_ends_where_it_is_older() -> None:
    since = datetime(2026, 11, 2, tzinfo=UTC)
    assert reaches([at(3, "c"), at(1, "a")], DATED, since)
    assert not reaches([at(3, "c"), at(2, "b"), {"id": "undated"}], DATED, since)
    assert not reaches([at(1, "a")], DATED, None)
    assert not reaches([{"id": "a"}], PLAIN, since)


def test_what_is_listed_stays_known_however_long_the_list() -> None:
    items = [{"id": str(n)} for n in range(REMEMBERED + 10)]
    _, state = fresh(items, None, PLAIN)
    assert fresh(items, state, PLAIN)[0] == []
    _, later = fresh(items[-5:], state, PLAIN)
    assert len(later["ids"]) == REMEMBERED


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=8), min_size=1, max_size=8), st.integers(1, 4)
)
def test_every_item_is_given_once(looks: list[list[int]], limit: int) -> None:
    state: dict[str, Any] | None = {"date": None, "ids": []}
    listed: list[int] = []
    given_out: list[str] = []
    for look in looks:
        listed += [item for item in dict.fromkeys(look) if item not in listed]
        new, state = fresh([{"id": str(n)} for n in listed], state, PLAIN, limit=limit)
        assert len(new) <= limit
        given_out += [item["id"] for item in new]
    while new := fresh([{"id": str(n)} for n in listed], state, PLAIN, limit=limit)[0]:
        state = fresh([{"id": str(n)} for n in listed], state, PLAIN, limit=limit)[1]
        given_out += [item["id"] for item in new]
    assert given_out == [str(n) for n in listed]


MARKED = Poll(id=lambda item: item["id"], mark=lambda item: item["v"], newest_first=False)


def marked(**versions: str) -> list[dict[str, Any]]:
    return [{"id": name, "v": version} for name, version in versions.items()]


def test_an_item_with_another_mark_is_passed_on_again() -> None:
    state = fresh(marked(a="1", b="1"), None, MARKED)[1]
    found, state = fresh(marked(a="2", b="1", c="1"), state, MARKED)
    assert found == marked(a="2", c="1")
    assert fresh(marked(a="2", b="1", c="1"), state, MARKED)[0] == []


def test_a_limit_leaves_changes_for_the_next_look() -> None:
    state = fresh([], None, MARKED)[1]
    items = marked(a="1", b="1", c="1")
    seen = []
    for _ in range(4):
        found, state = fresh(items, state, MARKED, limit=1)
        seen += found
    assert seen == items


def test_an_item_that_was_gone_is_new_again() -> None:
    state = fresh(marked(a="1"), None, MARKED, start="all")[1]
    state = fresh([], state, MARKED)[1]
    assert state["marks"] == {}
    assert fresh(marked(a="1"), state, MARKED)[0] == marked(a="1")


def test_marked_items_may_begin_at_a_date() -> None:
    poll = Poll(id=lambda item: item["id"], mark=lambda item: item["id"], date=lambda i: i["at"])
    found, state = fresh([at(3, "c"), at(1, "a")], None, poll, start="2026-11-02")
    assert found == [at(3, "c")]
    assert set(state["marks"]) == {"a", "c"}
