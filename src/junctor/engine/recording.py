"""A journal read back: what a replay takes instead of doing it again."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from junctor.engine.commands import Address
from junctor.engine.journal import Tag, decode_segment, revive
from junctor.errors import JunctorError, Uncertain

__all__ = ["MISSING", "Overview", "Recorded", "Recording"]

MISSING: Any = object()
"""Nothing is recorded."""


@dataclass(slots=True)
class Recorded:
    """What is known of one attempt of one operation."""

    output: Any = MISSING
    """Bundle or list of bundles, once done; ``None``: a handler has dealt with its failure."""
    bytes: int = 0
    error: JunctorError | None = None
    intents: dict[int, builtins.bytes] = field(default_factory=dict)
    """Hash of the request, by step."""
    steps: dict[int, Any] = field(default_factory=dict)
    """Answers, by step."""
    due: float | None = None
    """When a wait before this attempt is over (epoch seconds)."""
    answer: bool | None = None
    """Whether this answer to the caller was the one sent."""
    ends: int = 0
    """How often the run had ended before: what came later was resumed."""

    @property
    def unanswered(self) -> builtins.bytes | None:
        """Hash of a request that was perhaps sent and has no recorded answer."""
        for step, request_hash in self.intents.items():
            if step not in self.steps:
                return request_hash
        return None

    def settled(self, *, pure: bool) -> bool:
        """Whether no later record can change what happened."""
        if self.output is not MISSING or self.answer is not None:
            return True
        return not pure and self.error is not None and not isinstance(self.error, Uncertain)


@dataclass(slots=True)
class Overview:
    """What is known of a recording without replaying it."""

    staged: list[Any] = field(default_factory=list)
    """What was written and not applied, in order."""
    ends: int = 0
    """How often the run has ended."""
    cycle: int = 0
    """The last cycle that anything is recorded of."""
    values: dict[str, Any] = field(default_factory=dict)
    """The values of the run."""


class Recording:
    """The records of a run, found by address.

    Segments (encoded, in order; a sequence, if there is to be an `overview`) are decoded one at a
    time, as far as needed. Records that belong elsewhere than where the replay stands are kept
    until asked for; as a replay asks in nearly the order of recording, they are few, and memory
    stays flat however long the run was.
    """

    def __init__(
        self, segments: Iterable[bytes], blobs: Mapping[bytes, bytes] | None = None
    ) -> None:
        self._segments = segments
        self._blobs = blobs
        self._records = self._decoded()
        self._overview: Overview | None = None
        self._pending: dict[tuple[Any, ...], Recorded] = {}
        self._values: dict[str, Any] = {}
        self.exhausted = False
        """Everything has been read; what is not kept does not exist."""
        self.ends = 0
        """Ends of the run read so far."""
        self.end: Mapping[str, Any] | None = None
        """The last of them."""
        self.header: Mapping[str, Any] = {}
        """What the run pinned; empty if nothing was recorded."""
        self._read()

    def take(self, address: Address, *, pure: bool = False) -> Recorded | None:
        """What is recorded of this attempt, once; ``None`` if nothing is.

        An intent without a result is returned as such. ``pure``: a failure is not final, as the
        operation may have been evaluated again under the same address.
        """
        pending = self._pending
        while True:
            entry = pending.get(address)
            if entry is not None and entry.settled(pure=pure):
                break
            if not self._read():
                break
        return pending.pop(address, None)

    def knows(self, address: Address) -> bool:
        """Whether anything is recorded of this attempt; it stays to be taken."""
        while address not in self._pending and self._read():
            pass
        return address in self._pending

    def finish(self) -> Mapping[str, Any] | None:
        """Reads to the end; how the run ended last."""
        while self._read():
            pass
        return self.end

    def overview(self) -> Overview:
        """All records looked through once, one segment at a time; the replay reads them again."""
        if self._overview is None:
            self._overview = found = Overview()
            for record in self._decoded():
                tag = record[0]
                if tag == Tag.SETTLED:
                    found.staged = [record[2]]
                elif tag == Tag.STAGED:
                    found.staged.append(record[5])
                elif tag == Tag.END:
                    found.ends += 1
                elif tag == Tag.VALUE:
                    found.values.setdefault(record[1], record[2])
                elif tag != Tag.HEADER:
                    found.cycle = max(found.cycle, record[1])
        return self._overview

    def edits(self) -> dict[tuple[int, int, tuple[int, ...]], Any]:
        """Bundles that a person has changed, the last change of each: values called ``edit …``,
        each ``[cycle, module, path, bundle]``.
        """
        found = self.overview().values.items()
        edits = [value for name, value in found if name.startswith("edit ")]
        return {(cycle, module, tuple(path)): bundle for cycle, module, path, bundle in edits}

    def _decoded(self) -> Iterator[list[Any]]:
        return chain.from_iterable(decode_segment(each, self._blobs) for each in self._segments)

    def value(self, name: str) -> Any:
        """A value of the run, or `MISSING`."""
        while name not in self._values and self._read():
            pass
        return self._values.get(name, MISSING)

    def began_with(self, name: str, default: Any) -> Any:
        """A value that was recorded before anything was done; reads no further than that."""
        while name not in self._values and not self._pending and self._read():
            pass
        return self._values.get(name, default)

    @property
    def spent(self) -> bool:
        """Nothing is left to take: from here on the run is new."""
        return self.exhausted and not self._pending

    def _read(self) -> bool:
        record = next(self._records, None)
        if record is None:
            self.exhausted = True
            return False
        tag = record[0]
        if tag == Tag.HEADER:
            self.header = self.header or record[1]
        elif tag == Tag.VALUE:
            self._values.setdefault(record[1], record[2])
        elif tag == Tag.END:
            self.ends += 1
            self.end = record[1]
        elif tag not in {Tag.STAGED, Tag.SETTLED}:
            key = (record[1], record[2], tuple(record[3]), record[4])
            entry = self._pending.get(key)
            if entry is None:
                entry = self._pending[key] = Recorded()
            entry.ends = self.ends
            self._merge(entry, tag, record)
        return True

    @staticmethod
    def _merge(entry: Recorded, tag: int, record: list[Any]) -> None:
        if tag == Tag.OPERATION:
            entry.output = record[5]
        elif tag == Tag.DONE:
            entry.output = record[5]
            entry.bytes = record[6]
        elif tag == Tag.INTENT:
            entry.intents[record[5]] = record[6]
        elif tag == Tag.STEP:
            entry.steps[record[5]] = record[6]
        elif tag == Tag.FAILED:
            entry.error = revive(record[5])
        elif tag == Tag.WAIT:
            entry.due = record[5]
        elif tag == Tag.ANSWER:
            entry.answer = record[5]
