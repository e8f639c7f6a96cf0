"""The demo as people see it, and as `junctor demo --once` checks it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from junctor.app.cli.output import STYLES, size, span
from junctor.app.core import Core, open_core
from junctor.app.demo import CALLS, Outcome, prepare, run_calls
from junctor.app.machine import Machine
from junctor.app.settings import Settings
from junctor.app.simulators import Simulators
from junctor.language import ids

__all__ = ["run_once", "show_demo"]

SHOWN = 8
"""Rows of each table."""


async def show_demo(
    core: Core, simulators: Simulators, console: Console, *, calls: int | None
) -> Outcome | None:
    """Sets the demo up and lets calls come in: 100 the first time, later only if asked."""
    scenario, new = await prepare(core, simulators)
    shown = ids.show("scn", scenario.id)
    console.print(f"Scenario [bold]{scenario.name}[/] ([dim]{shown}[/]) is active.")
    count = (CALLS if new else 0) if calls is None else calls
    if not count:
        console.print(
            "It was here already, so no calls are simulated; `--calls 100` asks for some.",
            style="dim",
        )
        return None
    with bar(console, count) as progress:
        outcome = await run_calls(core, scenario, simulators, count, progress)
    tables(console, outcome)
    return outcome


@contextmanager
def bar(console: Console, count: int) -> Iterator[Any]:
    """A live progress bar of runs; a function to feed it."""
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{count} simulated calls", total=count)

        def feed(ended: int, total: int) -> None:
            progress.update(task, completed=ended, total=max(total, 1))

        yield feed


def tables(console: Console, outcome: Outcome) -> None:
    """What ran, and what HighLevel now holds."""
    runs = Table(title="The newest runs", title_justify="left", box=None)
    for name, right in (
        ("run", 0),
        ("status", 0),
        ("operations", 1),
        ("duration", 1),
        ("bytes", 1),
    ):
        runs.add_column(name, justify="right" if right else "left", no_wrap=True)
    for run in outcome.runs[:SHOWN]:
        runs.add_row(
            ids.show("run", run.id),
            f"[{STYLES.get(run.state, '')}]{run.state}[/]",
            str(run.operations),
            span(run.started_at, run.ended_at),
            size(run.bytes),
        )
    console.print(runs)
    notes = Counter(note["contactId"] for note in outcome.notes)
    held = Table(title="What HighLevel now holds", title_justify="left", box=None)
    for name in ("contact", "phone", "tags", "notes"):
        held.add_column(
            name, justify="right" if name == "notes" else "left", no_wrap=name != "tags"
        )
    tagged = [contact for contact in outcome.contacts if notes[contact["id"]]]
    for contact in tagged[-SHOWN:]:
        name = " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
        held.add_row(
            name, contact.get("phone"), ", ".join(contact["tags"]), str(notes[contact["id"]])
        )
    console.print(held)
    states = ", ".join(f"{count} {state}" for state, count in sorted(outcome.states.items()))
    console.print(
        f"{outcome.calls} calls → {outcome.deliveries} deliveries → runs: {states}; "
        f"{len(tagged)} contacts with {len(outcome.notes)} notes, in {outcome.seconds:.1f} s."
    )
    if outcome.problems:
        console.print(f"[red]✗[/] {len(outcome.problems)} things are not as they must be:")
        for problem in outcome.problems[:10]:
            console.print(f"  {problem}", markup=False)
    else:
        console.print("[green]✓[/] Every delivery became one run; nothing is missing or double.")


async def run_once(settings: Settings, *, calls: int, as_json: bool) -> dict[str, Any]:
    """The whole demo in a data directory of its own, checked, and everything stopped again."""
    console = Console(highlight=False, quiet=as_json)
    begun = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="junctor-demo-"))
    settings = replace(
        settings,
        data_dir=directory,
        database_url=None,
        host="127.0.0.1",
        port=0,
        public=None,
        egress_allow=(),
    )
    machine = Machine(settings, say=lambda line: console.print(line, style="dim", markup=False))
    outcome: Outcome | None = None
    try:
        await machine.begin_database()
        machine.choose_port()
        simulators = Simulators(directory)
        simulators.start(machine)
        machine.start_processes(allow=simulators.addresses)
        await machine.database_ready()
        allowed = machine.settings.with_allowed(simulators.addresses)
        async with open_core(allowed, machine.url) as core:
            await machine.ready()
            outcome = await show_demo(core, simulators, console, calls=calls)
    finally:
        await machine.stop()
        shutil.rmtree(directory, ignore_errors=True)
    assert outcome is not None, "a fresh directory always runs calls"
    return {
        "ok": not outcome.problems,
        "calls": outcome.calls,
        "deliveries": outcome.deliveries,
        "runs": outcome.states,
        "contacts": len({note["contactId"] for note in outcome.notes}),
        "notes": len(outcome.notes),
        "seconds": round(time.monotonic() - begun, 3),
        "problems": outcome.problems,
    }
