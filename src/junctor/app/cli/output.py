"""How commands speak: rich tables for people, one JSON value for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from junctor.errors import JunctorError, Misconfigured

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ago",
    "console",
    "counted",
    "line",
    "print_json",
    "print_table",
    "show_error",
    "size",
    "span",
    "target",
]

STYLES = {
    "finished": "green",
    "running": "cyan",
    "waiting": "cyan",
    "incomplete": "yellow",
    "uncertain": "magenta",
    "discarded": "dim",
}


WIDEST = 10_000
"""Columns of a table that no terminal shows."""


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """One JSON value on a line of standard output, at once."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def line(value: Any) -> str:
    """The value as JSON on one line, dates as everywhere."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people; columns whose name begins with ``#`` are numbers, to the right.

    The first column, which names things, is never folded, and in a pipe nothing is: what is read
    there is copied or searched.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    piped = not sys.stdout.isatty()
    for position, column in enumerate(columns):
        table.add_column(
            column.lstrip("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
            no_wrap=piped or (position == 0 and bool(column)),
        )
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    out = console()
    if piped:
        out.width = WIDEST
    out.print(table)


@contextmanager
def target(path: str) -> Iterator[TextIO]:
    """A file to write; ``-`` is standard output. `Misconfigured` if it can't be written."""
    if path == "-":
        yield sys.stdout
        return
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as out:
            yield out
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be written: {error.strerror or error}.", path=path
        ) from error


def show_error(error: JunctorError, *, as_json: bool) -> None:
    """One clear line on standard error; as JSON the API's envelope on standard output."""
    if as_json:
        print_json(
            {"error": {"code": error.code, "message": error.message, "params": error.params}}
        )
        return
    from rich.text import Text

    line = Text.assemble(("error ", "bold red"), (error.code, "red"), (": " + error.message, ""))
    console(stderr=True).print(line, soft_wrap=True)


def size(count: int) -> str:
    """Bytes for people: ``1.2 kB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def counted(count: int, what: str) -> str:
    """``1 run``, ``2,000 runs``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def span(started: datetime | None, ended: datetime | None) -> str:
    """How long something took: ``12 ms``, ``3.4 s``; empty while it goes on."""
    if started is None or ended is None:
        return ""
    seconds = (ended - started).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def ago(at: datetime | None) -> str:
    """A moment in local time, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        import base64

        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, (set, tuple, frozenset)):
        return list(value)
    return str(value)
