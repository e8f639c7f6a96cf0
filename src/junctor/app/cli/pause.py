"""`junctor pause`: a scenario holds still."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("pause")
    def pause(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Holds a scenario: what comes in is accepted and kept, and run once it goes on."""
        from junctor.app.cli.held import hold

        hold(scenario, "pause", as_json=as_json)
