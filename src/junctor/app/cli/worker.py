"""`junctor worker`: one worker process; any number may run, and be killed at will."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("worker")
    def worker(
        name: Annotated[str, typer.Option(help="What it is called in logs and nodes.")] = "worker",
    ) -> None:
        """Runs one worker process: it takes deliveries and runs scenarios until it is stopped."""
        from junctor.app import logs
        from junctor.app.cli.session import await_schema, database, run_async
        from junctor.app.settings import Settings
        from junctor.app.worker_process import run_worker

        settings = Settings.from_env()
        logs.configure(settings.log_level, process=name, form=settings.log_format)

        async def main() -> None:
            async with database(settings) as url:
                await await_schema(url)
                await run_worker(settings, url, name=name)

        run_async(main())
