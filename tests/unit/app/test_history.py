"""Operations as people read them, from a journal."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.app import history
from junctor.app.history import Operations, operations_of, place_of
from junctor.app.journal_parts import decode, parts_of
from junctor.engine.commands import Address
from junctor.engine.journal import CHUNK, Journal, encode_segment
from junctor.errors import DataError, NotSent, Uncertain


def shown(output: Any) -> list[dict[str, Any]]:
    """A failed operation, and what an error handler put in its place."""
    journal = Journal("full")
    journal.failed(Address(0, 3, (0,), 0), DataError(reason="no"))
    journal.operation(0, 3, (0,), 1, output)
    segment = journal.take()
    assert segment is not None
    return operations_of([(encode_segment(segment.raw), segment.blobs)])


def test_what_a_handler_decided_is_no_second_attempt() -> None:
    failed, dropped = shown(None)
    assert (failed["status"], "handled" in failed) == ("failed", False)
    assert (dropped["handled"], dropped["bundles"]) == (True, [])
    _, resumed = shown({"instead": 1})
    assert (resumed["handled"], resumed["bundles"]) == (True, [{"instead": 1}])


def test_a_failed_effect_shows_what_it_was_given_secrets_masked() -> None:
    journal = Journal("full")
    given = {"to": "Ada", "token": "jct_" + "x" * 43}
    journal.failed(Address(0, 3, (0,), 0), NotSent("away"), given)
    journal.failed(Address(0, 3, (0,), 1), NotSent("away"), {"to": object()})  # can't be recorded
    journal.failed(Address(0, 4, (0,), 0), DataError(reason="no"))
    segment = journal.take()
    assert segment is not None
    data = encode_segment(segment.raw)
    sent, odd, computed = operations_of([(data, {})])
    assert (sent["input"]["to"], sent["status"]) == ("Ada", "failed")
    assert "redacted" in sent["input"]["token"]
    assert "input" not in odd
    assert "input" not in computed
    parts = [[record[each] for each in parts_of(record)] for record in decode(data)]
    assert parts[0][1:] == [given], "so it is erased and found"
    assert len(parts[2]) == 1


class Stored:
    """A journal's segments, and its operations page by page."""

    def __init__(self) -> None:
        self.journal = Journal("full")
        self.segments: list[bytes] = []
        self.read = 0

    def store(self) -> None:
        segment = self.journal.take()
        assert segment is not None
        self.segments.append(encode_segment(segment.raw))

    def page(self, limit: int, since: str | None = None) -> Operations:
        where = (0, 0, frozenset[str]()) if since is None else place_of(since)
        page = Operations(limit=limit, since=where)
        for seq, data in enumerate(self.segments):
            if seq >= where[0]:
                self.read += 1
                if not page.read(seq, data, {}):
                    break
        return page

    def pages(self, limit: int) -> list[list[dict[str, Any]]]:
        page = self.page(limit)
        found = [page.shown]
        while page.next is not None:
            page = self.page(limit, page.next)
            found.append(page.shown)
        return found

    def whole(self) -> list[dict[str, Any]]:
        return operations_of((each, {}) for each in self.segments)


def several() -> Stored:
    """Operations that begin in one place and end in another, as lanes and settling have them."""
    stored = Stored()
    journal = stored.journal
    journal.header({"run": "r"})
    for number in range(3):
        journal.operation(0, 1, (number,), 0, {"n": number})
        journal.intent(Address(0, 2, (number,), 0), 0, b"h", {"method": "POST"})
    stored.store()
    journal.done(Address(0, 2, (2,), 0), [{"sent": 2}])
    journal.failed(Address(0, 2, (0,), 0), Uncertain("lost"))
    journal.operation(0, 3, (2,), 0, {"after": 2})
    stored.store()
    journal.failed(Address(0, 4, (2,), 0), DataError(reason="no"))
    journal.operation(0, 5, (2,), 0, {"handler": True})
    journal.operation(0, 4, (2,), 0, None)
    journal.done(Address(0, 2, (1,), 0), [{"sent": 1}])
    journal.failed(Address(0, 2, (0,), 0), NotSent("settled"))
    journal.end({"status": "finished"})
    stored.store()
    return stored


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 50])
def test_pages_together_are_the_whole(limit: int) -> None:
    stored = several()
    whole = stored.whole()
    assert len(whole) == 9
    pages = stored.pages(limit)
    assert [each for page in pages for each in page] == whole
    assert max(map(len, pages)) <= 2 * limit


def test_a_page_reads_on_only_until_its_operations_have_ended() -> None:
    stored = Stored()
    for number in range(100):
        stored.journal.operation(0, 1, (number,), 0, {"n": number})
        stored.store()
    first = stored.page(10)
    assert (len(first.shown), stored.read) == (10, 11)
    assert first.next is not None
    assert [each["path"] for each in stored.page(2, first.next).shown] == [[10], [11]]
    assert stored.read == 14


def test_a_long_list_of_bundles_goes_on_in_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_BUNDLES", 2 * CHUNK)
    stored = Stored()
    for number in range(5):
        chunk = [{"n": number * CHUNK + each} for each in range(CHUNK)]
        stored.journal.operation(0, 2, (0,), number, chunk)
    stored.store()
    pages = stored.pages(10)
    assert [page[0].get("first") for page in pages] == [None, 2 * CHUNK, 4 * CHUNK]
    shown = [bundle["n"] for page in pages for bundle in page[0]["bundles"]]
    assert shown == list(range(5 * CHUNK))


@pytest.mark.parametrize("text", ["", "[1,2]", '["a",1,""]', "{}"])
def test_a_place_is_one_that_a_page_gave(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        place_of(text)
