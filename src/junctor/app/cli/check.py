"""`junctor check`: what of a blueprint would run here, and what to mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from junctor.language.check import Known, Offered, Report, check
from junctor.language.lossless import MAX_BYTES
from junctor.language.scenario import Problem

__all__ = ["register"]


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
        verbose: Annotated[
            bool,
            typer.Option("--verbose", "-v", help="Of several files, too, show everything."),
        ] = False,
    ) -> None:
        """Check blueprints: what would run, what wouldn't, and what to mend.

        Exits with 1 if a file has errors. Modules of apps that nobody here offers are warnings.
        """
        find, offered = (known, None) if known is not None else _registry()
        reports = [_checked(file, find, round_trip, offered) for file in files]
        if as_json:
            from junctor.app.cli.report import summary

            listed = [report.as_json() for report in reports]
            typer.echo(json.dumps({"files": listed, "summary": summary(reports)}))
        else:
            _show(reports, verbose=verbose)
        raise typer.Exit(0 if all(report.ok for report in reports) else 1)


def _registry() -> tuple[Known, Offered]:
    from junctor.app.offered import registry_of

    registry = registry_of()
    return registry.find, lambda: (module.id for module in registry.modules())


def _checked(file: Path, known: Known, round_trip: bool, offered: Offered | None) -> Report:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _failed(file, f"The file can't be read: {error.strerror}. Check its name.")
    try:
        return check(data, str(file), known, round_trip=round_trip, offered=offered)
    except Exception as error:
        kind = type(error).__name__
        return _failed(file, f"This is our bug ({kind}: {error}); please report it with the file.")


def _failed(file: Path, message: str) -> Report:
    return Report(file=str(file), problems=[Problem("$", "error", message)])


def _show(reports: list[Report], *, verbose: bool) -> None:
    from rich.text import Text

    from junctor.app.cli.output import console
    from junctor.app.cli.report import show_report, show_summary

    out = console()
    whole = verbose or len(reports) == 1
    for report in reports:
        mark = ("✓ ", "bold green") if report.ok else ("✗ ", "bold red")
        out.print(Text.assemble(mark, (report.file, "bold")))
        if report.total or report.expressions:
            counts = f"{report.runnable} of {report.total} modules can run"
            if report.parsed < report.expressions:
                counts += f", {report.parsed} of {report.expressions} expressions can be read"
            out.print(Text.assemble("  ", report.name, "  ", (counts, "dim")))
        show_report(out, report, whole=whole)
    if len(reports) > 1:
        show_summary(out, reports)
