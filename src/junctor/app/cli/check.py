"""`junctor check`: what of a blueprint would run here, and what to mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from junctor.language.check import Known, Report, check
from junctor.language.lossless import MAX_BYTES
from junctor.language.scenario import Problem

__all__ = ["register"]

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def register(app: typer.Typer, known: Known | None = None) -> None:
    """Adds ``check`` to the command line; ``known`` stands in for the registry in tests."""

    @app.command("check")
    def check_command(
        files: Annotated[list[Path], typer.Argument(help="Blueprint files.", show_default=False)],
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        round_trip: Annotated[
            bool,
            typer.Option("--round-trip", help="Export again too; a difference is an error."),
        ] = False,
    ) -> None:
        """Check blueprints: what would run, what wouldn't, and what to mend.

        Exits with 1 if a file has errors. Modules of apps that nobody here offers are warnings.
        """
        find = known if known is not None else _registry()
        reports = [_checked(file, find, round_trip) for file in files]
        if as_json:
            typer.echo(json.dumps({"files": [report.as_json() for report in reports]}))
        else:
            _show(reports)
        raise typer.Exit(0 if all(report.ok for report in reports) else 1)


def _registry() -> Known:
    from junctor.runtime.registry import Registry

    return Registry.load().find


def _checked(file: Path, known: Known, round_trip: bool) -> Report:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _failed(file, f"The file can't be read: {error.strerror}. Check its name.")
    try:
        return check(data, str(file), known, round_trip=round_trip)
    except Exception as error:
        kind = type(error).__name__
        return _failed(file, f"This is our bug ({kind}: {error}); please report it with the file.")


def _failed(file: Path, message: str) -> Report:
    return Report(file=str(file), problems=[Problem("$", "error", message)])


def _show(reports: list[Report]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for report in reports:
        verdict = ("ok", "bold green") if report.ok else ("not ok", "bold red")
        console.print(Text.assemble(verdict, "  ", (report.file, "bold"), "  ", report.name))
        if report.total or report.expressions:
            console.print(
                f"  {report.runnable} of {report.total} modules can run, "
                f"{report.parsed} of {report.expressions} expressions can be read"
            )
        if report.problems:
            table = Table(box=None, padding=(0, 2), show_header=False)
            table.add_column(no_wrap=True)
            table.add_column(overflow="fold")
            for problem in report.problems:
                words = Text(f"{problem.message}\n")
                words.append(problem.path, style="dim")
                table.add_row(Text(problem.severity, style=_STYLES[problem.severity]), words)
            console.print(table)
        for line in _details(report):
            console.print(Text("  " + line))


def _details(report: Report) -> list[str]:
    lines = [
        f"not supported: {item.app} ({item.count}): {', '.join(item.modules)}"
        for item in report.unsupported.values()
    ]
    for wanted in report.requirements:
        users = ", ".join(map(str, wanted.modules))
        lines.append(f"to choose on import: {wanted.label} ({wanted.type}), for modules {users}")
    return lines
