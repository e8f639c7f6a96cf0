"""A run's operations, read from its journal for people and the API.

Redaction happens here, on the way out; the journal itself keeps true values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from junctor.app.logs import redact, redact_bundle
from junctor.engine.journal import CHUNK, Tag, decode_segment
from junctor.errors import Uncertain
from junctor.language.outputs import unpack_outputs

__all__ = ["Operations", "Place", "operations_of", "place_of"]

Key = tuple[int, int, tuple[int, ...], int]
Place = tuple[int, int, frozenset[str]]
"""Where a page begins: segment, record in it, and marks of operations that began before and end
after.
"""

MOST_BUNDLES = 2_000
MOST_BYTES = 8 * 1024 * 1024
"""Of a page, more or less: of an iterator's bundles, and of stored segments."""
_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_read_place = msgspec.json.Decoder(tuple[_Number, _Number, str]).decode  # or a ValueError
_OPEN = frozenset({"sent", "waiting"})
_SAYS_NOTHING = frozenset({Tag.HEADER, Tag.VALUE, Tag.END, Tag.STAGED, Tag.SETTLED})


def operations_of(
    segments: Iterable[tuple[bytes, Mapping[bytes, bytes]]],
    names: Mapping[int, str] | None = None,
) -> list[dict[str, Any]]:
    """All operations of a short journal, as `Operations` gives them.

    ``segments`` are opened (unsealed) segments in order, each with its blobs; ``names`` are module
    names by id.
    """
    found = Operations(names)
    for data, blobs in segments:
        for record in decode_segment(data, blobs):
            found.take(record)
    return found.shown


def place_of(text: str) -> Place:
    """A place as `Operations.next` wrote it; `ValueError` if it did not."""
    seq, position, marks = _read_place(text)
    return seq, position, frozenset(marks.split())


class Operations:
    """Operations in the order they were first recorded; a page of them, if it has a ``limit``.

    Each has ``cycle``, ``module``, ``name``, ``path``, ``attempt``, ``status`` (done, failed, sent,
    waiting), ``bundles``, ``bytes``, ``ms``, ``input``, ``request`` and ``error``, as far as known.
    ``handled``: an error handler decided; without bundles, that the module's bundle was dropped.
    ``first``: a list of bundles that began on a page before goes on here, with this one.

    What is recorded of a page's operations after its end is read too, until all of them have
    ended; nothing else is kept, so memory does not grow with the run.
    """

    def __init__(
        self,
        names: Mapping[int, str] | None = None,
        *,
        limit: int | None = None,
        since: Place = (0, 0, frozenset()),
    ) -> None:
        self._found: dict[Key, dict[str, Any]] = {}
        self._names = names or {}
        self._limit = limit
        self._since = since[:2]
        self._before = set(since[2])
        self._open: set[Key] = set()
        self._failed: Key | None = None
        self._bundles = self._bytes = 0
        self.next: str | None = None
        """Where the following page begins; ``None`` until that is known, and at the end."""

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What was found."""
        return list(self._found.values())

    def read(self, seq: int, data: bytes, blobs: Mapping[bytes, bytes]) -> bool:
        """Takes an opened segment; false once nothing that follows belongs to the page."""
        self._bytes += len(data) + sum(map(len, blobs.values()))
        for position, record in enumerate(decode_segment(data, blobs)):
            if (seq, position) < self._since:
                continue
            if self.next is None and self._ends_before(record):
                marks = sorted(self._before | {_mark(key) for key in self._open})
                self.next = json.dumps([seq, position, " ".join(marks)], separators=(",", ":"))
            self.take(record)
            if self.next is not None and not self._open:
                return False
        return True

    def _ends_before(self, record: list[Any]) -> bool:
        if self._limit is None or not self._found or record[0] in _SAYS_NOTHING:
            return False
        key, listed = _key(record)
        if (key in self._found and not listed) or _mark(key) in self._before:
            return False
        if self._handling(key) and len(self._found) < 2 * self._limit:
            return False
        return (
            len(self._found) >= self._limit
            or self._bundles >= MOST_BUNDLES
            or self._bytes >= MOST_BYTES
        )

    def _handling(self, key: Key) -> bool:
        """Whether this is of the error handler of the operation that failed last: what that one
        decides is said at its end, of the same operation.
        """
        if self._failed is None:
            return False
        cycle, _, path, _ = self._failed
        if key[0] != cycle or key[2][: len(path)] != path:
            self._failed = None
        return self._failed is not None

    def take(self, record: list[Any]) -> None:
        """Takes a record; of those after the page's end, only what its operations need."""
        if record[0] in _SAYS_NOTHING:
            return
        key, listed = _key(record)
        if self._before and (mark := _mark(key)) in self._before:
            if _ends(record):
                self._before.discard(mark)
            return
        if self.next is not None and (listed or key not in self._found):
            return
        entry = self._found.get(key)
        if entry is None:
            entry = self._found[key] = {
                "cycle": key[0],
                "module": key[1],
                "name": self._names.get(key[1], ""),
                "path": list(key[2]),
                "attempt": key[3],
                "status": "sent",
                "bundles": [],
            }
            if listed and record[4]:
                entry["first"] = record[4] * CHUNK
        before = len(entry["bundles"])
        _merge(entry, record, listed=listed)
        self._bundles += len(entry["bundles"]) - before
        if record[0] == Tag.FAILED:
            self._failed = key
        if _ends(record):
            self._open.discard(key)
        else:
            self._open.add(key)


def _key(record: list[Any]) -> tuple[Key, bool]:
    # Lists of an iterator's bundles are numbered where other records count attempts.
    listed = record[0] == Tag.OPERATION and isinstance(record[5], list)
    return (record[1], record[2], tuple(record[3]), 0 if listed else record[4]), listed


def _ends(record: list[Any]) -> bool:
    """Whether no later record says more of its operation."""
    if record[0] == Tag.FAILED:
        return bool(record[5]["code"] != Uncertain.code)  # that is settled later
    return record[0] in {Tag.OPERATION, Tag.DONE, Tag.ANSWER}


def _mark(key: Key) -> str:
    """A short name of an operation, for a cursor."""
    return blake2b(repr(key).encode(), digest_size=5).hexdigest()


def _merge(entry: dict[str, Any], record: list[Any], *, listed: bool) -> None:
    tag, attempt = record[0], record[4]
    if tag == Tag.OPERATION:
        entry["status"] = "done"
        if not listed and attempt > 0:  # what an error handler put in the place of a failed attempt
            entry["handled"] = True
        output = record[5] if listed else [] if record[5] is None else [record[5]]
        entry["bundles"].extend(redact_bundle(bundle) for bundle in output)
    elif tag == Tag.DONE:
        entry.pop("error", None)
        entry["status"] = "done"
        entry["bundles"] = [redact_bundle(bundle) for bundle in record[5]]
        entry["bytes"], entry["ms"] = record[6], record[7]
        if record[8] is not None:
            entry["input"] = redact_bundle(record[8])
    elif tag == Tag.FAILED:
        entry["status"] = "failed"
        entry["error"] = redact(record[5])
        if len(record) > 6:  # not of what the engine does by itself, nor of earlier releases
            entry["input"] = redact_bundle(record[6])
    elif tag == Tag.INTENT and record[7] is not None:
        request = dict(record[7])
        given = request.pop("arguments", None)
        if given is not None:
            entry.setdefault("input", redact_bundle(given))
        entry["request"] = redact_bundle(request)
    elif tag == Tag.WAIT:
        entry["status"] = "waiting" if entry["status"] in _OPEN else entry["status"]
        entry["due"] = datetime.fromtimestamp(record[5], UTC)
    elif tag == Tag.ANSWER:
        entry["status"] = "done"
        data = unpack_outputs(record[6], record[7], record[8])
        if data is None:
            entry["bundles"] = [{"status": record[6], "body": _text(record[8])}]
        else:
            entry["bundles"] = [redact_bundle(data)]


def _text(body: Any) -> Any:
    if isinstance(body, bytes):
        return body.decode("utf-8", errors="replace")
    return body
