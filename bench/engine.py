"""How many bundles a second the engine moves, with its journal on, and in how much memory.

    PYTHONPATH=src python bench/engine.py [bundles]

*pure*: a repeater gives bundles to a module that sets three expressions, a filter, and an
aggregator that counts; every operation is recorded and every segment encoded (full detail).
*effects*: each bundle is an effect, with intent and result recorded. *resume*: 100,000 recorded
operations are replayed, none of them done again.

Measured on a busy machine of two cores, Python 3.11, per CPU second: pure 250,000 bundles (4 us
each), effects 150,000 to 165,000; resume 0.5 to 0.7 CPU seconds; peak RSS 35 MB whatever the
number of bundles.

Where the time of *pure* goes, by py-spy (self time): expressions, filter and coercion 58 %, of
which the filter's reading of its constant ``25`` as a number, each time, is 17 % of all; the loop
of `Run.branch` 18 %, the journal 10 %, `bundles.emit` 7 %, zstd 2 %. What helped: the common pure
module's way inlined in `Run.branch` (three calls fewer, + 35 %), and the members of `Step` as
globals, as an enum's look-up by its class is slow.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from junctor.engine.commands import Call, Outcome
from junctor.engine.journal import Journal, encode_segment
from junctor.engine.plan import Plan, compile_plan
from junctor.engine.recording import Recording
from junctor.engine.run import Run
from junctor.language.connector import Bundle, Connector
from junctor.language.scenario import Condition, Filter, Module, Scenario

bench = Connector(name="bench", label="Bench")


@bench.module("Starts", kind="trigger")
def start() -> None:
    """Never called: the bundles are given."""


@bench.module("Repeats", kind="repeater")
def source(_parameters: Mapping[str, Any], mapper: Any) -> Iterator[Bundle]:
    for i in range(mapper["n"]):
        yield {"first": "Ann", "last": "Miller", "amount": i % 100, "phone": "+49 30 1234567"}


@bench.transform("Sets", raw=True)
def values(_parameters: Mapping[str, Any], mapper: Bundle) -> Bundle:
    return mapper


@bench.action("Sends", effect="once")
def send() -> None:
    """Never called: the driver answers."""


class _Count:
    def __init__(self) -> None:
        self.n = 0

    def add(self, _value: Any) -> None:
        self.n += 1

    def result(self) -> Bundle:
        return {"count": self.n}


@bench.module("Counts", kind="aggregator")
def count(_parameters: Mapping[str, Any]) -> _Count:
    return _Count()


def _module(number: int, name: str, mapper: Any = None, **rest: Any) -> Module:
    return Module(
        id=number, module=f"bench:{name}", path=f"flow[{number - 1}]", mapper=mapper, **rest
    )


def _plan(*flow: Module) -> Plan:
    find = {module.id: module for module in bench.modules.values()}.get
    return compile_plan(Scenario(name="bench", flow=flow), find)


def _run(plan: Plan, n: int, recording: Recording | None = None) -> tuple[Any, list[bytes], int]:
    journal = Journal()
    run = Run(
        plan, run_id="run", journal=journal, recording=recording, seed=b"seed", variables={},
        clock=lambda: datetime(2026, 11, 21, tzinfo=UTC), zone=UTC, locale="en",
    )  # fmt: skip
    kept: list[bytes] = []
    raw = 0
    answer: Any = None
    generator = run.execute([{"n": n}])
    try:
        while True:
            command = generator.send(answer)
            answer = None
            if type(command) is Call:
                journal.intent(command.address, 0, b"0123456789abcdef")
                answer = Outcome([{"id": command.arguments["name"]}], bytes=100)
                journal.done(command.address, answer.bundles, 100, 12.5, command.arguments)
            if journal.size >= 256 * 1024 and (segment := journal.take()):
                raw += len(segment.raw)
                kept.append(encode_segment(segment.raw))
    except StopIteration as stop:
        segment = journal.take()
        if segment is not None:
            kept.append(encode_segment(segment.raw))
        return stop.value, kept, raw


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


MAPPER = {
    "name": "{{2.first}} {{2.last}}",
    "big": '{{if(2.amount > 50; "big"; "small")}}',
    "phone": "{{2.phone}}",
}
FILTER = Filter(groups=((Condition(operator="number:greater", a="{{2.amount}}", b="25"),),))


def main() -> None:
    n = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    repeat = (_module(1, "start"), _module(2, "source", {"n": "{{1.n}}"}))
    counted = _plan(
        *repeat,
        _module(3, "values", MAPPER),
        _module(4, "count", {}, parameters={"feeder": 2}, filter=FILTER),
    )
    sent = _plan(*repeat, _module(3, "send", MAPPER))
    _run(counted, 10_000)
    _timed("pure", n, lambda: _run(counted, n))
    _timed("effects", n // 5, lambda: _run(sent, n // 5))
    for name, plan in (("resume pure", counted), ("resume effects", sent)):
        recorded = _run(plan, 100_000)[1]
        _timed(name, 100_000, partial(_run, plan, 100_000, Recording(recorded)))


def _timed(name: str, n: int, run: Callable[[], tuple[Any, list[bytes], int]]) -> None:
    rss, wall, cpu = _rss(), time.perf_counter(), time.process_time()
    result, kept, raw = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{name:15} {n / wall:9,.0f} bundles/s ({n / cpu:9,.0f} per CPU second), {wall:.2f} s, "
        f"{result.operations:,} operations, {len(kept)} segments, "
        f"{raw / 1e6:.0f} MB -> {sum(map(len, kept)) / 1e6:.1f} MB, "
        f"peak RSS {_rss():.0f} MB (+{_rss() - rss:.0f})"
    )


if __name__ == "__main__":
    main()
