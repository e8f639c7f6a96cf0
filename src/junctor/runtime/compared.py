"""Two ways of a run, side by side: what its journal says, and what was told again. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from junctor.engine.journal import Tag
from junctor.runtime.repeats import Past
from junctor.runtime.retold import Place, Told

__all__ = ["MOST_CHANGES", "Change", "Facts", "Kind", "beside", "compare", "facts"]

MOST_CHANGES = 1_000
"""Of one run; more would not be read."""

Kind = Literal[
    "status", "error", "added", "removed", "arguments", "outcome", "output", "answer", "stopped",
    "set_aside",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that went another way.

    ``added``, ``removed``: something is (not) sent any more; ``arguments``: it is sent with others;
    ``outcome``: it fails, or does not fail any more; ``output``: a module gives other bundles;
    ``answer``: the caller gets another one; ``stopped``: how many bundles a filter stops;
    ``set_aside``: how many become runs of their own.
    """

    kind: Kind
    before: Any
    after: Any
    module: int | None = None
    cycle: int = 0
    path: tuple[int, ...] = ()


@dataclass(slots=True)
class Facts:
    """What became of each operation in the end."""

    outputs: dict[Place, list[Any]] = field(default_factory=dict)
    """Of pure operations: what they gave, list by list."""
    answers: dict[Place, Any] = field(default_factory=dict)
    sent: dict[Place, Any] = field(default_factory=dict)
    """Arguments of the effects that were done."""
    failed: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    """Errors of operations that were not done in the end."""
    outdated: set[Place] = field(default_factory=set)
    """What was given or sent before a person edited a bundle of the run: the edit, and not the
    version, is why it would be another one now.
    """

    def knows(self, place: Place) -> bool:
        """Whether the operation was made."""
        return place in self.sent or place in self.failed or place in self.outputs

    def told(self, place: Place) -> Any:
        """Why it failed; or what was sent, or given."""
        error = self.failed.get(place)
        if error is not None:
            return error["message"]
        return self.sent[place] if place in self.sent else _flat(self.outputs.get(place))


def facts(records: Iterable[list[Any]]) -> Facts:
    """What the records say."""
    found = Facts()
    for record in records:
        tag = record[0]
        if tag == Tag.VALUE and record[1].startswith("edit "):
            found.outdated.update(found.outputs, found.sent)
        if tag not in {Tag.OPERATION, Tag.DONE, Tag.FAILED, Tag.ANSWER}:
            continue
        place = (record[1], record[2], tuple(record[3]))
        if tag == Tag.OPERATION:
            if record[5] is None:  # a handler dealt with its failure
                continue
            found.failed.pop(place, None)
            found.outdated.discard(place)
            lists = found.outputs.setdefault(place, [])
            lists[record[4] :] = [record[5]]
        elif tag == Tag.DONE:
            found.failed.pop(place, None)
            found.outdated.discard(place)
            found.sent[place] = record[8]
        elif tag == Tag.FAILED:
            found.failed[place] = record[5]
        elif record[5]:
            body = record[8]
            text = body.decode(errors="replace") if isinstance(body, bytes) else body
            found.answers[place] = {"status": record[6], "body": text}
    return found


def compare(past: Past, records: Iterable[list[Any]], told: Told, *, warnings: int) -> list[Change]:
    """What changed in a run that was told again, its end first; `MOST_CHANGES` at most.

    ``records`` are those of the recorded run that were made again, and ``warnings`` the bundles
    that it set aside.
    """
    result = told.result
    error = result.error.message if result.error is not None else None
    failed = result.failed.module if result.failed is not None else None
    now = _End(result.status, error, failed, result.dropped, result.warnings)
    whole = past.header.get("detail", "full") == "full"
    made = _changes(facts(records), facts(told.records), told.new, whole=whole)
    return [*_ends(_end(past, warnings), now), *made][:MOST_CHANGES]


def beside(
    past: Past,
    records: Iterable[list[Any]],
    other: Past,
    others: Iterable[list[Any]],
    *,
    warnings: tuple[int, int],
) -> list[Change]:
    """The same of two runs that were made; their triggers aside, and what was not recorded."""
    before, after = (
        facts(each for each in both if of.trigger is None or each[2:4] != [of.trigger, []])
        for both, of in ((records, past), (others, other))
    )
    whole = all(each.header.get("detail", "full") == "full" for each in (past, other))
    ends = _ends(_end(past, warnings[0]), _end(other, warnings[1]))
    return [*ends, *_changes(before, after, (), whole=whole)][:MOST_CHANGES]


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended."""

    status: str | None
    error: str | None
    failed: int | None
    dropped: Mapping[int, int]
    warnings: int


def _end(past: Past, warnings: int) -> _End:
    end = past.end or {}
    error = end.get("error")
    dropped = {int(module): count for module, count in (end.get("dropped") or {}).items()}
    return _End(
        end.get("status"),
        error["message"] if error else None,
        past.failed.module if past.failed is not None else None,
        dropped,
        warnings,
    )


def _ends(was: _End, now: _End) -> list[Change]:
    changes = []
    if was.status != now.status:
        changes.append(Change("status", was.status, now.status))
    if (was.error, was.failed) != (now.error, now.failed):
        changes.append(Change("error", was.error, now.error, now.failed or was.failed))
    for module in sorted({*was.dropped, *now.dropped}):
        counts = was.dropped.get(module, 0), now.dropped.get(module, 0)
        if counts[0] != counts[1]:
            changes.append(Change("stopped", *counts, module))
    if was.warnings != now.warnings:
        changes.append(Change("set_aside", was.warnings, now.warnings))
    return changes


def _changes(before: Facts, after: Facts, new: Collection[Place], *, whole: bool) -> list[Change]:
    failed = {*before.failed, *after.failed}
    return [
        *_effects(before, after, new),
        *_differences("answer", before.answers, after.answers),
        *(
            change
            for change in _differences("output", before.outputs, after.outputs, both=not whole)
            if (change.cycle, change.module, change.path) not in failed | before.outdated
        ),
    ]


def _effects(before: Facts, after: Facts, new: Collection[Place]) -> list[Change]:
    changes = []
    for place in {**before.sent, **before.failed, **after.sent, **after.failed}:
        was, now = before.told(place), after.told(place)
        kind: Kind = "outcome"
        if place in new or not (before.knows(place) or place in after.failed):
            kind, was = "added", None
        elif place in before.sent and place in after.sent:
            if was is None or place in before.outdated:  # settled by a person; edited afterwards
                continue
            kind = "arguments"
        elif not after.knows(place):
            kind = "removed"
        if kind in {"added", "removed"} or was != now:
            changes.append(_at(place, kind, was, now))
    return changes


def _differences(
    kind: Kind, before: Mapping[Place, Any], after: Mapping[Place, Any], *, both: bool = False
) -> list[Change]:
    """``both``: only where both are known, as not everything was recorded."""
    return [
        _at(place, kind, _flat(before.get(place)), _flat(after.get(place)))
        for place in {**before, **after}
        if before.get(place) != after.get(place) and not (both and place not in before)
    ]


def _at(place: Place, kind: Kind, before: Any, after: Any) -> Change:
    cycle, module, path = place
    return Change(kind, before, after, module, cycle, path)


def _flat(lists: Any) -> Any:
    """A module's bundles without the lists that they were recorded in."""
    if not isinstance(lists, list):
        return lists
    bundles = [each for given in lists for each in (given if isinstance(given, list) else [given])]
    return bundles[0] if len(bundles) == 1 else bundles
