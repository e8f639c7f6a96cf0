"""Group commit: one write that can't be stored fails alone, and what follows it in its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.errors import Fault
from junctor.ports.backlog import Claim
from junctor.ports.ledger import SegmentRow, Write
from junctor.runtime import committer as module
from junctor.runtime.committer import Committer
from junctor.runtime.writes import storable
from tests.support import run


def claim() -> Claim:
    return Claim(UUID(int=1), UUID(int=2), "", 1, 1, 1, "full", "standard")


def write(owner: Claim, number: int, data: bytes = b"good", seq: int = 0) -> Write:
    segment = SegmentRow(seq, data, b"")
    return Write(owner, UUID(int=number), "standard", segments=(segment,))


class Shelf:
    """A ledger and its blobs: refuses ``poison``, and is away for the first ``outages`` commits."""

    def __init__(self, outages: int = 0) -> None:
        self.kept: list[tuple[int, int]] = []
        self.outages = outages

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        if self.outages:
            self.outages -= 1
            raise psycopg.OperationalError("gone")
        if any(segment.data == b"poison" for each in writes for segment in each.segments):
            raise ValueError("poison")
        self.kept += [(each.run_id.int, s.seq) for each in writes for s in each.segments]
        return [True] * len(writes)

    async def put(self, *given: Any) -> None:
        raise AssertionError(f"no blobs here: {given}")

    get = delete = put


def test_one_write_that_cannot_be_stored_fails_alone() -> None:
    async def check() -> None:
        shelf, owner = Shelf(), claim()
        committer = Committer(shelf, shelf)  # type: ignore[arg-type]  # as much of both as is used
        futures = [
            committer.submit(write(owner, n, b"poison" if n == 5 else b"good")) for n in range(9)
        ]
        after = committer.submit(write(owner, 5, seq=1))
        words = write(owner, 5, seq=2)
        words.last_words = True
        said = committer.submit(words)
        committer.start()
        assert await said
        for number, future in enumerate(futures):
            if number == 5:
                with pytest.raises(ValueError, match="poison"):
                    await future
            else:
                assert await future
        with pytest.raises(Fault):
            await after
        assert set(shelf.kept) == {(n, 2 if n == 5 else 0) for n in range(9)}
        await committer.stop()

    run(check())


def test_a_lost_database_only_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        monkeypatch.setattr(module, "AGAIN", 0.0)
        shelf = Shelf(outages=3)
        committer = Committer(shelf, shelf)  # type: ignore[arg-type]  # as much of both as is used
        future = committer.submit(write(claim(), 1))
        committer.start()
        assert await future
        assert shelf.kept == [(1, 0)]
        await committer.stop()

    run(check())


def test_what_json_in_the_database_cannot_hold_is_replaced() -> None:
    given = {"a\0": ["\ud800", float("inf"), 1.5, None, ("x",)]}
    assert storable(given) == {"a\ufffd": ["?", "inf", 1.5, None, ["x"]]}
