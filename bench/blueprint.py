"""How long importing a large blueprint takes: `python bench/blueprint.py [modules]`.

The target is 100 ms for 150 modules, which is where Make advises to stop, all of it: read, check,
compile, choose what is bound, and store, in a PostgreSQL started for this. Every module carries the
form and restore data that exports have, about 10 kB each, and five expressions that no other module
has: twice as many as real exports hold.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from junctor.app.core import open_core
from junctor.app.owner import ensure_organization
from junctor.app.scenarios import import_scenario
from junctor.app.settings import Settings
from junctor.engine.plan import compile_plan
from junctor.language.blueprint import dump, load
from junctor.language.check import Report, examine
from junctor.runtime.registry import Registry

TARGET = 0.100
"""Seconds for importing a blueprint of 150 modules."""

MAPPED = 4
"""Fields of a module that hold an expression, beside its filter."""


def generated(modules: int) -> bytes:
    """A trigger, three modules, and a router with ways of three modules each."""
    router: dict[str, Any] = {
        "id": 5,
        "module": "builtin:BasicRouter",
        "version": 1,
        "mapper": None,
        "routes": [],
    }
    trigger = {**_module(1, 0), "module": "gateway:CustomWebHook", "version": 1, "mapper": {}}
    flow = [trigger, *(_module(number, 1) for number in (2, 3, 4)), router]
    for first in range(6, modules + 1, 3):
        way = [_module(number, 1) for number in range(first, min(first + 3, modules + 1))]
        router["routes"].append({"flow": way})
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
            "conditions": [[{"a": f"{{{{1.state{number}}}}}", "o": "text:equal", "b": "new"}]],
        }
        if after
        else None,
        "mapper": {
            "url": f"https://example.test/{number}",
            "method": "post",
            **dict.fromkeys(names[MAPPED:], "as it is"),
            **{
                name: f"{{{{ifempty(1.`{name}`; upper(1.other{number}))}}}}"
                for name in names[:MAPPED]
            },
        },
        "metadata": {
            "designer": {"x": number * 300, "y": 0, "name": f"Step {number}"},
            "restore": {"expect": {n: {"mode": "edit", "label": n} for n in names}},
            "parameters": [{"name": "__IMTCONN__", "type": "account:http", "required": True}],
            "expect": [{"name": n, "type": "text", "label": n.title()} for n in names],
            "interface": [{"name": n, "type": "text", "label": n.title()} for n in names],
        },
    }


def measured(work: Callable[[], object], times: int = 15) -> tuple[float, float]:
    """Median and worst seconds of this process's CPU, of several runs."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken), max(taken)


async def stored(data: bytes, times: int = 15) -> tuple[float, float]:
    """Median and worst seconds of whole imports on the clock, database included."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        settings.ensure_data_dir()
        embedded = Embedded(settings.data_dir)
        url = await asyncio.to_thread(embedded.start)
        try:
            await migrate(url)
            async with open_core(settings, url) as core:
                organization = await ensure_organization(core)
                taken = []
                for _ in range(times):
                    started = time.perf_counter()
                    await import_scenario(core, organization, actor="bench", blueprint=data)
                    taken.append(time.perf_counter() - started)
        finally:
            await asyncio.to_thread(embedded.stop)
    return statistics.median(taken), max(taken)


def main(modules: int = 150) -> int:
    """Prints a line per measurement; 1 if the target is missed."""
    data = generated(modules)
    imported = load(data)
    registry = Registry.load()
    find = registry.find
    report = examine(Report(file="generated"), imported, find)
    print(
        f"{modules} modules, {len(data):,} bytes, {report.expressions} expressions, "
        f"{sum(problem.severity == 'error' for problem in report.problems)} errors"
    )
    for name, work in (
        ("read", lambda: load(data)),
        ("check", lambda: examine(Report(file="generated"), imported, find)),
        ("compile", lambda: compile_plan(imported.scenario, find)),
        ("write", lambda: dump(imported.document)),
    ):
        median, worst = measured(work)
        print(f"{name:8}{median * 1000:7.1f} ms  worst {worst * 1000:7.1f} ms")
    median, worst = asyncio.run(stored(data))
    missed = median > TARGET * max(1, modules / 150)
    print(
        f"import  {median * 1000:7.1f} ms  worst {worst * 1000:7.1f} ms  "
        f"target {TARGET * 1000:.0f} ms per 150 modules: {'missed' if missed else 'met'}"
    )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
