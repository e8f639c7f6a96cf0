"""How long importing a large blueprint takes: `python bench/blueprint.py [modules]`.

The target is 100 ms for 150 modules, which is where Make advises to stop. Every module carries the
form and restore data that exports have, about 10 kB each.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from junctor.language.blueprint import dump, load
from junctor.language.check import check

TARGET = 0.100
"""Seconds for loading a blueprint of 150 modules."""


def generated(modules: int) -> bytes:
    """A blueprint with a trigger and routers of nine modules each."""
    flow: list[dict[str, Any]] = [_module(1, 0)]
    number = 2
    while number <= modules:
        router: dict[str, Any] = {
            "id": number,
            "module": "builtin:BasicRouter",
            "version": 1,
            "mapper": None,
            "routes": [],
        }
        number += 1
        for _ in range(3):
            way = [_module(number + i, number) for i in range(min(3, modules - number + 1))]
            number += len(way)
            router["routes"].append({"flow": way})
        flow.append(router)
    settings = {"roundtrips": 1, "maxErrors": 3, "autoCommit": True, "dlq": True}
    metadata = {"instant": True, "version": 1, "scenario": settings}
    document = {"name": "Generated", "flow": flow, "metadata": metadata}
    return json.dumps(document, indent=4).encode()


def _module(number: int, after: int) -> dict[str, Any]:
    names = [f"field{i}" for i in range(12)]
    return {
        "id": number,
        "module": "http:MakeRequest",
        "version": 4,
        "parameters": {"__IMTCONN__": 1000 + number % 5, "authenticationType": "noAuth"},
        "filter": {
            "name": "Only new ones",
            "conditions": [[{"a": "{{1.state}}", "o": "text:equal", "b": "new"}]],
        }
        if after
        else None,
        "mapper": {name: f"{{{{ifempty(1.`{name}`; upper(1.other))}}}}" for name in names},
        "metadata": {
            "designer": {"x": number * 300, "y": 0, "name": f"Step {number}"},
            "restore": {"expect": {n: {"mode": "edit", "label": n} for n in names}},
            "parameters": [{"name": "__IMTCONN__", "type": "account:http", "required": True}],
            "expect": [{"name": n, "type": "text", "label": n.title()} for n in names],
            "interface": [{"name": n, "type": "text", "label": n.title()} for n in names],
        },
    }


def measured(work: Callable[[], object], times: int = 15) -> tuple[float, float]:
    """Median and worst seconds of several runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), max(taken)


def main(modules: int = 150) -> int:
    """Prints a line per measurement; 1 if the target is missed."""
    data = generated(modules)
    document = load(data).document
    print(f"{modules} modules, {len(data):,} bytes")
    median, worst = measured(lambda: load(data))
    missed = median > TARGET * max(1, modules / 150)
    print(f"load   {median * 1000:7.1f} ms  worst {worst * 1000:7.1f} ms  target 100 ms per 150")
    for name, work in (
        ("dump", lambda: dump(document)),
        ("check", lambda: check(data, "generated", lambda _id: None, round_trip=True)),
    ):
        median, worst = measured(work)
        print(f"{name:6} {median * 1000:7.1f} ms  worst {worst * 1000:7.1f} ms")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
