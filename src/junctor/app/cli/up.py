"""`junctor up`: everything on this machine, until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import replace
from typing import Annotated, Any

import typer

__all__ = ["register", "until_stopped"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("up")
    def up(
        demo: Annotated[
            bool, typer.Option("--demo", help="Also simulated vendors and a scenario that runs.")
        ] = False,
        calls: Annotated[
            int | None,
            typer.Option(
                min=0,
                max=100_000,
                help="Calls the demo simulates (100 at the first start, then none).",
            ),
        ] = None,
        host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
        port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
        workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
        no_backup: Annotated[
            bool, typer.Option("--no-backup", help="Do not back up before a migration.")
        ] = False,
    ) -> None:
        """Starts database, server and workers, keeps them alive, and stops them at Ctrl-C."""
        from junctor.app.cli.session import run_async
        from junctor.app.settings import Settings
        from junctor.app.up import run_up

        settings = Settings.from_env().bound(host, port)
        settings = replace(settings, workers=workers or settings.workers)
        run_async(until_stopped(run_up(settings, demo=demo, calls=calls, backup=not no_backup)))


async def until_stopped(main: Coroutine[Any, Any, None]) -> None:
    """Runs ``main`` until it ends, or until SIGINT, SIGTERM or SIGHUP ends it well (``main`` may
    take SIGHUP for something else).

    A second signal does not hurry the end: the parts have a few seconds each and no more.
    """
    task = asyncio.create_task(main)
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
