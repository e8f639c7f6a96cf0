"""Servers and workers: how each begins, and a short way there for whoever starts them often.

A supervisor, a unit file or an orchestrator starts these two again and again, in words that need no
explaining. They are read here without Typer, which (with pydantic, by which it reads options) would
be a fifth of a process's start and 15 MB of it for as long as it lives. What is not plain goes
through Typer as every other command, and is explained there.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from junctor.app.settings import Settings

__all__ = ["OPTIONS", "plainly", "start_server", "start_worker"]

OPTIONS: Mapping[str, Mapping[str, type[str | int]]] = {
    "server": {"host": str, "port": int, "fd": int},
    "worker": {"name": str},
}
"""What each takes, as ``--option VALUE``; a test holds the commands' own options against it."""


def plainly(argv: Sequence[str]) -> Callable[[], None] | None:
    """How to start what ``argv`` plainly names; ``None``: let Typer read it."""
    options = OPTIONS.get(argv[0]) if argv else None
    if options is None or len(argv) % 2 == 0:
        return None
    values: dict[str, Any] = {}
    for option, text in zip(argv[1::2], argv[2::2], strict=True):
        kind = options.get(option[2:]) if option.startswith("--") else None
        number = text.isascii() and text.isdecimal()
        if kind is None or text.startswith("-") or (kind is int and not number):
            return None
        values[option[2:]] = kind(text)
    return partial(start_server if argv[0] == "server" else start_worker, **values)


def start_server(
    *, host: str | None = None, port: int | None = None, fd: int | None = None
) -> None:
    """Serves until it is told to stop; what is not given is as set."""
    from junctor.app import logs  # first: it knows what of structlog to leave out
    from junctor.app.server import serve
    from junctor.app.settings import Settings

    settings = Settings.from_env().bound(host, port)
    logs.configure(settings.log_level, process="server", form=settings.log_format)
    _run(settings, lambda url: serve(settings, url, fd=fd))


def start_worker(*, name: str = "worker") -> None:
    """Works until it is told to stop."""
    from junctor.app import logs  # first: it knows what of structlog to leave out
    from junctor.app.settings import Settings
    from junctor.app.worker_process import run_worker

    settings = Settings.from_env()
    logs.configure(settings.log_level, process=name, form=settings.log_format)
    _run(settings, lambda url: run_worker(settings, url, name=name))


def _run(settings: Settings, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    from junctor.app.cli.session import await_schema, database, run_async

    async def main() -> None:
        async with database(settings) as url:
            await await_schema(url)
            await work(url)

    run_async(main())
