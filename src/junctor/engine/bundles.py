"""Where one bundle becomes many, and many become one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

from junctor.engine.commands import Address, Command, Flush
from junctor.engine.journal import CHUNK
from junctor.engine.lanes import in_lanes
from junctor.engine.nodes import Halt, Node, Path
from junctor.engine.recording import MISSING
from junctor.errors import Fault
from junctor.language.connector import Bundle

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["FLUSH", "Groups", "Several", "chunks", "emit", "found"]

FLUSH = Flush()
_hashable = msgspec.msgpack.Encoder(order="deterministic", enc_hook=repr).encode


class Groups:
    """What an aggregator has collected in one operation of its source: computed values only.

    The env is one list, overwritten bundle by bundle; a reference into it would not keep.
    """

    def __init__(self, node: Node, scope: Any) -> None:
        self._node = node
        self._scope = scope
        self._groups: dict[Any, tuple[Any, Any]] = {}

    def add(self, key: Any, value: Any) -> None:
        """One bundle's value, in the group of its key (``None`` without grouping)."""
        # Numbers that are equal in Python may be different keys: 1 and true.
        found = key if type(key) is str or key is None else (_hashable(key),)
        group = self._groups.get(found)
        if group is None:
            group = self._groups[found] = (key, self._new())
        group[1].add(value)

    def results(self) -> Bundle | list[Bundle]:
        """One bundle per key, in the order of their first bundles; a single one as itself."""
        if not self._groups:
            return [] if self._node.stop_if_empty else dict(self._new().result())
        out = [
            {**({} if self._node.group_by is None else {"__IMTKEY__": key}), **group.result()}
            for key, group in self._groups.values()
        ]
        return out[0] if len(out) == 1 else out

    def _new(self) -> Any:
        assert self._node.definition is not None
        given = self._node.parameters
        if self._node.definition.typed:
            given = {**given, "__zone__": self._scope.zone}
        return self._node.definition.function(given)


def found(node: Node, arguments: Any, bundles: list[Bundle]) -> list[Bundle]:
    """A search's bundles with their number and count, or one without results if so asked."""
    total = len(bundles)
    if total:
        return [
            {**bundle, "__IMTLENGTH__": total, "__IMTINDEX__": index}
            for index, bundle in enumerate(bundles, start=1)
        ]
    asked = node.parameters.get("continueWhenNoRes")
    if asked is None and isinstance(arguments, dict):
        asked = arguments.get("continueWhenNoRes")
    return [{"__IMTLENGTH__": 0}] if asked in (True, "true") else []


@dataclass(slots=True)
class Several:
    """The bundles of a pure module that gives more than one."""

    whole: Any = MISSING
    """All of them, if the module was asked."""
    first: Any = MISSING
    """The first list of them, if it is recorded."""
    keep: bool | None = None
    """Whether the first list is to be recorded; ``None``: not asked yet."""


def chunks(
    run: Run, node: Node, env: list[Any], path: Path, several: Several
) -> Iterator[list[Bundle]]:
    """A module's bundles in lists of up to `CHUNK`, so that nothing holds them all.

    Recorded lists are taken; where they end the module is asked, and what was taken is skipped.
    """
    journal = run.journal
    stream: Iterator[Bundle] | None = None
    keep = journal.wants(node.id, CHUNK) if several.keep is None else several.keep
    chunk = several.first
    number = 0
    while True:
        if chunk is MISSING and keep and several.whole is MISSING:
            chunk = run.recorded(node, path, number)
        if chunk is MISSING:
            if stream is None:
                stream = islice(_stream(run, node, env, path, several), number * CHUNK, None)
            try:
                chunk = list(islice(stream, CHUNK))
            except Exception as error:
                if not number:
                    raise
                halt = run.failure(Address(run.cycle, node.id, path), error)
                halt.begun = True
                raise halt from error
            if keep:
                journal.operation(run.cycle, node.id, path, number, chunk)
        yield chunk
        if len(chunk) < CHUNK:
            return
        number += 1
        keep = journal.wants(node.id, CHUNK)
        chunk = MISSING


def _stream(run: Run, node: Node, env: list[Any], path: Path, several: Several) -> Iterator[Bundle]:
    whole = several.whole if several.whole is not MISSING else run.evaluated(node, env, path)
    if not isinstance(whole, Iterable) or isinstance(whole, (dict, str, bytes)):
        kind = type(whole).__name__
        raise Fault(reason=f"{node.module} gave {kind}, neither a bundle nor bundles")
    return iter(whole)


def emit(
    run: Run,
    node: Node,
    lists: Iterable[list[Bundle]],
    env: list[Any],
    path: Path,
    *,
    single: bool = False,
) -> Generator[Command, Any, None]:
    """Sends a module's bundles on, each all the way; then the aggregators that collected them.

    ``single``: the module gives one bundle, which needs no index in its path.
    """
    for aggregator in node.collectors:
        run.groups[aggregator.id] = Groups(aggregator, env[0])
    if node.collectors:
        run.sources.append((node, path))
    if run.edits:
        lists = _edited(run, node, lists, path, single)
    onward, slot, branch = node.next, node.slot, run.branch
    try:
        if node.lane_call is not None and not single:
            yield from in_lanes(run, node, chain.from_iterable(lists), env, path)
        else:
            index = 0
            for bundles in lists:
                if onward is None:
                    index += len(bundles)
                else:
                    for bundle in bundles:
                        env[slot] = bundle
                        yield from branch(onward, env, path if single else (*path, index))
                        index += 1
                if not index % (4 * CHUNK):
                    yield FLUSH  # nothing may have been recorded: still the worker must breathe
    finally:
        if node.collectors:
            run.sources.pop()
    if node.collectors:
        yield from collected(run, node, env, path)


def _edited(
    run: Run, node: Node, lists: Iterable[list[Bundle]], path: Path, single: bool
) -> Iterator[list[Bundle]]:
    """The bundles as a person has changed them."""
    index = 0
    for bundles in lists:
        changed = []
        for bundle in bundles:
            place = (run.cycle, node.id, path if single else (*path, index))
            changed.append(run.edits.get(place, bundle))
            index += 1
        yield changed


def collected(run: Run, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, None]:
    """Lets the aggregators go on whose source has given all its bundles. One that fails is handled
    as a module of its own: what its source gave has gone on, and is not done again.
    """
    for aggregator in node.collectors:
        groups = run.groups.pop(aggregator.id)
        run.operations += 1
        try:
            output = run.once(aggregator, path, groups.results)
        except Exception as error:
            address = Address(run.cycle, aggregator.id, path)
            halt = error if isinstance(error, Halt) else run.failure(address, error)
            halt.begun = True
            output = yield from run.rescue(aggregator, env, path, halt)
            if output is None:
                continue
        if type(output) is dict:
            yield from emit(run, aggregator, [[output]], env, path, single=True)
        else:
            yield from emit(run, aggregator, [output], env, path)
