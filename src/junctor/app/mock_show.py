"""A mock run, shown: the tree of the flow with what went through it, or the same as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from junctor.engine.journal import error_record
from junctor.language.scenario import Module
from junctor.testing.matching import as_data
from junctor.testing.mock import Mocked

__all__ = ["mock_record", "show_mock"]

LONGEST = 160
"""Characters of a sample on one line."""


def mock_record(mocked: Mocked) -> dict[str, Any]:
    """The report as data; docs/testing-scenarios.md describes it."""
    status = mocked.runs[-1].result.status if mocked.runs else "not run"
    return {
        "name": mocked.scenario.name,
        "mock": True,
        "all_routes": mocked.all_routes,
        "status": status if mocked.problem is None else "not run",
        "error": _error(mocked),
        "operations": sum(run.result.operations for run in mocked.runs),
        "route": mocked.reached,
        "unsupported": {str(id_): name for id_, name in sorted(mocked.unsupported.items())},
        "modules": [_module(mocked, module) for module in mocked.scenario.modules()],
        "ways": [
            {"path": list(way.path), "modules": list(way.modules), "stopped": list(way.stopped)}
            for run in mocked.runs
            for way in run.ways()
        ],
        "notes": [{"module": note.module, "text": note.text} for note in mocked.notes],
    }


def _error(mocked: Mocked) -> dict[str, Any] | None:
    error = mocked.problem
    if error is None and mocked.runs:
        error = mocked.runs[-1].result.error
    return None if error is None else error_record(error)


def _module(mocked: Mocked, module: Module) -> dict[str, Any]:
    made = [each for run in mocked.runs for each in run.of(module.id)]
    bundles = [bundle for each in made for bundle in each.bundles]
    asked = [each for run in mocked.runs for each in run.passages if each.module == module.id]
    return {
        "id": module.id,
        "module": module.module,
        "label": module.label,
        "path": module.path,
        "supported": module.id not in mocked.unsupported,
        "sampled": module.id in mocked.sampled,
        "reached": module.id in mocked.reached,
        "operations": len(made),
        "bundles": len(bundles),
        "stopped": sum(not each.passed for each in asked),
        "filter": module.filter.name if module.filter is not None else None,
        "input": as_data(next((each.input for each in made), None)),
        "output": as_data(bundles[0]) if bundles else None,
    }


def show_mock(mocked: Mocked) -> None:
    """Prints the report for people."""
    from rich.text import Text
    from rich.tree import Tree

    from junctor.app.cli.output import WIDEST, console

    out = console()
    record = mock_record(mocked)
    known = {each["path"]: each for each in record["modules"]}
    every = ", every route taken whatever its filter says" if mocked.all_routes else ""
    tree = Tree(
        Text.assemble((record["name"], "bold"), (f"  mock run{every}", "dim")), guide_style="dim"
    )
    _grow(tree, mocked.scenario.flow, known, "")
    if not out.is_terminal:
        out.width = WIDEST  # what is read in a pipe is searched, and nothing is cut off
    out.print(tree)
    reached = len([each for each in record["modules"] if each["reached"]])
    out.print(
        Text(
            f"{record['status']} · {reached} of {len(known)} modules reached · "
            f"{record['operations']} operations · nothing was sent",
            style="green" if mocked.ok else "red",
        )
    )
    if record["error"]:
        out.print(Text(str(record["error"]["message"]), style="red"))
    if record["unsupported"]:
        names = ", ".join(f"{id_} {name}" for id_, name in record["unsupported"].items())
        out.print(Text(f"Not offered here, so a real run would stop there: {names}", "yellow"))
    for note in mocked.notes:
        where = f"Module {note.module}: " if note.module else ""
        out.print(Text(where + note.text, style="dim"))


def _grow(tree: Any, flow: tuple[Module, ...], known: dict[str, Any], way: str) -> None:
    from rich.text import Text

    if way:
        tree = tree.add(Text(way, style="dim"))
    for module in flow:
        branch = tree.add(_line(module, known[module.path]))
        for index, route in enumerate(module.routes):
            name = "fallback route" if index == module.fallback else f"route {index + 1}"
            off = " (disabled)" if route.disabled else ""
            _grow(branch, route.flow, known, name + off)
        for index, each in enumerate(module.branches):
            off = " (disabled)" if each.disabled else ""
            _grow(branch, each.flow, known, (each.label or f"branch {index + 1}") + off)
        if module.onerror:
            _grow(branch, module.onerror, known, "if it fails")


def _line(module: Module, seen: dict[str, Any]) -> Any:
    from rich.text import Text

    mark = ("● ", "green") if seen["reached"] else ("○ ", "dim")
    line = Text.assemble(mark, (f"{module.id} {module.module}", "bold" if seen["reached"] else ""))
    if module.label:
        line.append(f"  {module.label}", "italic")
    if seen["reached"] and seen["operations"]:
        line.append(f"  {_count(seen)}", "dim")
    if seen["sampled"]:
        line.append("  sample", "cyan")
    if not seen["supported"]:
        line.append("  not offered here", "yellow")
    if seen["stopped"]:
        name = f" “{seen['filter']}”" if seen["filter"] else ""
        line.append(f"  its filter{name} stopped {seen['stopped']}", "magenta")
    for word, value in _samples(seen):
        line.append(f"\n{word} {value}", "dim")
    return line


def _count(seen: dict[str, Any]) -> str:
    bundles = seen["bundles"]
    times = f"{seen['operations']} operations, " if seen["operations"] > 1 else ""
    return f"{times}{bundles} bundle{'' if bundles == 1 else 's'}"


def _samples(seen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for word, value in (("in ", seen["input"]), ("out", seen["output"])):
        if value not in (None, {}, []):
            text = json.dumps(value, ensure_ascii=False, default=str)
            yield word, text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
