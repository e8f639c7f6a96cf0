"""`junctor server`: one server process, for many machines or under a supervisor."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("server")
    def server(
        host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
        port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
        fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    ) -> None:
        """Runs one server process: hooks, API, health. Any number may run on one database."""
        from dataclasses import replace

        from junctor.app import logs
        from junctor.app.cli.session import await_schema, database, run_async
        from junctor.app.server import serve
        from junctor.app.settings import Settings

        settings = Settings.from_env()
        settings = replace(
            settings,
            host=host or settings.host,
            port=settings.port if port is None else port,
        )
        logs.configure(settings.log_level, process="server", form=settings.log_format)

        async def main() -> None:
            async with database(settings) as url:
                await await_schema(url)
                await serve(settings, url, fd=fd)

        run_async(main())
