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
        from junctor.app.cli.processes import start_server

        start_server(host=host, port=port, fd=fd)
