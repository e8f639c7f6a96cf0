"""`junctor reload`: server and workers of this machine, replaced one by one."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from junctor.app.settings import Settings

__all__ = ["register"]

WITHIN = 600.0
"""Seconds until a reload that says nothing is given up."""


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("reload")
    def reload(
        no_migrate: Annotated[
            bool, typer.Option("--no-migrate", help="Leave the database's schema as it is.")
        ] = False,
    ) -> None:
        """Brings the schema up to date, then replaces server and workers with new processes, of the
        release that is installed now. Each begins before its predecessor ends: no call is refused.
        """
        from junctor.app.backup import bring_up_to_date
        from junctor.app.cli.output import console
        from junctor.app.cli.session import database, run_async
        from junctor.app.settings import Settings
        from junctor.errors import Misconfigured

        settings = Settings.from_env()
        running = _supervisor(settings)

        async def prepare() -> list[str]:
            async with database(settings, current=False) as url:
                return await bring_up_to_date(
                    settings, url, backup=True, say=console(stderr=True).print
                )

        if not no_migrate:
            for name in run_async(prepare()):
                typer.echo(f"Applied {name}.")
        os.kill(running["pid"], signal.SIGUSR2)
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:
            said = _supervisor(settings)
            if said["reloads"] > running["reloads"]:
                if said["failed"]:
                    raise Misconfigured(
                        f"The new {said['failed']} did not start; the old one still works. "
                        f"See {settings.logs / said['failed']}.log.",
                        process=said["failed"],
                    )
                typer.echo("Server and workers were replaced.")
                return
            time.sleep(0.05)
        raise Misconfigured(
            f"The supervisor (process {running['pid']}) did not finish in {WITHIN:.0f} s; "
            f"see {settings.logs}.",
            pid=running["pid"],
        )


def _supervisor(settings: Settings) -> dict[str, Any]:
    """What the supervisor said of itself; `Misconfigured` if none runs on this data directory."""
    import psutil

    from junctor.errors import Misconfigured

    try:
        said: dict[str, Any] = json.loads(settings.supervisor_file.read_text())
        if any("junctor" in part for part in psutil.Process(said["pid"]).cmdline()):
            return said
    except (OSError, ValueError, KeyError, psutil.Error):
        pass
    raise Misconfigured(
        f"No `junctor up` runs on {settings.data_dir}: there is nothing to reload. Servers and "
        "workers that are started otherwise are restarted by whatever started them.",
        path=str(settings.data_dir),
    )
