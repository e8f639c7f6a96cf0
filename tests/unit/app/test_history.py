"""Operations as people read them, from a journal."""

from __future__ import annotations

from typing import Any

from junctor.app.history import operations_of
from junctor.engine.commands import Address
from junctor.engine.journal import Journal, encode_segment
from junctor.errors import DataError


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
