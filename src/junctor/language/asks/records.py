"""Records of the data store a module is bound to, and what a placed module remembers.

Reads see what the run itself has written. Writes are staged: they are applied in the transaction
that records the commit (after the module, or at the end of the cycle), and if another run has
changed a record since it was read, the module is done again with what is there now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from junctor.language.connector import Ask, Bundle

__all__ = [
    "ClearRecords",
    "CountRecords",
    "FindRecords",
    "ReadRecord",
    "ReadState",
    "StateScope",
    "WriteRecord",
    "WriteState",
]

StateScope = Literal["cycle", "run", "scenario"]


@dataclass(frozen=True, slots=True)
class ReadRecord(Ask):
    """Answered with the record's data, or ``None``."""

    key: str


@dataclass(frozen=True, slots=True)
class WriteRecord(Ask):
    """Puts a record, or removes it with ``data=None``. Answered with its key.

    A blank key is answered with a fresh one. What is put must fit the store's data structure; its
    fields in ``kept`` were there before, so that a strict structure lets them be.
    """

    key: str
    data: Bundle | None
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRecords(Ask):
    """Answered with ``[{"key", "data"}, …]``.

    ``conditions`` are a filter's, any group of all conditions, each ``(a, operator, b)`` with ``a``
    the dotted path of a field (or ``key``); ``sort`` has fields and whether they ascend. Without
    it, records come as the database keeps them, those that the run has added last.
    """

    conditions: tuple[tuple[tuple[str, str, Any], ...], ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class CountRecords(Ask):
    """Answered with how many records there are."""


@dataclass(frozen=True, slots=True)
class ClearRecords(Ask):
    """Removes every record. Answered with how many there were."""


@dataclass(frozen=True, slots=True)
class ReadState(Ask):
    """What the placed module remembers in a scope, or ``None``.

    Scope ``scenario`` outlives the run; the others don't.
    """

    scope: StateScope = "scenario"
    shared: str = ""
    """A name under which all modules of the run share it; empty: the placed module's own."""


@dataclass(frozen=True, slots=True)
class WriteState(Ask):
    """Remembers a plain value. Answered with ``None``."""

    value: Any
    scope: StateScope = "scenario"
    shared: str = ""
    """As in `ReadState`."""
