"""A bar for what takes a while, and a passphrase that nobody sees."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any, Self

from junctor.errors import Misconfigured

__all__ = ["Bar", "ask_passphrase"]

VARIABLE = "JUNCTOR_BACKUP_PASSPHRASE"


class Bar:
    """`app.refill.Progress` on standard error; nothing where that is no terminal or ``quiet``."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if not self._quiet:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            from junctor.app.cli.output import console

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                console=console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, what: str, total: int) -> None:
        """A new part of the work."""
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=max(1, total))

    def advance(self, amount: int) -> None:
        """So much of it is done."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)


def ask_passphrase(*, again: bool) -> str:
    """From ``JUNCTOR_BACKUP_PASSPHRASE``, else typed (twice, if ``again``).

    `Misconfigured` where there is nobody to type it.
    """
    import getpass

    given = os.environ.get(VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise Misconfigured(f"There is no terminal to type the passphrase at: set {VARIABLE}.")
    typed = getpass.getpass("Passphrase of the master key: ")
    if again and getpass.getpass("Once more: ") != typed:
        raise Misconfigured("The two passphrases differ: nothing was written.")
    return typed
