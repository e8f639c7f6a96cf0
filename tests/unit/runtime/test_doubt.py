"""Uncertain operations in journals, and what settles them."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.engine.commands import Address
from junctor.engine.journal import Journal, decode_segment, encode_segment
from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Response
from junctor.ports.ledger import SegmentRow
from junctor.runtime.doubt import Doubt, doubt_in, settling
from junctor.runtime.flight import segment_aad
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, ORGANIZATION, RUN, Bench, placed

AT = Address(0, 2, (0,), 1)
END: dict[str, Any] = {"status": "uncertain", "failed": [0, 2, [0], 1]}


def pieces(journal: Journal) -> list[tuple[bytes, dict[bytes, bytes]]]:
    made = journal.take()
    assert made is not None
    return [(encode_segment(made.raw), dict(made.blobs))]


def begun() -> Journal:
    journal = Journal()
    journal.header({})
    journal.operation(0, 1, (0,), 0, {"n": 1})
    journal.intent(AT._replace(attempt=0), 0, b"h", {"at": 1.0})
    journal.failed(AT._replace(attempt=0), NotSent(host="h", reason="r"))
    journal.intent(AT, 0, b"h", {"method": "POST", "url": "u", "at": 5.0, "arguments": {"a": 1}})
    return journal


@pytest.mark.parametrize("said", [True, False], ids=["unknown", "crashed"])
def test_the_attempt_in_doubt_is_found_with_what_was_to_be_sent(said: bool) -> None:
    journal = begun()
    if said:
        journal.failed(AT, Uncertain())
    journal.end(END)
    found = doubt_in(pieces(journal))
    assert found is not None
    assert (found.address, found.arguments) == (AT, {"a": 1})
    assert found.at is not None
    assert found.at.timestamp() == 5.0
    assert found.request == {"method": "POST", "url": "u"}


def test_an_old_journal_does_not_say_when() -> None:
    journal = Journal()
    journal.intent(AT, 0, b"h", None)
    journal.end(END)
    found = doubt_in(pieces(journal))
    assert found == Doubt(AT)


def test_nothing_is_in_doubt_of_another_end() -> None:
    journal = begun()
    journal.end({**END, "status": "incomplete"})
    assert doubt_in(pieces(journal)) is None


@pytest.mark.parametrize("verdict", ["done", "not-done"])
def test_what_is_settled_is_in_doubt_no_more(verdict: Any) -> None:
    journal = begun()
    journal.end(END)
    before = pieces(journal)
    doubt = doubt_in(before)
    assert doubt is not None
    segment = settling(doubt, verdict, {"id": 7}, actor="ada")
    after = (encode_segment(segment.raw), dict(segment.blobs))
    assert doubt_in([*before, after]) is None
    (record,) = decode_segment(*after)
    if verdict == "done":
        assert record[5] == [{"id": 7}]
        assert record[8] == {"a": 1}
    else:
        assert record[5]["code"] == "not_sent"
        assert "ada" in record[5]["message"]


def test_a_later_doubt_says_how_many_there_were_before() -> None:
    """A second attempt, or another module's: a word may have been meant for the one before."""
    journal = begun()
    journal.end(END)
    stored = pieces(journal)
    first = doubt_in(stored)
    assert first is not None
    assert first.earlier == 0
    journal = Journal()
    journal.end(END)  # a worker looked at it once more: the same
    stored += pieces(journal)
    assert doubt_in(stored) == first
    for number, failed in enumerate([[0, 2, [0], 2], [0, 5, [0], 0]], start=1):
        before = doubt_in(stored)
        assert before is not None
        segment = settling(before, "not-done", {}, actor="ada")
        stored.append((encode_segment(segment.raw), dict(segment.blobs)))
        journal = Journal()
        journal.end({**END, "failed": failed})
        stored += pieces(journal)
        found = doubt_in(stored)
        assert found is not None
        assert found.earlier == number


@asynchronous
async def test_what_came_before_the_request_in_doubt_is_not_sent_again() -> None:
    """A module sends two requests; the second was refused: that alone did not happen."""
    answers = [OK, Response(429, {}, b""), OK]
    bench = Bench(placed(2, "twice"), handler=lambda _: answers.pop(0))
    claim = await bench.accepted()
    flight = await bench.drive(await bench.flight(claim))
    assert flight.state == "uncertain"
    assert bench.keyring is not None
    stored = bench.store.segments[ORGANIZATION, RUN]
    opened = [
        (bench.keyring.open(row.data, segment_aad(ORGANIZATION, RUN, seq)), dict[bytes, bytes]())
        for seq, row in sorted(stored.items())
    ]
    doubt = doubt_in(opened)
    assert doubt is not None
    segment, seq = settling(doubt, "not-done", {}, actor="ada"), max(stored) + 1
    sealed = bench.keyring.seal(encode_segment(segment.raw), segment_aad(ORGANIZATION, RUN, seq))
    stored[seq] = SegmentRow(seq, sealed, b"")
    again = await bench.flights.bare(claim, RUN, None)
    again.prepared, again.parks, again.visible = bench.prepared, False, True
    bench.flights.load(again, await bench.flights.read_back(again), [])
    assert (await bench.drive(again)).state == "finished"
    sent = [request.url.rpartition("/")[2] for request in bench.transport.sent]
    assert sent == ["first", "second", "second"]
