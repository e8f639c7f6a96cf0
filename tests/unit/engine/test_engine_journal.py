from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from engine_kit import encode_records

from junctor import errors
from junctor.engine.commands import Address
from junctor.engine.journal import (
    BREATH,
    FIRST,
    SEGMENT_BYTES,
    Journal,
    decode_segment,
    encode_segment,
    error_record,
    revive,
)
from junctor.engine.recording import MISSING, Recording
from junctor.errors import DataError, Fault, JunctorError, NotSent, RateLimited, Unsupported
from junctor.language.connector import Secret

AT = Address(0, 7, (0, 3))


def stored(journal: Journal) -> list[list[Any]]:
    segment = journal.take()
    assert segment is not None
    records = list(decode_segment(encode_segment(segment.raw), segment.blobs))
    assert len(records) == segment.records
    return records


def test_records_come_back_as_they_were() -> None:
    journal = Journal()
    when = datetime(2026, 11, 21, 12, 30, 0, 250_000, tzinfo=UTC)
    journal.header({"engine": 1})
    journal.operation(0, 3, (1, 2), 0, {"at": when, "raw": b"\x00\xff", "n": 1.5, "none": None})
    journal.intent(AT, 0, b"hash", "POST /messages")
    journal.done(AT, [{"id": 1}], 120, 35.5, {"text": "hi"})
    journal.step(AT, 1, {"status": 200})
    journal.failed(AT, NotSent(host="a.example", reason="timeout"))
    journal.value("seed", b"s")
    journal.wait(AT, 1234.5)
    journal.answered(AT, (200, (("content-type", "text/plain"),), b"ok"), sent=True)
    journal.end({"status": "finished"})
    assert stored(journal) == [
        [0, {"engine": 1}],
        [1, 0, 3, [1, 2], 0, {"at": when, "raw": b"\x00\xff", "n": 1.5, "none": None}],
        [2, 0, 7, [0, 3], 0, 0, b"hash", "POST /messages"],
        [3, 0, 7, [0, 3], 0, [{"id": 1}], 120, 35.5, {"text": "hi"}],
        [4, 0, 7, [0, 3], 0, 1, {"status": 200}],
        [5, 0, 7, [0, 3], 0, error_record(NotSent(host="a.example", reason="timeout"))],
        [6, "seed", b"s"],
        [8, 0, 7, [0, 3], 0, 1234.5],
        [9, 0, 7, [0, 3], 0, True, 200, [["content-type", "text/plain"]], b"ok"],
        [7, {"status": "finished"}],
    ]
    assert journal.take() is None
    assert journal.size == 0
    assert journal.written == 10


def test_texts_of_other_types_are_recorded_as_texts() -> None:
    class Text(str):
        __slots__ = ()

    journal = Journal()
    journal.operation(0, 1, (), 0, {"a": Text("x"), "b": Secret("y")})
    assert stored(journal)[0][5] == {"a": "x", "b": "y"}


@pytest.mark.parametrize("data", [b"", b"\x00abc", b"\x02abc"])
def test_an_unknown_format_is_named(data: bytes) -> None:
    with pytest.raises(Unsupported, match="segment format"):
        list(decode_segment(data))


def test_a_damaged_segment_is_a_fault() -> None:
    whole = encode_records([[7, {}]])
    for damaged in (whole[:-3], whole[:1] + b"rubbish", encode_segment(b"\xdd\x00")):
        with pytest.raises(Fault, match="damaged"):
            list(decode_segment(damaged))


def test_an_unknown_extension_is_a_fault() -> None:
    with pytest.raises(Fault, match="extension 5"):
        list(decode_segment(encode_records([[7, msgspec.msgpack.Ext(5, b"x")]])))


def test_any_mapping_is_recorded_as_a_collection() -> None:
    journal = Journal()
    journal.header(MappingProxyType({"a": 1}))
    assert stored(journal) == [[0, {"a": 1}]]


def test_large_values_leave_the_record_once() -> None:
    journal = Journal()
    large, small = "x" * 70_000, "y" * 1000
    journal.operation(0, 1, (), 0, {"body": large, "small": small})
    journal.done(AT, [{"body": large}, {"n": 1}], arguments={"file": large})
    segment = journal.take()
    assert segment is not None
    assert len(segment.raw) < 3000
    assert len(segment.blobs) == 1
    first, second = decode_segment(encode_segment(segment.raw), segment.blobs)
    assert first[5] == {"body": large, "small": small}
    assert second[5] == [{"body": large}, {"n": 1}]
    assert second[8] == {"file": large}
    with pytest.raises(Fault, match="missing"):
        list(decode_segment(encode_segment(segment.raw)))


def test_blobs_count_towards_the_flush() -> None:
    journal = Journal()
    assert not journal.tick()
    for letter in "abcde":
        journal.operation(0, 1, (), 0, {"body": letter * 60_000, "other": letter * 70_000})
    assert journal.size > SEGMENT_BYTES
    assert journal.tick()


def test_a_tick_in_every_breath() -> None:
    journal = Journal()
    assert [journal.tick() for _ in range(2 * BREATH)].count(True) == 2


@pytest.mark.parametrize("value", [2**70, object(), {1: [2**64]}])
def test_what_cannot_be_recorded_leaves_the_buffer_whole(value: Any) -> None:
    journal = Journal()
    journal.operation(0, 1, (), 0, {"a": 1})
    with pytest.raises(DataError, match="can't be recorded"):
        journal.operation(0, 1, (1,), 0, {"x": "text" * 10, "a": value})
    with pytest.raises(DataError, match="can't be recorded"):
        journal.done(AT, [{"a": value}])
    assert stored(journal) == [[1, 0, 1, [], 0, {"a": 1}]]


def test_detail_first_records_each_modules_first_thousand() -> None:
    journal = Journal("first")
    wanted = [journal.wants(1) for _ in range(FIRST + 5)]
    assert wanted == [True] * FIRST + [False] * 5
    assert journal.wants(2)
    assert journal.skipped == 5


def test_detail_errors_records_no_pure_operation() -> None:
    journal = Journal("errors")
    assert not journal.wants(1)
    assert not journal.wants(1, 64)
    assert journal.skipped == 2


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_comes_back_as_its_class(name: str) -> None:
    kind: type[JunctorError] = getattr(errors, name)
    again = revive(error_record(kind("said", a=1)))
    assert type(again) is kind
    assert (again.message, again.params) == ("said", {"a": 1})


def test_codes_are_unique() -> None:
    codes = [getattr(errors, name).code for name in errors.__all__]
    assert len(codes) == len(set(codes))


def test_retry_after_comes_back() -> None:
    again = revive(error_record(RateLimited(retry_after=60.0)))
    assert isinstance(again, RateLimited)
    assert again.retry_after == 60.0


def test_an_error_of_an_unknown_code_becomes_a_fault() -> None:
    again = revive({"code": "of-later", "message": "m", "params": {}})
    assert type(again) is Fault


def test_a_failure_is_recorded_whatever_its_params() -> None:
    journal = Journal()
    journal.failed(AT, DataError(reason="bad", value=object))
    assert stored(journal)[0][5]["params"]["reason"] == "bad"


def test_taking_by_address_whatever_the_order() -> None:
    records = [
        [0, {"engine": 1}],
        [1, 0, 1, [1], 0, {"n": 1}],
        [1, 0, 1, [0], 0, {"n": 0}],
        [6, "now", 5],
        [7, {"status": "incomplete"}],
        [1, 0, 1, [2], 0, {"n": 2}],
    ]
    recording = Recording([encode_records(records)])
    assert recording.header == {"engine": 1}
    for n in (0, 1):
        entry = recording.take(Address(0, 1, (n,)), pure=True)
        assert entry is not None
        assert entry.output == {"n": n}
        assert entry.ends == 0
    assert recording.take(Address(0, 1, (0,)), pure=True) is None
    assert recording.value("now") == 5
    assert recording.value("seed") is MISSING
    assert recording.knows(Address(0, 1, (2,)))
    assert not recording.knows(Address(0, 1, (3,)))
    late = recording.take(Address(0, 1, (2,)), pure=True)
    assert late is not None
    assert late.ends == 1
    assert recording.spent
    assert recording.finish() == {"status": "incomplete"}


def test_an_overview_keeps_nothing_of_what_is_to_be_replayed() -> None:
    operations = [[1, cycle, 1, [0], 0, {"n": cycle}] for cycle in range(3)]
    first = [[0, {}], [6, "start", "all"], [10, 0, 2, [], 0, "a"], [11, 0, "b"], *operations]
    second = [[7, {}], [10, 2, 2, [], 0, "c"]]
    recording = Recording([encode_records(first), encode_records(second)])
    known = recording.overview()
    assert (known.staged, known.ends, known.cycle) == (["b", "c"], 1, 2)
    assert known.values == {"start": "all"}
    assert (recording.exhausted, recording.spent) == (False, False)
    assert recording.take(Address(2, 1, (0,)), pure=True) is not None


def test_segments_are_decoded_as_far_as_needed() -> None:
    read: list[int] = []

    def segments() -> Iterator[bytes]:
        for n in range(10):
            read.append(n)
            yield encode_records([[1, 0, 1, [n, i], 0, {}] for i in range(10)])

    recording = Recording(segments())
    recording.take(Address(0, 1, (3, 5)), pure=True)
    assert read == [0, 1, 2, 3]
    assert len(recording._pending) == 35


def test_nothing_recorded() -> None:
    recording = Recording([])
    assert recording.header == {}
    assert recording.take(AT) is None
    assert recording.spent


def test_an_intent_without_a_result_is_returned_as_such() -> None:
    records = [[2, 0, 7, [0, 3], 0, 0, b"h0", None], [4, 0, 7, [0, 3], 0, 0, {}]]
    entry = Recording([encode_records(records)]).take(AT)
    assert entry is not None
    assert entry.unanswered is None
    records.append([2, 0, 7, [0, 3], 0, 1, b"h1", None])
    entry = Recording([encode_records(records)]).take(AT)
    assert entry is not None
    assert entry.unanswered == b"h1"
    assert entry.output is MISSING
