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
        from junctor.app.cli.processes import start_worker

        start_worker(name=name)
