"""An uncertain operation: found in its run's journal, and the record that settles it. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from junctor.engine.commands import Address
from junctor.engine.journal import Journal, Segment, Tag, decode_segment
from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Bundle

__all__ = ["Doubt", "Verdict", "doubt_in", "settling"]

Verdict = Literal["done", "not-done"]
_UNKNOWN = Uncertain.code


@dataclass(frozen=True, slots=True)
class Doubt:
    """Which operation it is, and what its journal says of the attempt."""

    address: Address
    at: datetime | None = None
    """When it was about to be sent."""
    arguments: Any = None
    """What its mapping gave, where the module can look (``ModuleDef.probe``)."""
    request: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[int, Any] = field(default_factory=dict)
    """Answers to the requests that the module sent before the one in doubt."""
    earlier: int = 0
    """How many other attempts of the run were in doubt before this one."""

    @property
    def attempt_id(self) -> str:
        """What a word about this attempt names, so that it is never taken for another's."""
        cycle, module, path, attempt = self.address
        return f"{cycle}:{module}:{'.'.join(map(str, path))}:{attempt}"


def doubt_in(segments: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> Doubt | None:
    """What keeps an uncertain run from going on; ``None`` if that is settled, or nothing does.

    ``segments`` are opened, in order, each with its blobs.
    """
    at: Address | None = None
    doubted: set[Address] = set()
    intents: dict[Address, Mapping[str, Any]] = {}
    steps: dict[Address, dict[int, Any]] = {}
    for data, blobs in segments:
        for record in decode_segment(data, blobs):
            tag = record[0]
            if tag == Tag.END:
                failed = record[1].get("failed") if record[1]["status"] == "uncertain" else None
                at = _address(failed) if failed else None
                if at is not None:
                    doubted.add(at)
            elif tag == Tag.INTENT:
                intents[_address(record[1:])] = record[7] or {}
            elif tag == Tag.STEP:
                steps.setdefault(_address(record[1:]), {})[record[5]] = record[6]
            elif (tag == Tag.FAILED and record[5]["code"] != _UNKNOWN) or tag == Tag.DONE:
                steps.pop(_address(record[1:]), None)
                at = None if at == _address(record[1:]) else at
    if at is None:
        return None
    summary = intents.get(at, {})
    when = summary.get("at")
    return Doubt(
        at,
        at=datetime.fromtimestamp(when, UTC) if when is not None else None,
        arguments=summary.get("arguments"),
        request={name: summary[name] for name in ("method", "url", "asks") if name in summary},
        steps=steps.get(at, {}),
        earlier=len(doubted - {at}),
    )


def _address(parts: list[Any]) -> Address:
    cycle, module, path, attempt = parts[:4]
    return Address(cycle, module, tuple(path), attempt)


def settling(doubt: Doubt, verdict: Verdict, bundle: Bundle, *, actor: str) -> Segment:
    """The records that say how it was. Done: ``bundle`` is what it gave. Not done: it is tried
    again, by the module's retry policy; what the module sent before the request in doubt was
    answered, and is not sent again.
    """
    journal = Journal()
    if verdict == "done":
        journal.done(doubt.address, [bundle], arguments=doubt.arguments)
    else:
        journal.failed(
            doubt.address,
            NotSent(f"It was settled by {actor} that this did not happen.", settled_by=actor),
        )
        following = doubt.address._replace(attempt=doubt.address.attempt + 1)
        for step, answer in doubt.steps.items():
            journal.step(following, step, answer)
    made = journal.take()
    assert made is not None  # a record was written
    return made
