"""What a run has written and not committed: what it sees itself, and what a commit applies."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from junctor.ports.ledger import Kept
from junctor.runtime.staging import RecordWrite, Staged, StateWrite, Structure

STORE, OTHER = UUID(int=1), UUID(int=2)


def test_nothing_is_staged_at_first() -> None:
    staged = Staged()
    assert staged.is_empty
    assert staged.record(STORE, "a") is None
    assert staged.written(STORE) == []
    assert not any(staged.to_apply())


def test_a_write_is_based_on_what_was_read_first() -> None:
    staged = Staged()
    staged.begin("operation 1")
    staged.seen[STORE, "a"] = 3
    staged.put(STORE, "a", {"n": 1})
    staged.put(STORE, "blind", {"n": 1})
    staged.begin("operation 2")
    staged.put(STORE, "a", {"n": 2})  # seen through the overlay: still on top of revision 3
    assert staged.to_apply().records == [
        RecordWrite(STORE, "a", {"n": 2}, 3),
        RecordWrite(STORE, "blind", {"n": 1}, None),
    ]


def test_what_an_earlier_operation_read_is_no_base() -> None:
    staged = Staged()
    staged.begin("operation 1")
    staged.seen[STORE, "a"] = 3
    staged.begin("operation 1")
    assert staged.seen == {(STORE, "a"): 3}
    before = staged.mark()
    for _ in range(2):  # also when it is done again
        staged.begin("operation 2")
        staged.put(STORE, "a", {"n": 1})
        assert staged.to_apply().records == [RecordWrite(STORE, "a", {"n": 1}, None)]
        staged.restore(before)


def test_done_again_an_operation_reads_anew() -> None:
    staged = Staged()
    before = staged.mark()
    for revision in (3, 4):
        staged.begin("operation 1")
        staged.seen.setdefault((STORE, "a"), revision)
        staged.put(STORE, "a", {"n": 1})
        assert staged.to_apply().records == [RecordWrite(STORE, "a", {"n": 1}, revision)]
        staged.restore(before)


def test_a_fresh_key_must_be_free() -> None:
    staged = Staged()
    staged.insert(STORE, "a", {"n": 1})
    staged.put(STORE, "a", None)
    assert staged.to_apply().records == [RecordWrite(STORE, "a", None, 0)]


def test_emptying_a_store_takes_this_runs_records_with_it() -> None:
    staged = Staged()
    staged.put(STORE, "a", {"n": 1})
    staged.put(OTHER, "a", {"n": 1})
    staged.clear(STORE)
    assert staged.record(STORE, "a") == RecordWrite(STORE, "a", None, None)
    staged.seen[STORE, "b"] = 5  # whatever was read: it is gone
    staged.put(STORE, "b", {"n": 2})
    assert staged.written(STORE) == [RecordWrite(STORE, "b", {"n": 2}, None)]
    assert staged.to_apply() == Kept(
        [RecordWrite(OTHER, "a", {"n": 1}, None), RecordWrite(STORE, "b", {"n": 2}, None)],
        frozenset({STORE}),
        [],
    )


def test_each_operations_part_makes_the_whole_again() -> None:
    staged, again = Staged(), Staged()

    def two() -> None:
        staged.put(STORE, "b", {"n": 2})
        staged.put(STORE, "c", {"n": 3})

    steps: list[Callable[[], None]] = [
        lambda: staged.put(STORE, "a", {"n": 1}),
        lambda: staged.clear(STORE),
        two,
        lambda: staged.put(STORE, "c", None),
        lambda: staged.remember(1, "cycle", {"at": {"$date": "2026-01-02T00:00:00.000Z"}}),
        lambda: staged.remember(1, "scenario", 2),
    ]
    for step in steps:
        before = staged.mark()
        step()
        part = msgspec.msgpack.encode(staged.since(before).as_record())
        again.add(Staged.from_record(msgspec.msgpack.decode(part)))
        assert again.to_apply() == staged.to_apply()
        assert again.states == staged.states


def test_what_modules_remember_is_based_on_what_they_read() -> None:
    staged = Staged()
    staged.begin("operation 1")
    staged.seen[7] = 4
    staged.remember(7, "scenario", 1)
    staged.remember(7, "scenario", 2)
    staged.remember(7, "run", 3)
    assert staged.to_apply().states == [StateWrite(7, 2, 4)]


def test_stores_are_found_once_per_run_and_are_no_writes() -> None:
    staged = Staged()
    staged.stores[STORE] = Structure(({"name": "a"},), True)
    assert staged.is_empty
    assert Staged.from_record(staged.as_record()).stores == {}


def test_marks_within_marks_are_taken_back_one_by_one() -> None:
    staged = Staged()
    staged.put(STORE, "a", {"n": 1})
    first = staged.mark()
    staged.put(STORE, "a", {"n": 2})
    staged.put(STORE, "b", {"n": 2})
    staged.remember(1, "scenario", 2)
    second = staged.mark()
    staged.clear(STORE)
    staged.put(STORE, "b", {"n": 3})
    staged.remember(1, "scenario", 3)
    staged.applied(staged.to_apply())
    assert staged.is_empty
    staged.restore(second)
    staged.release()
    assert staged.to_apply() == Kept(
        [RecordWrite(STORE, "a", {"n": 2}, None), RecordWrite(STORE, "b", {"n": 2}, None)],
        frozenset(),
        [StateWrite(1, 2, None)],
    )
    staged.restore(first)
    staged.release()
    assert staged.to_apply() == Kept([RecordWrite(STORE, "a", {"n": 1}, None)], frozenset(), [])


def test_a_rollback_can_be_taken_back() -> None:
    staged = Staged()
    staged.put(STORE, "a", {"n": 1})
    staged.clear(OTHER)
    mark = staged.mark()
    assert staged.drop("scenario")
    assert not staged.drop("scenario")
    staged.restore(mark)
    assert staged.to_apply() == Kept(
        [RecordWrite(STORE, "a", {"n": 1}, None)], frozenset({OTHER}), []
    )
