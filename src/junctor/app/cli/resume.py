"""`junctor resume`: a scenario goes on."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("resume")
    def resume(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lets a paused or draining scenario go on."""
        from junctor.app.cli.held import hold

        hold(scenario, "proceed", as_json=as_json)
