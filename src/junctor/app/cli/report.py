"""A compatibility report for people, grouped by what there is to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from junctor.language.blueprint_report import Report
from junctor.language.scenario import Problem

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_report", "show_summary", "summary"]

_MOST_PLACES = 3
"""Places shown of a finding that stands at many."""


def show_report(out: Console, report: Report, *, whole: bool = True, bound: bool = False) -> None:
    """One file's report. Not ``whole``: errors and warnings alone; ``bound``: requirements not."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    folded = {path for item in report.unsupported.values() for path in item.paths}
    sections: list[tuple[str, str, list[Problem]]] = [
        ("Mend", "bold red", [p for p in report.problems if p.severity == "error"]),
        (
            "Look at",
            "bold yellow",
            [p for p in report.problems if p.severity == "warning" and p.path not in folded],
        ),
    ]
    if whole:
        infos = [p for p in report.problems if p.severity == "info"]
        sections.append(("Good to know", "bold cyan", infos))
    for title, style, problems in sections[:2]:
        _section(out, title, style, problems)
    if report.unsupported:
        count = sum(item.count for item in report.unsupported.values())
        out.print(Text(f"  Not supported here: {_many(count, 'module')}", style="bold yellow"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(justify="right")
        table.add_column(overflow="fold")
        for item in sorted(report.unsupported.values(), key=lambda item: -item.count):
            names = ", ".join(name.partition(":")[2] or name for name in item.modules)
            words = Text(names)
            if whole:
                words.append(f"\n{item.advice}", style="dim")
            table.add_row(Text(item.app), f"{item.count} x", words)
        out.print(Padding(table, (0, 0, 0, 4)), soft_wrap=False)
    if whole and report.requirements and not bound:
        out.print(Text("  To choose on import", style="bold cyan"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold", style="dim")
        for wanted in report.requirements:
            users = ", ".join(map(str, wanted.modules))
            many = "modules" if len(wanted.modules) > 1 else "module"
            table.add_row(wanted.type, Text(wanted.label), f"{many} {users}")
        out.print(Padding(table, (0, 0, 0, 4)), soft_wrap=False)
    for title, style, problems in sections[2:]:
        _section(out, title, style, problems)


def _indented(out: Console, text: str, by: int, *, style: str = "") -> None:
    """A paragraph: wrapped at a terminal, one line in a file, where whoever reads it wraps."""
    from rich.padding import Padding
    from rich.text import Text

    if out.soft_wrap:
        out.print(Text(" " * by + text, style=style))
    else:
        out.print(Padding(Text(text, style=style), (0, 0, 0, by)))


def _section(out: Console, title: str, style: str, problems: list[Problem]) -> None:
    from rich.text import Text

    if not problems:
        return
    places: dict[str, list[str]] = {}
    for problem in problems:
        places.setdefault(problem.message, []).append(problem.path)
    out.print(Text(f"  {title} ({len(problems)})", style=style))
    for message, paths in places.items():
        _indented(out, message, 4)
        shown = ", ".join(paths[:_MOST_PLACES])
        more = len(paths) - _MOST_PLACES
        also = f" and {_many(more, 'more place')}" if more > 0 else ""
        _indented(out, shown + also, 6, style="dim")


def show_summary(out: Console, reports: Sequence[Report]) -> None:
    """A few lines over many files."""
    from rich.text import Text

    made = summary(reports)
    files, modules, expressions = made["files"], made["modules"], made["expressions"]
    out.print()
    out.print(
        Text.assemble(
            (_many(files["total"], "file"), "bold"),
            f": {files['ok']:,} without errors, {files['total'] - files['ok']:,} with. ",
            f"{modules['runnable']:,} of {_many(modules['total'], 'module')} can run, ",
            f"{expressions['parsed']:,} of {_many(expressions['total'], 'expression')} "
            "can be read.",
        )
    )
    apps = list(made["unsupported"].items())
    if apps:
        shown = ", ".join(f"{app} {count}" for app, count in apps[:12])
        more = f" and {len(apps) - 12} more" if len(apps) > 12 else ""
        out.print(Text(f"Modules of apps not supported here: {shown}{more}.", style="dim"))


def summary(reports: Iterable[Report]) -> dict[str, Any]:
    """The same as data; unsupported apps by the number of their modules, most first."""
    apps: Counter[str] = Counter()
    files, ok, total, runnable, expressions, parsed = 0, 0, 0, 0, 0, 0
    for report in reports:
        files += 1
        ok += report.ok
        total += report.total
        runnable += report.runnable
        expressions += report.expressions
        parsed += report.parsed
        apps.update({item.app: item.count for item in report.unsupported.values()})
    return {
        "files": {"total": files, "ok": ok},
        "modules": {"total": total, "runnable": runnable},
        "expressions": {"total": expressions, "parsed": parsed},
        "unsupported": dict(apps.most_common()),
    }


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")
